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

/// The file of a database as a whole: to be copied while it is in use, or replaced by another.
///
/// A new file is written under another name in the same directory, and is complete, checked and on
/// disk when it gets its final name. It has the owner and mode of the file that it replaces, but no
/// rights for others. If it replaces none, its mode is 0600, and a file made by root is given to
/// the owner of the directory.
package struct SQLiteFile: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    package var exists: Bool { Self.exists(path) }

    /// The path of the secret: `rest-auth.secret` for `rest-auth.sqlite`.
    package var secretFile: String {
        path.hasSuffix(".sqlite") ? path.dropLast(7) + ".secret" : path + ".secret"
    }

    /// Receives the number of pages copied so far, and of all pages.
    package typealias Report = (_ done: Int, _ total: Int) -> Void

    /// Copies a snapshot of the database to `file`, without blocking processes that write to it.
    /// - Parameters:
    ///   - file: path of the copy.
    ///   - isReplacing: whether an existing file is replaced.
    ///   - event: recorded before the first page is copied, if possible.
    ///   - unrecorded: called with the reason why the event could not be recorded.
    ///   - report: called with the progress.
    /// - Throws: `misconfigured` when there is no such database, when it is damaged or of another
    ///   program, or when `file` exists and is not to be replaced.
    package func backUp(
        to file: String, isReplacing: Bool, recording event: AuthEvent, unrecorded: (_ reason: String) -> Void,
        report: @escaping Report = { _, _ in }
    ) throws {
        guard try Self.isThere(path) else { throw AuthError(.misconfigured, "there is no database \(path)") }
        guard !Self.isSame(path, file) else { throw AuthError(.misconfigured, "\(file) is the database itself") }
        guard isReplacing || !Self.exists(file) else { throw Self.taken(file) }
        try Self.requireOwner(of: file)
        do {
            if try !record(event) { unrecorded("\(path) is of a version without events") }
        } catch {
            unrecorded((error as? AuthError)?.detail ?? "\(error)")
        }
        try Self.put(checkedCopy(for: file, report: report), at: file, isReplacing: isReplacing)
    }

    // MARK: Copying

    /// Makes a checked copy of this database, on disk and without side files, to be moved to
    /// `place`.
    func checkedCopy(for place: String, report: @escaping Report) throws -> NewFile {
        let copy = try Self.emptyFile(for: place)
        try Self.keepOwner(of: place, on: copy.descriptor)
        let hadLog = hasLog
        defer { if !hadLog { clearLog() } }
        do {
            do {
                try copyPages(to: copy.path, report: report)
            } catch let error as DatabaseError
                where isOnlyRead && [.SQLITE_CANTOPEN, .SQLITE_READONLY].contains(error.resultCode)
            {
                try copyAtRest(to: copy.path, report: report)
            }
            do {
                try copy.synchronize()
            } catch {
                throw Self.failed("\(copy.path) cannot be brought to disk", error)
            }
            return copy
        } catch {
            for suffix in ["-journal", "-wal", "-shm"] { unlink(copy.path + suffix) }
            if let error = error as? DatabaseError, error.resultCode == .SQLITE_FULL {
                let directory = URL(fileURLWithPath: place).deletingLastPathComponent().path
                throw AuthError(.misconfigured, "there is no space left in \(directory), where the copy goes")
            }
            throw SQLiteStorage.unusable(path, error)
        }
    }

    private func copyPages(to copy: String, report: @escaping Report) throws {
        var configuration = SQLiteStorage.configuration
        let destination = try DatabaseQueue(path: copy, configuration: configuration)
        configuration.readonly = true
        let source = try DatabaseQueue(path: path, configuration: configuration)
        try destination.writeWithoutTransaction { to in
            try source.read { from in
                // The first query begins the snapshot that all steps read. Without it each step
                // would begin its own, and a write between two steps would make the copy start
                // over.
                _ = try Int.fetchOne(from, sql: "SELECT count(*) FROM sqlite_schema")
                try from.backup(to: to, pagesPerStep: 1000) { report($0.completedPageCount, $0.totalPageCount) }
            }
            try to.execute(sql: "PRAGMA journal_mode = DELETE")
            try check(to)
        }
        try source.close()
        try destination.close()
    }

    /// Whether no file can be made beside the database. SQLite needs to make some to read a
    /// database with a write-ahead log, unless they exist already.
    private var isOnlyRead: Bool {
        access(URL(fileURLWithPath: path).deletingLastPathComponent().path, W_OK | X_OK) != 0
    }

    /// Copies the file and its write-ahead log byte by byte, and merges the log into the copy.
    ///
    /// The copy is consistent only if nobody writes meanwhile, so the state of both files is
    /// compared afterwards.
    private func copyAtRest(to copy: String, report: Report) throws {
        let sources = ["", "-wal"]
        let before = sources.map { Self.state(path + $0) }
        for suffix in sources where Self.exists(path + suffix) {
            try Self.copyBytes(of: path + suffix, to: copy + suffix, isNew: !suffix.isEmpty)
        }
        guard sources.map({ Self.state(path + $0) }) == before else {
            throw AuthError(
                .misconfigured,
                """
                the database \(path) was written while it was copied: stop what uses it, or back it up where its \
                directory can be written
                """
            )
        }
        let queue = try DatabaseQueue(path: copy, configuration: SQLiteStorage.configuration)
        try queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA journal_mode = DELETE")
            try check(database)
        }
        try queue.close()
        report(1, 1)
    }

    /// Inode, size and times of a file, one of which changes with every write; `nil` when it is
    /// missing.
    private static func state(_ path: String) -> [Int]? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        #if canImport(Darwin)
            let changed = [status.st_mtimespec, status.st_ctimespec]
        #else
            let changed = [status.st_mtim, status.st_ctim]
        #endif
        return [Int(truncatingIfNeeded: status.st_ino), Int(status.st_size)]
            + changed.flatMap { [$0.tv_sec, $0.tv_nsec] }
    }

    private static func copyBytes(of path: String, to copy: String, isNew: Bool) throws {
        let from = open(path, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else { throw failed("\(path) cannot be read") }
        defer { close(from) }
        let to = open(copy, O_WRONLY | (isNew ? O_CREAT | O_EXCL : 0) | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard to >= 0 else { throw failed("\(copy) cannot be made") }
        defer { close(to) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(from, &bytes, bytes.count)
            guard count >= 0 else { throw failed("\(path) cannot be read") }
            guard count > 0 else { return }
            var done = 0
            while done < count {
                let written = bytes.withUnsafeBytes { write(to, $0.baseAddress.map { $0 + done }, count - done) }
                guard written > 0 else { throw failed("\(copy) cannot be written") }
                done += written
            }
        }
    }

    /// Checks that a server could use the copy.
    /// - Throws: `misconfigured` when it could not.
    private func check(_ copy: Database) throws {
        guard try Int32.fetchOne(copy, sql: "PRAGMA application_id") == Migrations.applicationID else {
            throw AuthError(.misconfigured, "\(path) is no database of rest-auth")
        }
        let fault = try String.fetchOne(copy, sql: "PRAGMA integrity_check(1)") ?? "nothing in it can be read"
        guard fault == "ok" else {
            throw AuthError(.misconfigured, "the database \(path) is damaged: \(fault.replacing("\n", with: " "))")
        }
        try Migrations.refuseNewer(copy, path: path)
        try Migrations.refuseUnfinished(copy, path: path)
    }
}

// MARK: - Looking into it

extension SQLiteFile {
    /// Reads the database without changing it, and leaves the files beside it as they were. If a
    /// process was killed while it wrote, its unfinished transaction is rolled back first, as for
    /// every reader.
    func look<Value>(_ body: (Database) throws -> Value) throws -> Value {
        do {
            return try lookOnce(body)
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_READONLY_ROLLBACK {
            let queue = try DatabaseQueue(path: path, configuration: SQLiteStorage.configuration)
            _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
            try queue.close()
            return try lookOnce(body)
        }
    }

    private func lookOnce<Value>(_ body: (Database) throws -> Value) throws -> Value {
        let hadLog = hasLog
        defer { if !hadLog { clearLog() } }
        var configuration = SQLiteStorage.configuration
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read(body)
    }

    private var hasLog: Bool { Self.exists(path + "-wal") }

    /// Removes an empty write-ahead log unless the database is in use. A read-only connection makes
    /// one and leaves it; the last connection that may write removes it when it is closed.
    private func clearLog() {
        guard hasLog, let queue = try? DatabaseQueue(path: path, configuration: SQLiteStorage.configuration) else {
            return
        }
        _ = try? queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
        try? queue.close()
    }
}

// MARK: - Names

extension SQLiteFile {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Whether there is a readable file.
    /// - Throws: `misconfigured` for a file that this process may not read or look up.
    static func isThere(_ path: String) throws -> Bool {
        guard access(path, R_OK) != 0 else { return true }
        guard errno != ENOENT, let problem = FileAccess.problem(path, mode: R_OK, remedy: .otherUser) else {
            return false
        }
        throw AuthError(.misconfigured, "\(path) cannot be read: \(problem)")
    }

    static func isSame(_ path: String, _ other: String) -> Bool {
        var (one, two) = (stat(), stat())
        return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino
    }

    /// Checks that a new file could have the owner of the one it replaces.
    /// - Throws: `misconfigured` when it could not.
    static func requireOwner(of path: String) throws {
        let process = FileOwner.process
        guard let owner = FileOwner(of: path), owner.user != process.user, process.user != 0 else { return }
        throw AuthError(
            .misconfigured,
            """
            \(path) belongs to \(owner.userName), and what \(process.userName) puts in its place would not: \
            \(owner.advice)
            """
        )
    }

    /// Gives a new file the owner and mode of the one it is to replace.
    private static func keepOwner(of path: String, on descriptor: Int32) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            _ = FileOwner.handOver(descriptor, madeAt: path)
            return
        }
        var mode = status.st_mode & 0o660 | 0o600
        if fchown(descriptor, status.st_uid, status.st_gid) != 0 {
            try requireOwner(of: path)
            // If the group cannot be kept, no group gets access.
            mode = 0o600
        }
        guard fchmod(descriptor, mode) == 0 else { throw failed("the mode of \(path) cannot be kept") }
    }

    private static func emptyFile(for path: String) throws -> NewFile {
        do throws(SystemError) {
            return try NewFile(for: path)
        } catch {
            let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
            guard let problem = FileAccess.problem(directory, mode: W_OK | X_OK, remedy: .otherUser) else {
                throw failed("no file can be made beside \(path)", error)
            }
            throw AuthError(.misconfigured, "no file can be made beside \(path): \(problem)")
        }
    }

    static func put(_ copy: NewFile, at name: String, isReplacing: Bool) throws {
        do throws(SystemError) {
            try copy.put(isReplacing: isReplacing)
        } catch {
            guard error.code != EEXIST else { throw taken(name) }
            throw failed("\(name) cannot be \(isReplacing ? "replaced" : "made")", error)
        }
    }

    static func taken(_ name: String) -> AuthError {
        AuthError(.misconfigured, "\(name) exists already and was left untouched; --force replaces it")
    }

    static func failed(_ what: String, _ error: SystemError = SystemError()) -> AuthError {
        AuthError(.misconfigured, "\(what): \(error.reason)")
    }
}
