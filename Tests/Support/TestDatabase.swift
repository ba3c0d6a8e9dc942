import Foundation
import Synchronization

/// The database of a test's servers: a SQLite file beside them, or a database of the tests'
/// PostgreSQL when `TEST_DATABASE` is `postgres`.
public final class TestDatabase: Sendable {
    /// The value for `--database`.
    public let url: String
    /// The directory with the secret.
    private let directory: String
    /// A copy that can be restored.
    private let copy = Mutex<[String: Data]>([:])

    /// Whether the tests' servers use PostgreSQL unless a test says otherwise.
    public static let isOnPostgres = ProcessInfo.processInfo.environment["TEST_DATABASE"] == "postgres"

    init(in directory: String, url: String? = nil) throws {
        self.directory = directory
        self.url = url ?? "sqlite:\(directory)/rest-auth.sqlite"
        guard isPostgres else { return }
        // Every node is given the same secret.
        let secret = directory + "/rest-auth.secret"
        try Data((UUID().uuidString + UUID().uuidString).utf8).write(to: URL(fileURLWithPath: secret))
        chmod(secret, 0o600)
    }

    private var isPostgres: Bool { url.hasPrefix("postgres:") }

    /// The environment that a program needs beside the URL.
    public var environment: [String: String] {
        isPostgres ? ["SECRET_KEY_FILE": directory + "/rest-auth.secret"] : [:]
    }

    // MARK: Direct access to the data

    private var file: String { directory + "/rest-auth.sqlite" }
    private var name: String { String(url.dropFirst("postgres://postgres@/".count).prefix { $0 != "?" }) }

    /// All stored data, as it is on disk.
    public func storedBytes() async throws -> Data {
        guard isPostgres else { return try read(["", "-wal"]).values.reduce(Data(), +) }
        let server = try await PostgresServer.shared()
        try await server.execute("CHECKPOINT")
        let paths = try await server.execute(
            """
            SELECT pg_relation_filepath(oid) FROM pg_class
            WHERE relnamespace::regnamespace::text IN ('public', 'pg_toast') AND relkind IN ('r', 'i', 't')
            """, database: name)
        return try paths.split(separator: "\n").reduce(into: Data()) { bytes, path in
            try bytes.append(Data(contentsOf: URL(fileURLWithPath: "\(server.dataPath)/\(path)")))
        }
    }

    /// Makes a copy; no server may be running on the database.
    public func keepCopy() async throws {
        guard isPostgres else { return copy.withLock { $0 = (try? read(["", "-wal"])) ?? [:] } }
        let server = try await PostgresServer.shared()
        try await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
        try await server.execute("CREATE DATABASE \(name)_copy TEMPLATE \(name)")
    }

    /// Restores the copy; no server may be running on the database.
    public func putCopyBack() async throws {
        guard isPostgres else {
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + suffix) }
            for (suffix, bytes) in copy.withLock({ $0 }) { try bytes.write(to: URL(fileURLWithPath: file + suffix)) }
            return
        }
        let server = try await PostgresServer.shared()
        try await server.execute("DROP DATABASE \(name) WITH (FORCE)")
        try await server.execute("ALTER DATABASE \(name)_copy RENAME TO \(name)")
    }

    private func read(_ suffixes: [String]) throws -> [String: Data] {
        let present = suffixes.filter { FileManager.default.fileExists(atPath: file + $0) }
        return try Dictionary(
            uniqueKeysWithValues: present.map { ($0, try Data(contentsOf: URL(fileURLWithPath: file + $0))) })
    }
}
