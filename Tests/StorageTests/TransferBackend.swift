import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite
import Support
import Testing

// MARK: - Backends

/// A backend to move from or into.
struct TransferBackend: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Makes an empty database.
    let place: @Sendable (_ directory: TemporaryDirectory, _ name: String) async throws -> TransferPlace

    static let all = [sqlite, postgres]

    static let sqlite = TransferBackend(testDescription: "SQLite") { directory, name in
        let path = "\(directory.path)/\(name).sqlite"
        return TransferPlace(
            open: { try await SQLiteStorage(path: path) },
            openToFill: { try await SQLiteStorage(filling: path) })
    }

    static let postgres = TransferBackend(testDescription: "PostgreSQL") { directory, _ in
        let configuration = PostgresConfiguration(url: try await directory.makePostgresDatabase())
        return TransferPlace(
            open: { try await PostgresStorage(configuration) },
            openToFill: { try await PostgresStorage(filling: configuration) })
    }
}

/// A database, opened as often as a test needs.
struct TransferPlace: Sendable {
    let open: @Sendable () async throws -> any Storage & TransferableStorage
    let openToFill: @Sendable () async throws -> any TransferableStorage
}

struct TransferPair: Sendable, CustomTestStringConvertible {
    let source: TransferBackend
    let target: TransferBackend

    var testDescription: String { "\(source.testDescription) to \(target.testDescription)" }

    static let all = TransferBackend.all.flatMap { source in
        TransferBackend.all.map { TransferPair(source: source, target: $0) }
    }
}
