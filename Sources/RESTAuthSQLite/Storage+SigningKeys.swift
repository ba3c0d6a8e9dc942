public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func signingKeys() async throws -> [StoredSigningKey] {
        try read { try $0.signingKeys() }
    }

    public func insertSigningKey(_ key: StoredSigningKey, recording event: AuthEvent) async throws -> Bool {
        try await write { database in
            try database.run(
                """
                INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from, follows)
                    VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (follows) DO NOTHING
                """,
                [
                    key.id, key.algorithm, Data(key.sealed), key.createdAt.timeIntervalSince1970,
                    key.signsFrom.timeIntervalSince1970,
                    key.follows,
                ])
            return try database.recordChange(event)
        }
    }

    public func hastenSigningKey(id: String, to date: Date, recording event: AuthEvent) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE signing_keys SET signs_from = ?1 WHERE id = ?2 AND signs_from > ?1",
                [date.timeIntervalSince1970, id])
            return try database.recordChange(event)
        }
    }

    public func replaceSealedSigningKey(id: String, _ sealed: [UInt8], with other: [UInt8]) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE signing_keys SET sealed = ? WHERE id = ? AND sealed = ?", [Data(other), id, Data(sealed)])
            return database.changesCount == 1
        }
    }

    public func deleteSigningKey(id: String, recording event: AuthEvent) async throws -> Bool {
        try await write { database in
            try database.run("DELETE FROM signing_keys WHERE id = ?", [id])
            return try database.recordChange(event)
        }
    }

    public func deleteSigningKeys(replacedBefore date: Date) async throws {
        try await write { database in
            try database.run(
                """
                DELETE FROM signing_keys WHERE signs_from < (SELECT max(signs_from) FROM signing_keys
                    WHERE signs_from < ?)
                """,
                [date.timeIntervalSince1970])
        }
    }
}

extension Database {
    func signingKeys() throws -> [StoredSigningKey] {
        try rows(
            """
            SELECT id, algorithm, sealed, created_at, signs_from, follows FROM signing_keys
                ORDER BY signs_from, created_at
            """
        ) { row in
            try StoredSigningKey(
                id: row["id"], algorithm: row["algorithm"], sealed: row["sealed"], createdAt: row["created_at"],
                signsFrom: row["signs_from"], follows: row["follows"])
        }
    }
}
