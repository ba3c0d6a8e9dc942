public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func revocations(after number: Int64, limit: Int) async throws -> [Revocation] {
        try await read(
            """
            SELECT number, user_id, session_id, role, is_refused, at FROM revocations WHERE number > $1 ORDER BY number LIMIT $2
            """, [number, limit]
        ).map(Revocation.init)
    }

    public func lastRevocationNumber() async throws -> Int64 {
        try await read("SELECT last_number FROM revocation_counter").first?["last_number"] ?? 0
    }

    public func deleteRevocations(before date: Date, limit: Int) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM revocations
                WHERE number IN (SELECT number FROM revocations WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
                """, [date, limit])
        )[0].changedCount
    }

    public func news(within duration: Duration) async throws {
        try await pool.news(within: duration)
    }
}

extension Revocation {
    init(_ row: Row) throws {
        let subject: Subject =
            if let session = try row["session_id"] as Session.ID? {
                .session(session)
            } else if let role = try row["role"] as String? {
                .role(role, of: try row["user_id"])
            } else {
                .user(try row["user_id"])
            }
        self.init(number: try row["number"], subject: subject, isRefused: try row["is_refused"], at: try row["at"])
    }
}
