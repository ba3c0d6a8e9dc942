public import Foundation
import GRDB
public import RESTAuth

extension ThrottleRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            14, "counters of factors",
            """
            -- SQLite cannot change a constraint, so the table is made anew.
            ALTER TABLE throttles RENAME TO throttles_13;
            CREATE TABLE throttles (
                -- Together they are the key, so none is missing: '' and 0 stand for what the kind is not
                -- counted by.
                kind TEXT NOT NULL CHECK (kind IN (
                    'account', 'confirmation', 'device', 'hashing', 'known', 'network', 'one_time_code',
                    'recovery_code', 'registrations')),
                username TEXT NOT NULL CHECK ((username <> '') = (kind IN ('account', 'known'))),
                network TEXT NOT NULL CHECK ((network <> '') = (kind IN ('known', 'network', 'registrations'))),
                user_id INTEGER NOT NULL CHECK (
                    (user_id <> 0) = (kind IN ('confirmation', 'device', 'one_time_code', 'recovery_code'))),
                failures INTEGER NOT NULL CHECK (failures >= 0),
                failed_at REAL NOT NULL,
                -- Up to when failures have been forgiven.
                forgiven_at REAL NOT NULL,
                -- When the row means nothing any more.
                forgotten_at REAL NOT NULL,
                -- Digests of the other side of the failures: accounts for a network, networks for an account.
                others BLOB NOT NULL,
                version INTEGER NOT NULL DEFAULT 1,
                PRIMARY KEY (kind, username, network, user_id)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO throttles
            SELECT kind, username, network, user_id, failures, failed_at, forgiven_at, forgotten_at, others, version
            FROM throttles_13;
            DROP TABLE throttles_13;
            CREATE INDEX throttles_by_end ON throttles (forgotten_at);
            """)
    ]
}

extension SQLiteStorage {
    public func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter] {
        try read { database in try subjects.compactMap { try database.throttle($0) } }
    }

    public func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, by caller: Caller,
        at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        try await write { database in
            let counter = try database.throttle(subject)
            let outcome = limit.counting(amount, of: subject, other: other, on: counter, at: now)
            if case .counted(let counter, _) = outcome { try database.store(counter) }
            if !limit.events(of: outcome, amount: amount, user: nil).isEmpty {
                let user = try database.row(
                    "SELECT id FROM users WHERE canonical_username = ?", [subject.username]
                ) { try $0["id"] as User.ID }
                for event in limit.events(of: outcome, amount: amount, user: user) {
                    try database.append(event.by(caller, at: now))
                }
            }
            return outcome
        }
    }

    public func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter] {
        let condition = subject == nil ? "" : "WHERE (kind, username, network, user_id) > (?, ?, ?, ?)"
        let arguments = (subject?.key.arguments ?? []) + [limit]
        return try read { database in
            try database.rows(
                """
                SELECT \(ThrottleCounter.columns) FROM throttles \(condition)
                ORDER BY kind, username, network, user_id LIMIT ?
                """, arguments
            ) { try ThrottleCounter($0) }
        }
    }

    public func deleteThrottle(_ subject: ThrottleSubject, recording event: AuthEvent?) async throws -> Bool {
        try await write { database in
            try database.run(
                "DELETE FROM throttles WHERE kind = ? AND username = ? AND network = ? AND user_id = ?",
                subject.key.arguments)
            guard database.changesCount == 1 else { return false }
            if let event { try database.append(event) }
            return true
        }
    }

    public func deleteThrottles(
        canonicalUsername: String, user: User.ID?, recording event: AuthEvent
    ) async throws -> [ThrottleSubject] {
        try await write { database in
            let deleted = try database.deleteThrottles(ofUser: canonicalUsername, id: user)
            if !deleted.isEmpty { try database.append(event) }
            return deleted
        }
    }

    public func deleteThrottles(forgottenBefore date: Date, limit: Int) async throws -> Int {
        try await delete(
            from: "throttles", by: "kind, username, network, user_id", where: "forgotten_at < ?1", date, limit: limit)
    }

    public func knownOrigin(_ network: ClientNetwork, canonicalUsername: String) async throws -> Date? {
        try read { database in
            try database.row(
                """
                SELECT seen_at FROM known_origins
                WHERE user_id = (SELECT id FROM users WHERE canonical_username = ?) AND network = ?
                """, [canonicalUsername, network.description]
            ) { try $0["seen_at"] }
        }
    }

    public func rememberOrigin(
        _ network: ClientNetwork, user: User.ID, at now: Date, limit: Int, recording event: AuthEvent?
    ) async throws -> Bool {
        try await write { database in
            let isNew = try database.rememberOrigin(network, user: user, at: now, limit: limit, recording: event)
            try database.run(
                """
                DELETE FROM known_origins WHERE user_id = ? AND network IN (
                    SELECT network FROM known_origins WHERE user_id = ? ORDER BY seen_at DESC, network LIMIT -1
                        OFFSET ?)
                """, [user, user, limit])
            return isNew
        }
    }

    public func deleteKnownOrigins(seenBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "known_origins", by: "user_id, network", where: "seen_at < ?1", date, limit: limit)
    }
}

extension Database {
    fileprivate func throttle(_ subject: ThrottleSubject) throws -> ThrottleCounter? {
        try row(
            """
            SELECT \(ThrottleCounter.columns) FROM throttles
            WHERE kind = ? AND username = ? AND network = ? AND user_id = ?
            """, subject.key.arguments
        ) { try ThrottleCounter($0) }
    }

    fileprivate func store(_ counter: ThrottleCounter) throws {
        try run(
            """
            INSERT INTO throttles (\(ThrottleCounter.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, username, network, user_id) DO UPDATE SET
                failures = excluded.failures, failed_at = excluded.failed_at, forgiven_at = excluded.forgiven_at,
                forgotten_at = excluded.forgotten_at, others = excluded.others, version = excluded.version
            """,
            counter.subject.key.arguments + [
                counter.failures, counter.failedAt.timeIntervalSince1970, counter.forgivenAt.timeIntervalSince1970,
                counter.forgottenAt.timeIntervalSince1970, Data(counter.others.bytes), counter.version,
            ])
    }
}

extension ThrottleSubject.Key {
    fileprivate var arguments: StatementArguments { [kind, username, network, userID] }
}

extension ThrottleSubject {
    init(_ row: Row) throws {
        let key = try Key(
            kind: row["kind"], username: row["username"], network: row["network"], userID: row["user_id"])
        guard let subject = Self(key) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "throttles has a key that it cannot have")
        }
        self = subject
    }
}

extension ThrottleCounter {
    fileprivate static let columns =
        "kind, username, network, user_id, failures, failed_at, forgiven_at, forgotten_at, others, version"

    fileprivate init(_ row: Row) throws {
        try self.init(
            subject: ThrottleSubject(row), failures: row["failures"], failedAt: row["failed_at"],
            forgivenAt: row["forgiven_at"], forgottenAt: row["forgotten_at"], others: [UInt32](bytes: row["others"]),
            version: row["version"])
    }
}
