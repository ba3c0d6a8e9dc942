import Foundation
import Synchronization

/// A PostgreSQL for tests: a cluster in a temporary directory that is removed with this object.
public final class PostgresServer: Sendable {
    private let directory: TemporaryDirectory
    public let port: Int
    private let process = Mutex<ExternalProcess?>(nil)
    private let options: [String]
    private let databases = Atomic(0)
    /// Databases that are no longer needed, kept for other tests: each has 7 MB and 300 files, and
    /// there are hundreds of tests.
    private let used = Mutex<[String]>([])

    // Data need not survive a crash of the machine, nor be kept for long.
    private static let starting = Task {
        try await PostgresServer(options: ["-c", "fsync=off", "-c", "max_wal_size=256MB", "-c", "max_connections=800"])
    }

    /// The server for all tests that only need a database; it ends with the test process.
    public static func shared() async throws -> PostgresServer { try await starting.value }

    /// Makes a cluster and starts it.
    /// - Parameter options: flags of `postgres`.
    public init(options: [String] = []) async throws {
        directory = try TemporaryDirectory()
        port = try FreePort.next()
        self.options = options
        // PostgreSQL does not run as root.
        chmod(directory.path, 0o777)
        let made = try Self.start(
            "initdb", ["-D", dataPath, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], in: directory)
        guard try await made.exitStatus() == 0 else { throw ServerEnded(log: made.errorText) }
        try await start()
    }

    /// Makes a standby of another server, and starts it.
    public init(standbyOf primary: PostgresServer) async throws {
        directory = try TemporaryDirectory()
        port = try FreePort.next()
        options = []
        chmod(directory.path, 0o777)
        let made = try Self.start(
            "pg_basebackup",
            [
                "-D", dataPath, "-h", primary.host, "-p", "\(primary.port)", "-U", "postgres", "-R", "-c", "fast",
                "--no-sync",
            ], in: directory)
        guard try await made.exitStatus() == 0 else { throw ServerEnded(log: made.errorText) }
        try await start()
    }

    deinit { process.withLock { $0?.send(SIGQUIT) } }

    public var dataPath: String { directory.path + "/data" }
    /// The directory of its socket.
    public var host: String { directory.path }

    public func start() async throws {
        let started = try Self.start(
            "postgres",
            ["-D", dataPath, "-p", "\(port)", "-k", directory.path, "-c", "listen_addresses=127.0.0.1"] + options,
            in: directory)
        process.withLock { $0 = started }
        try await wait(for: "PostgreSQL to answer") {
            guard started.isRunning else { throw ServerEnded(log: started.errorText) }
            return (try? await execute("SELECT 1")) != nil
        }
    }

    /// Ends it as a crash would: no transaction is finished and nothing more is written.
    public func crash() async throws { try await end(SIGQUIT) }

    /// Shuts it down cleanly, closing every connection.
    public func end() async throws { try await end(SIGINT) }

    private func end(_ signal: Int32) async throws {
        let process = process.withLock { process in
            defer { process = nil }
            return process
        }
        try await process?.end(signal)
    }

    /// Makes an empty database, and returns its URL.
    public func makeDatabase() async throws -> String {
        let name = "test_\(databases.add(1, ordering: .relaxed).newValue)"
        let emptying = """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
            AND pid <> pg_backend_pid();
            DROP SCHEMA public CASCADE;
            CREATE SCHEMA public AUTHORIZATION pg_database_owner;
            GRANT USAGE ON SCHEMA public TO PUBLIC
            """
        while let used = self.used.withLock({ $0.popLast() }) {
            guard (try? await execute(emptying, at: used)) != nil else { continue }
            // The database gets a new name, so that users of the old one do not find it.
            try await execute("ALTER DATABASE \(Self.name(in: used)) RENAME TO \(name)")
            return url(name)
        }
        try await execute("CREATE DATABASE \(name)")
        return url(name)
    }

    /// Takes back a database that it has made.
    func takeBack(_ url: String) { used.withLock { $0.append(url) } }

    /// The URL of a database over the socket.
    public func url(_ database: String, user: String = "postgres") -> String {
        "postgres://\(user)@/\(database)?host=\(directory.path)&port=\(port)"
    }

    /// The URL of a database over the network, or through a proxy.
    public func networkURL(
        _ database: String, user: String = "postgres", host: String = "127.0.0.1", port: Int? = nil,
        options: String = ""
    ) -> String {
        "postgres://\(user)@\(host):\(port ?? self.port)/\(database)?\(options)"
    }

    /// The name of the database in a URL.
    public static func name(in url: String) -> String {
        String(url.prefix { $0 != "?" }.split(separator: "/").last ?? "")
    }

    /// Runs SQL with `psql` and returns what it prints, without headings.
    @discardableResult
    public func execute(_ sql: String, database: String = "postgres") async throws -> String {
        try await execute(sql, at: url(database))
    }

    /// Runs SQL in the database of that URL.
    @discardableResult
    public func execute(_ sql: String, at url: String) async throws -> String {
        let process = try psql(at: url, ["-v", "ON_ERROR_STOP=1", "-c", sql])
        guard try await process.exitStatus() == 0 else { throw ServerEnded(log: process.errorText) }
        return process.outputText.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A session that stays open and takes lines of SQL, until its input is closed.
    public func session(at url: String? = nil) throws -> ExternalProcess {
        try psql(at: url ?? self.url("postgres"), [], input: .lines)
    }

    private func psql(at url: String, _ arguments: [String], input: ExternalProcess.Input = .nothing) throws
        -> ExternalProcess
    {
        try ExternalProcess(
            Self.program("psql"),
            ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-d", url] + arguments,
            directory: directory, input: input)
    }

    /// Runs a program as the user of the server: for programs that need its files or refuse to run
    /// as root.
    public func run(_ name: String, _ arguments: [String]) throws -> ExternalProcess {
        try Self.start(name, arguments, in: directory)
    }

    /// Finds a program of the server, which Debian keeps in a directory for each version.
    private static func program(_ name: String) throws -> URL {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        for version in versions.sorted(by: { $0.compare($1, options: .numeric) == .orderedDescending }) {
            let path = "/usr/lib/postgresql/\(version)/bin/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return URL(fileURLWithPath: path) }
        }
        return try ExternalProcess.program(name)
    }

    private static func start(_ name: String, _ arguments: [String], in directory: TemporaryDirectory) throws
        -> ExternalProcess
    {
        let program = try program(name)
        guard geteuid() == 0 else { return try ExternalProcess(program, arguments, directory: directory) }
        return try ExternalProcess(
            ExternalProcess.program("setpriv"),
            ["--reuid", "postgres", "--regid", "postgres", "--clear-groups", program.path] + arguments,
            directory: directory)
    }
}
