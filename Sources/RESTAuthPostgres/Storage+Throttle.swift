public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter] {
        let places = (1...max(1, subjects.count)).map { "$\($0)" }.joined(separator: ", ")
        guard !subjects.isEmpty else { return [] }
        return try await read("SELECT * FROM throttles WHERE subject IN (\(places))", subjects.map(\.rawValue)).map(ThrottleCounter.init)
    }

    public func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        // What was decided is written only on the counter that it was decided on; who comes second decides anew. At most as many rounds as
        // the limit lets through: after that everybody is refused.
        while true {
            let seen = try await throttles(of: [subject]).first
            let outcome = limit.counting(amount, of: subject, other: other, on: seen, at: now)
            guard case .counted(let counter, _) = outcome else { return outcome }
            if try await store(counter, replacing: seen?.version ?? 0) { return outcome }
        }
    }

    /// - Returns: whether the stored one was still that version; 0 for none.
    private func store(_ counter: ThrottleCounter, replacing version: Int) async throws -> Bool {
        try await write(
            Statement(
                """
                INSERT INTO throttles (subject, failures, failed_at, forgiven_at, forgotten_at, others, version)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, failed_at = excluded.failed_at,
                    forgiven_at = excluded.forgiven_at, forgotten_at = excluded.forgotten_at, others = excluded.others,
                    version = excluded.version
                WHERE throttles.version = $8
                """,
                [
                    counter.subject.rawValue, counter.failures, counter.failedAt, counter.forgivenAt, counter.forgottenAt,
                    counter.others.bytes, counter.version, version,
                ])
        )[0].changedCount == 1
    }

    public func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter] {
        try await read("SELECT * FROM throttles WHERE subject > $1 ORDER BY subject LIMIT $2", [subject?.rawValue ?? "", limit])
            .map(ThrottleCounter.init)
    }

    public func deleteThrottle(_ subject: ThrottleSubject) async throws -> Bool {
        try await write(Statement("DELETE FROM throttles WHERE subject = $1", [subject.rawValue]))[0].changedCount == 1
    }

    public func deleteThrottles(forgottenBefore date: Date, limit: Int) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM throttles
                WHERE subject = ANY (ARRAY(SELECT subject FROM throttles WHERE forgotten_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
                """, [date, limit])
        )[0].changedCount
    }

    public func knownOrigin(_ network: ClientNetwork, canonicalUsername: String) async throws -> Date? {
        try await read(
            """
            SELECT seen_at FROM known_origins
            WHERE user_id = (SELECT id FROM users WHERE canonical_username = $1) AND network = $2
            """, [canonicalUsername, network.description]
        ).first?["seen_at"]
    }

    public func rememberOrigin(_ network: ClientNetwork, user: User.ID, at now: Date, limit: Int) async throws {
        _ = try await write(
            isRepeatable: true,
            Statement(Self.lockUser, [user]),
            Statement(
                """
                INSERT INTO known_origins (user_id, network, seen_at) SELECT id, $2, $3 FROM users WHERE id = $1
                ON CONFLICT (user_id, network) DO UPDATE SET seen_at = greatest(known_origins.seen_at, excluded.seen_at)
                """, [user, network.description, now]),
            Statement(
                """
                DELETE FROM known_origins WHERE user_id = $1 AND network = ANY (ARRAY(
                    SELECT network FROM known_origins WHERE user_id = $1 ORDER BY seen_at DESC, network OFFSET $2))
                """, [user, limit]))
    }

    public func deleteKnownOrigins(seenBefore date: Date, limit: Int) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM known_origins USING (
                    SELECT user_id, network FROM known_origins WHERE seen_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
                WHERE known_origins.user_id = old.user_id AND known_origins.network = old.network
                """, [date, limit])
        )[0].changedCount
    }
}

extension ThrottleCounter {
    fileprivate init(_ row: Row) throws {
        self.init(
            subject: ThrottleSubject(rawValue: try row["subject"]), failures: try row["failures"], failedAt: try row["failed_at"],
            forgivenAt: try row["forgiven_at"], forgottenAt: try row["forgotten_at"], others: [UInt32](bytes: try row["others"]),
            version: try row["version"])
    }
}
