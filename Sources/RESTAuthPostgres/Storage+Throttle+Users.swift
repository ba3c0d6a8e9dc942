import Foundation
import RESTAuth

extension PostgresStorage {
    /// Makes a statement that deletes the counters, by name and by id, of the users for whom
    /// `condition` holds.
    static func deletingThrottles(ofUsers condition: String, _ parameters: [any PostgresParameter]) -> Statement {
        Statement("DELETE FROM throttles USING users WHERE (\(condition)) AND \(isOf("users"))", parameters)
    }

    /// Condition that a row of `throttles` belongs to the user in a row of `users`.
    static func isOf(_ users: String) -> String {
        """
        (throttles.kind IN ('account', 'known') AND throttles.username = \(users).canonical_username
            OR throttles.kind IN ('confirmation', 'device', 'one_time_code', 'recovery_code')
                AND throttles.username = '' AND throttles.network = '' AND throttles.user_id = \(users).id)
        """
    }

    /// Makes the statements that follow the insertion of a user: they delete the counters of the
    /// name and store `network` as one that the user is known in. They do nothing if another
    /// registration inserted the row, and running them twice has the same result.
    static func welcoming(
        _ name: Username, passwordHash: String?, from network: ClientNetwork?, at now: Date
    ) -> (forgetting: Statement, remembering: Statement) {
        // The salted hash and the time tell who inserted the row.
        let isNew = "canonical_username = $1 AND password_hash IS NOT DISTINCT FROM $2 AND created_at = $3"
        return (
            deletingThrottles(ofUsers: isNew, [name.canonical, passwordHash, now]),
            Statement(
                """
                INSERT INTO known_origins (user_id, network, seen_at)
                SELECT id, $4, $3 FROM users WHERE \(isNew) AND $4 IS NOT NULL ON CONFLICT DO NOTHING
                """, [name.canonical, passwordHash, now, network?.description])
        )
    }
}
