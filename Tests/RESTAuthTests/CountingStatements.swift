import GRDB
import RESTAuthSQLite
import Synchronization

extension SQLiteStorage {
    /// Deletes all keys, as an operator might by hand.
    func deleteAllSigningKeys() async throws {
        try await database.write { try $0.execute(sql: "DELETE FROM signing_keys") }
    }

    /// Renames the table of signing keys, so that it cannot be read, or renames it back.
    func hideSigningKeys(_ areHidden: Bool) async throws {
        let (from, to) = areHidden ? ("signing_keys", "hidden_keys") : ("hidden_keys", "signing_keys")
        try await database.write { try $0.execute(sql: "ALTER TABLE \(from) RENAME TO \(to)") }
    }

    /// Makes the database refuse to note the use of a token for programs, or take it again.
    func refuseUses(_ areRefused: Bool) async throws {
        let sql =
            areRefused
            ? "CREATE TRIGGER full BEFORE UPDATE ON program_tokens BEGIN SELECT RAISE(ABORT, 'full'); END"
            : "DROP TRIGGER full"
        try await database.write { try $0.execute(sql: sql) }
    }

    /// Deletes the newest entries, as restoring a backup does.
    func takeBackRevocations(after number: Int64) async throws {
        try await database.write { database in
            try database.execute(sql: "DELETE FROM revocations WHERE number > ?", arguments: [number])
            try database.execute(
                sql: "UPDATE sqlite_sequence SET seq = ? WHERE name = 'revocations'", arguments: [number])
        }
    }

    /// The number of SQL statements that this storage ran during `work`.
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
