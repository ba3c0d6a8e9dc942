public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter] {
        guard !subjects.isEmpty else { return [] }
        let places = (1...subjects.count).map { "$\($0)" }.joined(separator: ", ")
        return try await read("SELECT * FROM throttles WHERE subject IN (\(places))", subjects.map(\.rawValue)).map(
            ThrottleCounter.init)
    }

    public func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        try await counting.count(subject) {
            limit.counting(amount, of: subject, other: other, on: $0, at: now)
        } rounds: { decisions in
            // What was decided is written only on the counter that it was decided on. Another node
            // may have come first; then it is decided anew.
            while true {
                let seen = try await throttles(of: [subject]).first
                var (counter, outcomes) = (seen, [ThrottleLimit.Outcome]())
                for decide in decisions {
                    let outcome = decide(counter)
                    if case .counted(let next, _) = outcome { counter = next }
                    outcomes.append(outcome)
                }
                guard let counter, counter != seen else { return outcomes }
                if try await store(counter, replacing: seen?.version ?? 0) { return outcomes }
            }
        }
    }

    /// - Returns: whether the stored one was still that version; 0 for none.
    private func store(_ counter: ThrottleCounter, replacing version: Int) async throws -> Bool {
        let values: [any PostgresParameter] = [
            counter.subject.rawValue, counter.failures, counter.failedAt, counter.forgivenAt, counter.forgottenAt,
            counter.others.bytes,
            counter.version,
        ]
        let statement =
            if version == 0 {
                Statement(
                    """
                    INSERT INTO throttles (subject, failures, failed_at, forgiven_at, forgotten_at, others, version)
                    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
                    """, values)
            } else {
                // Not an upsert: one that was deleted meanwhile must not come back.
                Statement(
                    """
                    UPDATE throttles
                    SET failures = $2, failed_at = $3, forgiven_at = $4, forgotten_at = $5, others = $6, version = $7
                    WHERE subject = $1 AND version = $8
                    """, values + [version])
            }
        return try await write(statement)[0].changedCount == 1
    }

    public func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter] {
        try await read(
            "SELECT * FROM throttles WHERE subject > $1 ORDER BY subject LIMIT $2", [subject?.rawValue ?? "", limit]
        )
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
            subject: ThrottleSubject(rawValue: try row["subject"]), failures: try row["failures"],
            failedAt: try row["failed_at"],
            forgivenAt: try row["forgiven_at"], forgottenAt: try row["forgotten_at"],
            others: [UInt32](bytes: try row["others"]),
            version: try row["version"])
    }
}
