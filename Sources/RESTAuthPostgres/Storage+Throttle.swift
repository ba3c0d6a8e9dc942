public import Foundation
public import RESTAuth

extension ThrottleRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            14, "counters of factors",
            """
            ALTER TABLE throttles
                DROP CONSTRAINT throttles_kind_check, DROP CONSTRAINT throttles_check2,
                ADD CONSTRAINT throttles_kind_check CHECK (kind IN (
                    'account', 'confirmation', 'device', 'hashing', 'known', 'network', 'one_time_code',
                    'recovery_code', 'registrations')),
                ADD CONSTRAINT throttles_check2 CHECK (
                    (user_id <> 0) = (kind IN ('confirmation', 'device', 'one_time_code', 'recovery_code')));
            """)
    ]
}

extension PostgresStorage {
    public func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter] {
        guard !subjects.isEmpty else { return [] }
        let places = subjects.indices.map { "($\(4 * $0 + 1), $\(4 * $0 + 2), $\(4 * $0 + 3), $\(4 * $0 + 4))" }
        return try await read(
            "SELECT * FROM throttles WHERE (kind, username, network, user_id) IN (\(places.joined(separator: ", ")))",
            subjects.flatMap(\.key.parameters)
        ).map(ThrottleCounter.init)
    }

    public func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, by caller: Caller,
        at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        try await counting.count(subject) {
            limit.counting(amount, of: subject, other: other, on: $0, at: now)
        } told: { outcome, user in
            limit.events(of: outcome, amount: amount, user: user).map { $0.by(caller, at: now) }
        } rounds: { decisions in
            // The result is written only if the counter is still the one that was read. If another
            // node was faster, everything is decided again.
            while true {
                let seen = try await throttles(of: [subject]).first
                var (counter, outcomes) = (seen, [ThrottleLimit.Outcome]())
                for decision in decisions {
                    let outcome = decision.decide(counter)
                    if case .counted(let next, _) = outcome { counter = next }
                    outcomes.append(outcome)
                }
                guard let counter, counter != seen else { return outcomes }
                let events = try await events(of: zip(decisions, outcomes).map { ($0.tell, $1) }, subject)
                if try await store(counter, replacing: seen?.version ?? 0, recording: events) { return outcomes }
            }
        }
    }

    /// Makes the events of a round. The user of the name is looked up only if there are any.
    private func events(
        of outcomes: [(tell: CountingRounds.Telling, outcome: ThrottleLimit.Outcome)], _ subject: ThrottleSubject
    ) async throws -> [AuthEvent] {
        guard outcomes.contains(where: { !$0.tell($0.outcome, nil).isEmpty }) else { return [] }
        let user: User.ID? =
            if let name = subject.username {
                try await read("SELECT id FROM users WHERE canonical_username = $1", [name]).first?["id"]
            } else { nil }
        return outcomes.flatMap { $0.tell($0.outcome, user) }
    }

    /// Stores a counter.
    /// - Returns: whether the stored counter still had that version; 0 stands for no counter.
    private func store(
        _ counter: ThrottleCounter, replacing version: Int, recording events: [AuthEvent]
    ) async throws -> Bool {
        let events = events.map { ($0, Statement.Occurrence.once) }
        let values =
            counter.subject.key.parameters + [
                counter.failures, counter.failedAt, counter.forgivenAt, counter.forgottenAt, counter.others.bytes,
                counter.version,
            ]
        let statement =
            if version == 0 {
                Statement(
                    """
                    INSERT INTO throttles (
                        kind, username, network, user_id, failures, failed_at, forgiven_at, forgotten_at, others,
                            version)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING kind
                    """, values, recording: events)
            } else {
                // Not an upsert: a counter that was deleted meanwhile must not come back.
                Statement(
                    """
                    UPDATE throttles
                    SET failures = $5, failed_at = $6, forgiven_at = $7, forgotten_at = $8, others = $9, version = $10
                    WHERE kind = $1 AND username = $2 AND network = $3 AND user_id = $4 AND version = $11
                    RETURNING kind
                    """, values + [version], recording: events)
            }
        return try await write(statement)[0].count == 1
    }

    public func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter] {
        let condition = subject == nil ? "" : "WHERE (kind, username, network, user_id) > ($2, $3, $4, $5)"
        return try await read(
            "SELECT * FROM throttles \(condition) ORDER BY kind, username, network, user_id LIMIT $1",
            [limit] + (subject?.key.parameters ?? [])
        ).map(ThrottleCounter.init)
    }

    public func deleteThrottle(_ subject: ThrottleSubject, recording event: AuthEvent?) async throws -> Bool {
        try await write(
            Statement(
                """
                DELETE FROM throttles WHERE kind = $1 AND username = $2 AND network = $3 AND user_id = $4
                RETURNING kind
                """,
                subject.key.parameters, recording: event.map { [($0, .once)] } ?? [])
        )[0].count == 1
    }

    public func deleteThrottles(
        canonicalUsername: String, user: User.ID?, recording event: AuthEvent
    ) async throws -> [ThrottleSubject] {
        try await write(
            Statement(
                """
                DELETE FROM throttles
                WHERE kind IN ('account', 'known') AND username = $1
                    OR kind IN ('confirmation', 'device', 'one_time_code', 'recovery_code')
                        AND username = '' AND network = '' AND user_id = $2
                RETURNING kind, username, network, user_id
                """, [canonicalUsername, user], recording: event)
        )[0].map(ThrottleSubject.init)
    }

    public func deleteThrottles(forgottenBefore date: Date, limit: Int) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM throttles USING (
                    SELECT kind, username, network, user_id FROM throttles
                    WHERE forgotten_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
                WHERE throttles.kind = old.kind AND throttles.username = old.username
                    AND throttles.network = old.network AND throttles.user_id = old.user_id
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

    public func rememberOrigin(
        _ network: ClientNetwork, user: User.ID, at now: Date, limit: Int, recording event: AuthEvent?
    ) async throws -> Bool {
        let rows = try await write(
            isRepeatable: true,
            Statement(Self.lockUser, [user]),
            Statement(
                """
                INSERT INTO known_origins (user_id, network, seen_at) SELECT id, $2, $3 FROM users WHERE id = $1
                ON CONFLICT (user_id, network) DO NOTHING RETURNING user_id, (
                    SELECT count(*) FROM known_origins
                    WHERE user_id = $1 AND seen_at > $3::timestamptz - interval '1 day') AS recent
                """, [user, network.description, now],
                recording: event.map { [($0, .onceWhere("recent < \(limit)"))] } ?? []),
            Statement(
                "UPDATE known_origins SET seen_at = $3 WHERE user_id = $1 AND network = $2 AND seen_at < $3",
                [user, network.description, now]),
            Statement(
                """
                DELETE FROM known_origins WHERE user_id = $1 AND network = ANY (ARRAY(
                    SELECT network FROM known_origins WHERE user_id = $1 ORDER BY seen_at DESC, network OFFSET $2))
                """, [user, limit]))
        guard let row = rows[1].first else { return try await isNew(rows, 1, recording: event) }
        return try row["recent"] < limit
    }

    public func deleteKnownOrigins(seenBefore date: Date, limit: Int) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM known_origins USING (
                    SELECT user_id, network FROM known_origins WHERE seen_at < $1 LIMIT $2
                        FOR UPDATE SKIP LOCKED) AS old
                WHERE known_origins.user_id = old.user_id AND known_origins.network = old.network
                """, [date, limit])
        )[0].changedCount
    }
}

extension ThrottleSubject.Key {
    fileprivate var parameters: [any PostgresParameter] { [kind, username, network, userID] }
}

extension ThrottleSubject {
    fileprivate init(_ row: Row) throws {
        let key = Key(
            kind: try row["kind"], username: try row["username"], network: try row["network"],
            userID: try row["user_id"])
        guard let subject = Self(key) else { throw PostgresError.unexpectedColumn("kind") }
        self = subject
    }
}

extension ThrottleCounter {
    fileprivate init(_ row: Row) throws {
        self.init(
            subject: try ThrottleSubject(row), failures: try row["failures"],
            failedAt: try row["failed_at"],
            forgivenAt: try row["forgiven_at"], forgottenAt: try row["forgotten_at"],
            others: [UInt32](bytes: try row["others"]),
            version: try row["version"])
    }
}
