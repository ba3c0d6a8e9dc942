public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter] {
        let places = subjects.map { _ in "?" }.joined(separator: ", ")
        return try read { database in
            try database.rows(
                "SELECT * FROM throttles WHERE subject IN (\(places))", StatementArguments(subjects.map(\.rawValue))
            ) {
                ThrottleCounter($0)
            }
        }
    }

    public func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        try await write { database in
            let counter = try database.row("SELECT * FROM throttles WHERE subject = ?", [subject.rawValue]) {
                ThrottleCounter($0)
            }
            let outcome = limit.counting(amount, of: subject, other: other, on: counter, at: now)
            if case .counted(let counter, _) = outcome { try database.store(counter) }
            return outcome
        }
    }

    public func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter] {
        try read { database in
            try database.rows(
                "SELECT * FROM throttles WHERE subject > ? ORDER BY subject LIMIT ?", [subject?.rawValue ?? "", limit]
            ) { ThrottleCounter($0) }
        }
    }

    public func deleteThrottle(_ subject: ThrottleSubject) async throws -> Bool {
        try await write { database in
            try database.run("DELETE FROM throttles WHERE subject = ?", [subject.rawValue])
            return database.changesCount == 1
        }
    }

    public func deleteThrottles(forgottenBefore date: Date, limit: Int) async throws -> Int {
        try await write { database in
            try database.run(
                "DELETE FROM throttles WHERE subject IN (SELECT subject FROM throttles WHERE forgotten_at < ? LIMIT ?)",
                [date.timeIntervalSince1970, limit])
            return database.changesCount
        }
    }

    public func knownOrigin(_ network: ClientNetwork, canonicalUsername: String) async throws -> Date? {
        try read { database in
            try database.row(
                """
                SELECT seen_at FROM known_origins
                WHERE user_id = (SELECT id FROM users WHERE canonical_username = ?) AND network = ?
                """, [canonicalUsername, network.description]
            ) { Date(timeIntervalSince1970: $0["seen_at"]) }
        }
    }

    public func rememberOrigin(_ network: ClientNetwork, user: User.ID, at now: Date, limit: Int) async throws {
        try await write { database in
            try database.run(
                """
                INSERT INTO known_origins (user_id, network, seen_at) SELECT id, ?, ? FROM users WHERE id = ?
                ON CONFLICT (user_id, network) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)
                """, [network.description, now.timeIntervalSince1970, user])
            try database.run(
                """
                DELETE FROM known_origins WHERE user_id = ? AND network IN (
                    SELECT network FROM known_origins WHERE user_id = ? ORDER BY seen_at DESC, network LIMIT -1 OFFSET ?)
                """, [user, user, limit])
        }
    }

    public func deleteKnownOrigins(seenBefore date: Date, limit: Int) async throws -> Int {
        try await write { database in
            try database.run(
                """
                DELETE FROM known_origins
                WHERE (user_id, network) IN (SELECT user_id, network FROM known_origins WHERE seen_at < ? LIMIT ?)
                """, [date.timeIntervalSince1970, limit])
            return database.changesCount
        }
    }
}

extension Database {
    fileprivate func store(_ counter: ThrottleCounter) throws {
        try run(
            """
            INSERT INTO throttles (subject, failures, failed_at, forgiven_at, forgotten_at, others, version) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, failed_at = excluded.failed_at,
                forgiven_at = excluded.forgiven_at, forgotten_at = excluded.forgotten_at, others = excluded.others,
                version = excluded.version
            """,
            [
                counter.subject.rawValue, counter.failures, counter.failedAt.timeIntervalSince1970,
                counter.forgivenAt.timeIntervalSince1970, counter.forgottenAt.timeIntervalSince1970,
                Data(counter.others.bytes),
                counter.version,
            ])
    }
}

extension ThrottleCounter {
    fileprivate init(_ row: Row) {
        self.init(
            subject: ThrottleSubject(rawValue: row["subject"]), failures: row["failures"],
            failedAt: Date(timeIntervalSince1970: row["failed_at"]),
            forgivenAt: Date(timeIntervalSince1970: row["forgiven_at"]),
            forgottenAt: Date(timeIntervalSince1970: row["forgotten_at"]),
            others: [UInt32](bytes: Array(row["others"] as Data)),
            version: row["version"])
    }
}
