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

/// The storage in one SQLite file, for one machine.
///
/// Write-ahead log, `synchronous = FULL`: what was acknowledged survives a crash and a loss of
/// power. Several processes on the machine may use the file at once. The file is made with mode
/// 0600. Beside it lies the instance's secret, `NAME.secret`, also 0600.
public struct SQLiteStorage: Storage {
    package let database: any DatabaseWriter
    /// `nil` in memory.
    let path: String?
    /// Whether the file was made when this was opened.
    private let isNew: Bool
    private let writer: GroupCommit
    private let metrics = StorageMetrics()

    /// Opens the file at `path` and brings its schema up to date.
    /// - Parameters:
    ///   - path: of the file.
    ///   - createsMissing: whether to make the file when there is none.
    /// - Throws: `misconfigured` when the file is not a rest-auth database, was made by a newer
    ///   version, is only partly filled from another database, or cannot be opened.
    public init(path: String, createsMissing: Bool = true) async throws {
        guard createsMissing || access(path, F_OK) == 0 else {
            throw AuthError(.misconfigured, "there is no database \(path)")
        }
        try self.init(path: path, admitsUnfinished: false)
    }

    /// Opens the file at `path`, made when there is none, for a ``Transfer`` to fill it, or to go
    /// on filling it.
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

    /// A database in memory that ends with this value: for tests and trials.
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
        // Rows far apart in a large file are read from the system's cache in place, not copied page
        // by page.
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA mmap_size = \(1 << 30)") }
        return configuration
    }

    /// Another process holds the write lock for milliseconds; five seconds is a fault.
    ///
    /// Asked every two milliseconds: SQLite's own timeout soon asks ten times a second only, and an
    /// import, which takes the lock again at once, would be met with the lock in its hand each
    /// time.
    private static let waitForLock: @Sendable (_ tries: Int) -> Bool = { tries in
        usleep(2000)
        return tries < 2500
    }

    // MARK: The file

    /// Makes sure that ``init(path:createsMissing:)`` would succeed, without making or changing
    /// anything.
    /// - Returns: the signing keys that are there, as far as the schema is of this version.
    /// - Throws: `misconfigured`, as that would.
    package static func checkUsable(path: String) throws -> [StoredSigningKey] {
        guard access(path, F_OK) == 0 else {
            if let problem = SQLiteFile(path).directoryProblem { throw cannotBeMade(path, problem) }
            return []
        }
        try checkWritable(path)
        do {
            try checkIdentity(of: path)
            return try SQLiteFile(path).look { database in
                try Migrations.refuseNewer(database, path: path)
                try Migrations.refuseUnfinished(database, path: path)
                return try Migrations.migrator.hasCompletedMigrations(database) ? database.signingKeys() : []
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
        // Behind a closed door there may be one.
        let what = access(path, F_OK) != 0 && errno == EACCES ? "reached" : "made"
        return AuthError(.misconfigured, "the database \(path) cannot be \(what): \(reason)")
    }

    /// Without a pause from the lock to its release: who waits for the lock holds a thread, and
    /// whoever has it must not need one more.
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
    /// - Returns: whether it was made.
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

    /// Refuses a file that belongs to another program, before anything is written to it: opening a
    /// pool already writes.
    static func checkIdentity(of path: String) throws {
        let isForeign = try SQLiteFile(path).look { database in
            let identity = try Int32.fetchOne(database, sql: "PRAGMA application_id")
            // The table that the migrations are noted in comes before the first of them: one who
            // was killed in between has left nothing else.
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
        // Somebody else has it, for now.
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
    /// Under the lock that whoever opens the file takes: who comes later makes another, with
    /// another secret.
    package func abandon(_ secrets: InstanceSecrets?) {
        guard isNew, let path else { return closeDatabase() }
        let lock = DirectoryLock(of: path)
        defer { lock.release() }
        // In this order: nobody can put anything in who has not opened it before.
        let isUnused = SQLiteFile(path).occupant == nil && (try? read { try $0.hasNothingButKeys() }) == true
        closeDatabase()
        guard isUnused else { return }
        Self.deleteFile(path)
        secrets?.takeBack()
    }

    /// The connection that writes is the last: it clears the side files away.
    package func closeDatabase() {
        (database as? DatabasePool)?.invalidateReadOnlyConnections()
        try? database.close()
    }
}

extension Database {
    /// Whether nobody has stored anything: a start by itself makes a signing key, and records it.
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
    /// Runs one SELECT on the calling thread: a look-up takes microseconds, less than handing it to
    /// another thread would.
    ///
    /// "Unsafe" in GRDB's words means without a transaction around it. One statement is one
    /// snapshot all the same; two would not be.
    func read<Value>(_ value: (Database) throws -> Value) throws -> Value {
        do {
            return try metrics.measure(.read) { try database.unsafeRead(value) }
        } catch let error as DatabaseError {
            throw Self.unavailable(error)
        }
    }

    /// Writes all or nothing, on the one thread that writes; on disk when it returns.
    func write<Value: Sendable>(_ updates: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await metrics.measure(.write) { try await writer.write(updates) }
        } catch let error as DatabaseError {
            throw Self.unavailable(error)
        }
    }

    /// Deletes rows that are of no use any more.
    /// - Parameters:
    ///   - table: whose rows.
    ///   - key: the columns that tell them apart.
    ///   - condition: when a row is of no use; `?1` is the date.
    ///   - limit: how many at most.
    /// - Returns: how many there were.
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
        // The index of the log is a file as well, and no write but its size.
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: Shortage.noticeDisk()
        case .SQLITE_CANTOPEN where Shortage.isOutOfFiles: break
        default: log(error)
        }
        return AuthError(.storageUnavailable, "the storage does not answer at the moment", retryAfter: 1)
    }

    private static func log(_ error: DatabaseError) {
        // The message stays here: it can name files and columns.
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

    /// The first row of a statement that is prepared once per connection.
    func row<Value>(_ sql: String, _ arguments: StatementArguments, _ value: (Row) throws -> Value) throws -> Value? {
        try Row.fetchOne(cachedStatement(sql: sql), arguments: arguments).map(value)
    }

    /// The rows of a statement that is prepared once per connection.
    func rows<Value>(
        _ sql: String, _ arguments: StatementArguments = StatementArguments(), _ value: (Row) throws -> Value
    ) throws
        -> [Value]
    {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: arguments).map(value)
    }
}
