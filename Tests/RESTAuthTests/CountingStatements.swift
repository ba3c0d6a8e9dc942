import GRDB
import RESTAuthSQLite
import Synchronization

extension SQLiteStorage {
    /// What an operator can do by hand.
    func deleteAllSigningKeys() async throws {
        try await database.write { try $0.execute(sql: "DELETE FROM signing_keys") }
    }

    /// Puts the table of signing keys out of reach, and back.
    func hideSigningKeys(_ areHidden: Bool) async throws {
        let (from, to) = areHidden ? ("signing_keys", "hidden_keys") : ("hidden_keys", "signing_keys")
        try await database.write { try $0.execute(sql: "ALTER TABLE \(from) RENAME TO \(to)") }
    }

    /// As when a backup is put back.
    func takeBackRevocations(after number: Int64) async throws {
        try await database.write { database in
            try database.execute(sql: "DELETE FROM revocations WHERE number > ?", arguments: [number])
            try database.execute(
                sql: "UPDATE sqlite_sequence SET seq = ? WHERE name = 'revocations'", arguments: [number])
        }
    }

    /// How many SQL statements this storage ran during `work`.
    func countingStatements(_ work: () async throws -> Void) async throws -> Int {
        let counter = Counter()
        try await database.writeWithoutTransaction { $0.trace { _ in counter.increment() } }
        try await work()
        let count = counter.value
        try await database.writeWithoutTransaction { $0.trace(options: []) }
        return count
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}
