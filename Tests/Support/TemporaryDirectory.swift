import Foundation
import Synchronization

/// A directory that is removed with the last reference to it.
public final class TemporaryDirectory: Sendable {
    public let path: String

    private let databaseURL: String?
    private let lent = Mutex<[(server: PostgresServer, url: String)]>([])
    private let madeDatabase = Mutex<Task<TestDatabase, any Error>?>(nil)

    /// - Parameter database: URL of the database of the servers in it; `nil` for the backend under
    ///   test.
    public init(database: String? = nil) throws {
        databaseURL = database
        // A short path, because the path of a socket has at most 107 bytes.
        path = "\(Leftovers.directory)/\(UUID().uuidString.prefix(13))"
        guard mkdir(path, 0o700) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    deinit {
        for (server, url) in lent.withLock({ $0 }) { server.takeBack(url) }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A new database of the tests' PostgreSQL, which is given back with this directory.
    public func makePostgresDatabase() async throws -> String {
        let server = try await PostgresServer.shared()
        let url = try await server.makeDatabase()
        lent.withLock { $0.append((server, url)) }
        return url
    }

    /// The single database of the servers in this directory.
    public func database() async throws -> TestDatabase {
        let making = madeDatabase.withLock { made in
            let making = made ?? Task { try await makeDatabase() }
            made = making
            return making
        }
        return try await making.value
    }

    private func makeDatabase() async throws -> TestDatabase {
        if let databaseURL { return try TestDatabase(in: path, url: databaseURL) }
        guard TestDatabase.isOnPostgres else { return try TestDatabase(in: path) }
        return try await TestDatabase(in: path, url: makePostgresDatabase())
    }

    /// Names of the files in it, sorted, without the tests' own files.
    public var contents: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix("process-") }
            .sorted()
    }
}
