import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func signingKeys() async throws -> [StoredSigningKey] {
        try read { database in
            try database.rows("SELECT id, algorithm, sealed, created_at FROM signing_keys ORDER BY created_at") { row in
                StoredSigningKey(
                    id: row["id"], algorithm: row["algorithm"], sealed: Array(row["sealed"] as Data),
                    createdAt: Date(timeIntervalSince1970: row["created_at"]))
            }
        }
    }

    public func insertFirstSigningKey(_ key: StoredSigningKey) async throws {
        try await write { database in
            try database.run(
                """
                INSERT INTO signing_keys (id, algorithm, sealed, created_at)
                SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM signing_keys)
                """, [key.id, key.algorithm, Data(key.sealed), key.createdAt.timeIntervalSince1970])
        }
    }
}
