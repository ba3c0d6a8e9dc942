import Foundation
package import GRDB
import Logging
public import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Storage in one SQLite file, for one machine.
///
/// The file is in write-ahead mode with `synchronous = FULL`: acknowledged writes survive a crash
/// and a power loss. Several processes on the machine may use it at the same time. It is made with
/// mode 0600, as is the instance's secret beside it, `NAME.secret`.
public struct SQLiteStorage: Storage {
    package let database: any DatabaseWriter
    /// Path of the file; `nil` for a database in memory.
    let path: String?
    /// Whether this instance made the file.
    private let isNew: Bool
    private let writer: GroupCommit
    private let metrics = StorageMetrics()

    /// Opens the file at `path` and brings its schema up to date.
    /// - Parameters:
    ///   - path: the path of the file.
    ///   - createsMissing: whether to make the file when it is missing.
    /// - Throws: `misconfigured` when the file is not a rest-auth database, was made by a newer
    ///   version, is only partly filled from another database, or cannot be opened.
    public init(path: String, createsMissing: Bool = true) async throws {
        guard createsMissing || access(path, F_OK) == 0 else {
            throw AuthError(.misconfigured, "there is no database \(path)")
        }
        try self.init(path: path, admitsUnfinished: false)
    }

    /// Opens the file at `path`, making it when it is missing, for a ``Transfer`` to fill it or to
    /// continue filling it.
    package init(filling path: String) async throws {
        try self.init(path: path, admitsUnfinished: true)
    }

    private init(path: String, admitsUnfinished: Bool) throws {
        let (pool, isNew) = try Self.openFile(path, admitsUnfinished: admitsUnfinished)
        database = pool
        self.path = path
        self.isNew = isNew
        writer = GroupCommit(database: pool)
    }

    /// Makes a database in memory, which lives as long as this value: for tests and trials.
    public init() async throws {
        let queue = try DatabaseQueue(configuration: Self.configuration)
        try Self.migrate(queue, path: "in memory")
        database = queue
        path = nil
        isNew = false
        writer = GroupCommit(database: queue)
    }

    public func instanceSecrets() throws -> InstanceSecrets? {
        guard let path else { return InstanceSecrets(InstanceSecret()) }
        return try InstanceSecrets(
            file: SQLiteFile(path).secretFile, makesMissing: read { try $0.signingKeys().isEmpty })
    }

    package static var configuration: Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .callback(waitForLock)
        configuration.label = "rest-auth"
        // Pages far apart in a large file are read in place from the system's cache, not copied.
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA mmap_size = \(1 << 30)") }
        return configuration
    }

    /// Waits up to five seconds for the lock of another process, which holds it for milliseconds.
    ///
    /// The lock is tried every two milliseconds: SQLite's own timeout soon tries only ten times a
    /// second, and would find the lock taken each time by an import, which takes it again at once.
    private static let waitForLock: @Sendable (_ tries: Int) -> Bool = { tries in
        usleep(2000)
        return tries < 2500
    }

    // MARK: The file

    /// Checks that ``init(path:createsMissing:)`` would succeed, without making or changing
    /// anything.
    /// - Returns: the stored signing keys, if the schema is of this version; otherwise none.
    /// - Throws: `misconfigured`, as the initialiser would.
    package static func checkUsable(
        path: String
    ) throws -> (keys: [StoredSigningKey], boundRelyingParty: String?) {
        guard access(path, F_OK) == 0 else {
            if let problem = SQLiteFile(path).directoryProblem { throw cannotBeMade(path, problem) }
            return ([], nil)
        }
        try checkWritable(path)
        do {
            try checkIdentity(of: path)
            return try SQLiteFile(path).look { database in
                try Migrations.refuseNewer(database, path: path)
                try Migrations.refuseUnfinished(database, path: path)
                guard try Migrations.migrator.hasCompletedMigrations(database) else { return ([], nil) }
                return try (database.signingKeys(), database.boundRelyingParty())
            }
        } catch {
            throw unusable(path, error)
        }
    }

    private static func checkWritable(_ path: String) throws(AuthError) {
        if let problem = SQLiteFile(path).accessProblem {
            throw AuthError(.misconfigured, "the database \(path) cannot be opened: \(problem)")
        }
    }

    private static func cannotBeMade(_ path: String, _ reason: String) -> AuthError {
        // In a directory that cannot be searched, the file may exist.
        let what = access(path, F_OK) != 0 && errno == EACCES ? "reached" : "made"
        return AuthError(.misconfigured, "the database \(path) cannot be \(what): \(reason)")
    }

    /// Opens the file under the directory's lock, and does not suspend while it holds it: waiters
    /// for the lock block their threads, and the holder must not need another one.
    private static func openFile(_ path: String, admitsUnfinished: Bool) throws -> (DatabasePool, isNew: Bool) {
        let lock = DirectoryLock(of: path)
        defer { lock.release() }
        let isNew = try createFile(path)
        if let problem = SQLiteFile(path).networkProblem { Logger.current.warning("\(problem)") }
        do {
            if !isNew { try checkIdentity(of: path) }
            let pool = try DatabasePool(path: path, configuration: configuration)
            // Here and not in the configuration: opening a pool sets NORMAL after its preparation
            // has run.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try migrate(pool, path: path)
            if !admitsUnfinished { try pool.read { try Migrations.refuseUnfinished($0, path: path) } }
            return (pool, isNew)
        } catch {
            if isNew { deleteFile(path) }
            throw unusable(path, error)
        }
    }

    /// Makes an empty file that only its owner can read, unless there is a file. SQLite gives its
    /// side files the same mode.
    /// - Returns: whether the file was made.
    private static func createFile(_ path: String) throws(AuthError) -> Bool {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            defer { close(descriptor) }
            if let owner = FileOwner.handOver(descriptor, madeAt: path) {
                Logger.current.warning(
                    "\(path) belongs to \(owner.userName), as its directory does, and so will what lies beside it")
            }
            return true
        }
        let code = errno
        guard access(path, F_OK) == 0 else {
            throw cannotBeMade(path, SQLiteFile(path).directoryProblem ?? String(cString: strerror(code)))
        }
        try checkWritable(path)
        return false
    }

    private static func deleteFile(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }

    /// Refuses a file of another program, before anything is written to it: opening a pool writes
    /// already.
    static func checkIdentity(of path: String) throws {
        let isForeign = try SQLiteFile(path).look { database in
            let identity = try Int32.fetchOne(database, sql: "PRAGMA application_id")
            // The table of applied migrations is made before the first migration; a process killed
            // in between has left nothing else.
            let tables = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'grdb_migrations'")
            let isEmpty = tables == 0
            return identity != Migrations.applicationID && !isEmpty
        }
        guard !isForeign else {
            throw AuthError(.misconfigured, "\(path) is a database of another program; it was left untouched")
        }
    }

    private static func migrate(_ database: any DatabaseWriter, path: String) throws {
        let earlier = try database.read { database in
            try Migrations.refuseNewer(database, path: path)
            return try Migrations.migrator.appliedMigrations(database).count
        }
        try Migrations.migrator(from: earlier).migrate(database)
    }

    static func unusable(_ path: String, _ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        // Another process has locked it, for now.
        let isLocked = [.SQLITE_BUSY, .SQLITE_LOCKED].contains(error.resultCode)
        let file = SQLiteFile(path)
        let reason =
            switch error.resultCode {
            case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM: file.accessProblem
            case .SQLITE_IOERR, .SQLITE_PROTOCOL: file.networkProblem
            default: String?.none
            }
        return AuthError(
            isLocked ? .storageUnavailable : .misconfigured,
            "the database \(path) cannot be used: \(reason ?? error.message ?? "\(error.resultCode)")")
    }
}

extension SQLiteStorage: FileStorage {
    /// Removes a new and unused file under the lock that every process takes to open it; a process
    /// that comes later makes another file with another secret.
    package func abandon(_ secrets: InstanceSecrets?) {
        guard isNew, let path else { return closeDatabase() }
        let lock = DirectoryLock(of: path)
        defer { lock.release() }
        // In this order: a process that has not opened the file before cannot store anything
        // afterwards.
        let isUnused = SQLiteFile(path).occupant == nil && (try? read { try $0.hasNothingButKeys() }) == true
        closeDatabase()
        guard isUnused else { return }
        Self.deleteFile(path)
        secrets?.takeBack()
    }

    /// The writing connection is closed last, as it removes the side files.
    package func closeDatabase() {
        (database as? DatabasePool)?.invalidateReadOnlyConnections()
        try? database.close()
    }
}

extension Database {
    /// Whether nothing was stored apart from the signing key that a start makes, and its event.
    fileprivate func hasNothingButKeys() throws -> Bool {
        try Rooms.tables.allSatisfy { table in
            let condition =
                switch table.firstRows {
                case .none: "true"
                case .any: "false"
                case .having(let column, let text): "\(column) <> '\(text)'"
                }
            return try row("SELECT 1 FROM \(table.name) WHERE \(condition) LIMIT 1", []) { _ in true } == nil
        }
    }
}

// MARK: - Statements

extension SQLiteStorage {
    /// Runs one SELECT on the calling thread: a query takes microseconds, less than handing it to
    /// another thread.
    ///
    /// "Unsafe" in GRDB means without a transaction. One statement is one snapshot nevertheless;
    /// two would not be.
    func read<Value>(_ value: (Database) throws -> Value) throws -> Value {
        do {
            return try metrics.measure(.read) { try database.unsafeRead(value) }
        } catch let error as DatabaseError {
            throw Self.unavailable(error)
        }
    }

    /// Runs updates as one transaction on the writing thread; it is on disk when this returns.
    func write<Value: Sendable>(_ updates: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await metrics.measure(.write) { try await writer.write(updates) }
        } catch let error as DatabaseError {
            throw Self.unavailable(error)
        }
    }

    /// Deletes rows that are not needed any more.
    /// - Parameters:
    ///   - table: the table.
    ///   - key: the columns of the primary key.
    ///   - condition: the condition of rows to delete; `?1` is the date.
    ///   - limit: the number of rows to delete at most.
    /// - Returns: the number of deleted rows.
    func delete(
        from table: String, by key: String, where condition: String, _ date: Date, limit: Int
    ) async throws -> Int {
        try await write { database in
            try database.run(
                "DELETE FROM \(table) WHERE (\(key)) IN (SELECT \(key) FROM \(table) WHERE \(condition) LIMIT ?2)",
                [date.timeIntervalSince1970, limit])
            return database.changesCount
        }
    }

    static func unavailable(_ error: DatabaseError) -> AuthError {
        StorageMetrics.countError()
        switch error.resultCode {
        case .SQLITE_FULL: Shortage.noticeDisk()
        // The index of the log is a file too; only growing it fails when the disk is full.
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: Shortage.noticeDisk()
        case .SQLITE_CANTOPEN where Shortage.isOutOfFiles: break
        default: log(error)
        }
        return AuthError(.storageUnavailable, "the storage does not answer at the moment", retryAfter: 1)
    }

    private static func log(_ error: DatabaseError) {
        // The message is logged only, as it can name files and columns.
        Logger.current.error(
            "the database failed",
            metadata: ["code": "\(error.extendedResultCode.rawValue)", "message": "\(error.message ?? "-")"])
    }
}

extension Database {
    /// Runs a statement that is prepared once per connection.
    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// Returns the first row of a statement that is prepared once per connection.
    func row<Value>(_ sql: String, _ arguments: StatementArguments, _ value: (Row) throws -> Value) throws -> Value? {
        let rows = try Rows(cachedStatement(sql: sql), arguments: arguments)
        return try withExtendedLifetime(rows) { try rows.next().map(value) }
    }

    /// Returns the rows of a statement that is prepared once per connection.
    func rows<Value>(
        _ sql: String, _ arguments: StatementArguments = StatementArguments(), _ value: (Row) throws -> Value
    ) throws -> [Value] {
        let rows = try Rows(cachedStatement(sql: sql), arguments: arguments)
        return try withExtendedLifetime(rows) {
            var values: [Value] = []
            while let row = try rows.next() { values.append(try value(row)) }
            return values
        }
    }
}
