import Foundation
import GRDB
public import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The users in another program's SQLite file, which is only read.
///
/// Values are read as bytes, so that a name that is not text, or contains a zero byte, is not
/// mistaken for the part before it.
public actor ForeignUsers: UserSource {
    private let database: DatabaseQueue
    private let table: Table
    private let total: Int
    private var done = 0
    private var lastRow: Int64 = .min

    /// Opens the users of a Flask server like the original one: table `users`, or `user` as
    /// Flask-SQLAlchemy names it, with `id`, `username` and `password_hash`. The ids are also those
    /// in the server's tokens.
    /// - Throws: `misconfigured` when there is no such file or table.
    public init(ofFlask path: String) throws {
        try self.init(path, Table.flask)
    }

    /// Opens the users of a Django project: table `auth_user` with `id`, `username`, `password`,
    /// `is_active` and `date_joined`.
    /// - Throws: `misconfigured` when there is no such file or table.
    public init(ofDjango path: String) throws {
        try self.init(path, [Table.django])
    }

    private init(_ path: String, _ tables: [Table]) throws {
        do {
            database = try ForeignFile(path).open()
            (table, total) = try database.read { database in
                // A database of rest-auth has a table `users` too.
                guard try Int32.fetchOne(database, sql: "PRAGMA application_id") != Migrations.applicationID else {
                    throw AuthError(.misconfigured, "\(path) is a database of rest-auth: rest-auth migrate moves those")
                }
                guard let table = try tables.first(where: { try $0.isThere(in: database) }) else {
                    throw AuthError(
                        .misconfigured, "\(path) has no table \(tables.map(\.description).joined(separator: " or "))")
                }
                return (table, try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table.quotedName)") ?? 0)
            }
        } catch let error as DatabaseError {
            throw Self.unreadable(path, error)
        }
    }

    public func next(_ limit: Int) throws -> ImportBatch {
        do {
            let rows = try database.read { database in
                try GRDB.Row.fetchAll(database.cachedStatement(sql: table.selection), arguments: [lastRow, limit])
            }
            let entries = rows.map { row in
                done += 1
                return table.entry(row, number: done)
            }
            if let last = rows.last { lastRow = last["row"] }
            return ImportBatch(entries: entries, done: done, total: max(done, total))
        } catch let error as DatabaseError {
            throw Self.unreadable(database.path, error)
        }
    }

    private static func unreadable(_ path: String, _ error: DatabaseError) -> AuthError {
        let reason =
            switch error.resultCode {
            case .SQLITE_NOTADB: "is no SQLite database"
            case .SQLITE_CORRUPT: "is damaged: \(error.message ?? "-")"
            default: "cannot be read: \(error.message ?? "\(error.resultCode)")"
            }
        return AuthError(.misconfigured, "\(path) \(reason)")
    }
}

// MARK: - The file

/// A file of another program, opened so that nothing is written to it or beside it.
///
/// When SQLite reads a database with a log beside it, it writes the log's index, or the log into
/// the database. Such a database is copied first and the copy is read; its name is removed as soon
/// as it is open.
private struct ForeignFile {
    let path: String

    init(_ path: String) throws(AuthError) {
        self.path = path
        guard access(path, F_OK) == 0 else { throw AuthError(.misconfigured, "there is no file \(path)") }
        do {
            _ = try RegularFile(path)
        } catch {
            throw AuthError(.misconfigured, "\(path) cannot be read: \(error.reason)")
        }
    }

    func open() throws -> DatabaseQueue {
        let hasLog = try isInLogMode() || ["-wal", "-journal"].contains { access(path + $0, F_OK) == 0 }
        return try hasLog ? openCopy() : Self.open(path, isReadOnly: true)
    }

    private static func open(_ path: String, isReadOnly: Bool) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = isReadOnly
        configuration.busyMode = .timeout(5)
        configuration.label = "foreign users"
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Whether byte 18 of the header says so (SQLite's file format, section 1.3.3).
    private func isInLogMode() throws -> Bool {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw AuthError(.misconfigured, "\(path) cannot be read")
        }
        defer { try? file.close() }
        let header = try file.read(upToCount: 20) ?? Data()
        return header.count == 20 && header[18] == 2
    }

    private func openCopy() throws -> DatabaseQueue {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("rest-auth-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: directory) }
        let copy = directory.appendingPathComponent("copy").path
        let before = state
        for suffix in ["", "-wal", "-journal"] where access(path + suffix, F_OK) == 0 {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        guard before == state else {
            throw AuthError(
                .misconfigured, "\(path) was written to while it was copied: stop its server, and repeat the command")
        }
        // SQLite has to write to the copy to bring it up to date from its log.
        let queue = try Self.open(copy, isReadOnly: false)
        // The log is opened by the first query, and must still have its name then.
        _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
        return queue
    }

    /// Size, time, and inode of each file that is copied.
    private var state: [Data] {
        ["", "-wal", "-journal"].map { suffix in
            var status = stat()
            guard stat(path + suffix, &status) == 0 else { return Data() }
            return withUnsafeBytes(of: (status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino)) {
                Data($0)
            }
        }
    }
}

// MARK: - Tables

/// The table in which a program keeps its users.
private struct Table: Sendable {
    private let name: String
    private let hash: String
    /// Whether the table has `is_active` and `date_joined`.
    private let isDjango: Bool

    static let flask = ["users", "user"].map { Table(name: $0, hash: "password_hash", isDjango: false) }
    static let django = Table(name: "auth_user", hash: "password", isDjango: true)

    var quotedName: String { "\"\(name)\"" }
    private var columns: [String] { ["id", "username", hash] + (isDjango ? ["is_active", "date_joined"] : []) }

    func isThere(in database: Database) throws -> Bool {
        guard try database.tableExists(name) else { return false }
        return try Set(columns).isSubset(of: database.columns(in: name).map { $0.name.lowercased() })
    }

    var selection: String {
        let django = isDjango ? ", is_active, CAST(date_joined AS BLOB) AS date_joined" : ""
        return """
            SELECT rowid AS row, id, typeof(username) AS name_type, CAST(username AS BLOB) AS name,
                typeof(\(hash)) AS hash_type,
                CAST(\(hash) AS BLOB) AS hash\(django)
            FROM \(quotedName) WHERE rowid > ? ORDER BY rowid LIMIT ?
            """
    }

    func entry(_ row: GRDB.Row, number: Int) -> ImportBatch.Entry {
        guard case .int64(let id) = (row["id"] as DatabaseValue).storage else {
            return .unreadable(
                .row(number), reason: "the id is no whole number; a list without ids comes in with --csv")
        }
        let place = ImportPlace.id(id)
        guard let username = text(row, "name") else { return .unreadable(place, id: id, reason: "username is no text") }
        let hasNone = row["hash_type"] == "null"
        // Flask-Bcrypt and bcrypt return bytes, which SQLite stores as a blob even in a text
        // column.
        guard let passwordHash = hasNone ? "" : text(row, "hash", orBytes: true) else {
            return .unreadable(place, id: id, reason: "\(hash) is no text")
        }
        guard isDjango else {
            return .user(
                ForeignUser(place: place, id: id, legacyID: id, username: username, passwordHash: passwordHash))
        }
        guard case .int64(let isActive) = (row["is_active"] as DatabaseValue).storage else {
            return .unreadable(place, id: id, reason: "is_active is neither true nor false")
        }
        guard let joined = (row["date_joined"] as Data?).flatMap(ForeignUser.time) else {
            return .unreadable(place, id: id, reason: "date_joined is no time")
        }
        return .user(
            ForeignUser(
                place: place, id: id, username: username, passwordHash: passwordHash, createdAt: joined,
                isDisabled: isActive == 0))
    }

    private func text(_ row: GRDB.Row, _ column: String, orBytes isBytesToo: Bool = false) -> String? {
        guard row["\(column)_type"] == "text" || isBytesToo && row["\(column)_type"] == "blob",
            let bytes = row[column] as Data?
        else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension Table: CustomStringConvertible {
    var description: String { "\(name) with the columns \(columns.joined(separator: ", "))" }
}
