import Foundation
import GRDB
package import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension SQLiteFile {
    /// Replaces this database by a copy of `file`, and keeps the old one under another name.
    ///
    /// The path is a whole database at every moment. No process may have it open, as it would go on
    /// with the old one.
    /// - Parameter event: the event to record in the copy, unless its version has no events.
    /// - Returns: the name under which the old database is kept; `nil` when there was none.
    /// - Throws: `misconfigured` when `file` is damaged, of another program or of a newer version,
    ///   or when the existing database is not to be replaced, is of another program or is open in
    ///   another process. Nothing has changed then.
    package func restore(
        from file: String, isReplacing: Bool, recording event: AuthEvent? = nil,
        report: @escaping Report = { _, _ in }
    ) throws -> String? {
        guard try Self.isThere(file) else { throw AuthError(.misconfigured, "there is no file \(file)") }
        // The target of a link is replaced, so that the database stays on its disk.
        if (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil {
            let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            return try SQLiteFile(target).restore(
                from: file, isReplacing: isReplacing, recording: event, report: report)
        }
        guard !Self.isSame(path, file) else { throw AuthError(.misconfigured, "\(file) is the database itself") }
        // Checked before the copy, which may take long, and again below, when nobody can open it
        // any more.
        try refuse(isReplacing: isReplacing)
        let copy = try SQLiteFile(file).checkedCopy(for: path, report: report)
        if let event { _ = try SQLiteFile(copy.path).record(event) }
        let lock = DirectoryLock(of: path)
        defer { lock.release() }
        try refuse(isReplacing: isReplacing)
        let kept = try setAside()
        do {
            try Self.put(copy, at: path, isReplacing: isReplacing)
        } catch {
            if let kept { putBack(kept) }
            throw error
        }
        return kept
    }

    /// Undoes ``setAside()``, as long as no new file has the path.
    private func putBack(_ kept: String) {
        for suffix in ["-wal", "-journal"] where Self.exists(kept + suffix) { rename(kept + suffix, path + suffix) }
        if Self.isSame(path, kept) { unlink(kept) }
    }

    private func refuse(isReplacing: Bool) throws {
        guard exists else { return }
        guard isReplacing else { throw Self.taken(path) }
        try Self.requireOwner(of: path)
        if let process = occupant {
            throw AuthError(.misconfigured, "the database \(path) is open in process \(process); stop it first")
        }
        do {
            try SQLiteStorage.checkIdentity(of: path)
        } catch is DatabaseError {
            // A damaged database is a reason to restore a backup.
        }
    }

    /// Id of a process that has the database open; `nil` when there is none.
    ///
    /// With a write-ahead log, every connection holds a shared lock on these bytes of the file from
    /// its first query until it is closed. The system reports the lock in whatever state the file
    /// is, and even if the process hangs; a killed process has none.
    var occupant: pid_t? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = 0x4000_0000
        lock.l_len = 512
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return nil }
        return lock.l_pid
    }

    /// Gives the existing database a second name; the new file then takes over the first one.
    private func setAside() throws -> String? {
        if exists { try foldLog() }
        let sideFiles = ["-wal", "-journal"].filter { Self.exists(path + $0) }
        guard exists || !sideFiles.isEmpty else { return nil }
        let kept = freeName()
        if exists, link(path, kept) != 0 { throw Self.failed("\(path) cannot be kept as \(kept)") }
        // SQLite would apply these files to the new database.
        for suffix in sideFiles where rename(path + suffix, kept + suffix) != 0 {
            let error = Self.failed("\(path + suffix) cannot be kept")
            putBack(kept)
            throw error
        }
        unlink(path + "-shm")
        return kept
    }

    /// Merges the write-ahead log into the file, which then is the whole database.
    private func foldLog() throws {
        do {
            let queue = try DatabaseQueue(path: path, configuration: SQLiteStorage.configuration)
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            try queue.close()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw AuthError(.misconfigured, "the database \(path) is open in another process; stop it first")
        } catch is DatabaseError {
            // The file is too damaged for that; it is kept with its log beside it.
        }
    }

    private func freeName() -> String {
        var name = path + ".before-restore"
        var number = 1
        while ["", "-wal", "-journal"].contains(where: { Self.exists(name + $0) }) {
            number += 1
            name = "\(path).before-restore-\(number)"
        }
        return name
    }
}
