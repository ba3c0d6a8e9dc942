public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func signingKeys() async throws -> [StoredSigningKey] {
        try await read(StoredSigningKey.selection).map(StoredSigningKey.init)
    }

    public func insertSigningKey(_ key: StoredSigningKey, recording event: AuthEvent) async throws -> Bool {
        try await write(
            Statement(
                """
                INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from, follows)
                    VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (follows) DO NOTHING RETURNING id AS stored_id
                """, [key.id, key.algorithm, key.sealed, key.createdAt, key.signsFrom, key.follows],
                recording: event)
        )[0].count == 1
    }

    public func hastenSigningKey(id: String, to date: Date, recording event: AuthEvent) async throws -> Bool {
        let rows = try await write(
            isRepeatable: true,
            Statement(
                "UPDATE signing_keys SET signs_from = $1 WHERE id = $2 AND signs_from > $1 RETURNING id", [date, id],
                recording: event))
        return try await isNew(rows, 0, recording: event)
    }

    public func replaceSealedSigningKey(id: String, _ sealed: [UInt8], with other: [UInt8]) async throws -> Bool {
        try await write(
            Statement("UPDATE signing_keys SET sealed = $1 WHERE id = $2 AND sealed = $3", [other, id, sealed])
        )[0].changedCount == 1
    }

    public func deleteSigningKey(id: String, recording event: AuthEvent) async throws -> Bool {
        try await write(
            Statement("DELETE FROM signing_keys WHERE id = $1 RETURNING id", [id], recording: event)
        )[0].count == 1
    }

    public func deleteSigningKeys(replacedBefore date: Date) async throws {
        _ = try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM signing_keys WHERE signs_from < (SELECT max(signs_from) FROM signing_keys
                    WHERE signs_from < $1)
                """,
                [date]))
    }
}

extension StoredSigningKey {
    static let selection =
        """
        SELECT id, algorithm, sealed, created_at, signs_from, follows FROM signing_keys ORDER BY signs_from, created_at
        """

    init(_ row: Row) throws {
        self.init(
            id: try row["id"], algorithm: try row["algorithm"], sealed: try row["sealed"],
            createdAt: try row["created_at"], signsFrom: try row["signs_from"], follows: try row["follows"])
    }
}
