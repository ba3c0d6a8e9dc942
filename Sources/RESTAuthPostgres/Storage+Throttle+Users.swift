import Foundation
import RESTAuth

extension PostgresStorage {
    /// Deletes what was counted, by the name and by the id, of the users for whom `condition`
    /// holds.
    static func deletingThrottles(ofUsers condition: String, _ parameters: [any PostgresParameter]) -> Statement {
        Statement("DELETE FROM throttles USING users WHERE (\(condition)) AND \(isOf("users"))", parameters)
    }

    /// Whether a row of `throttles` is of the user in a row of `users`.
    static func isOf(_ users: String) -> String {
        """
        (throttles.kind IN ('account', 'known') AND throttles.username = \(users).canonical_username
            OR throttles.kind = 'confirmation' AND throttles.username = '' AND throttles.network = ''
                AND throttles.user_id = \(users).id)
        """
    }

    /// What follows the insertion of a user: nothing that was counted of the name before stays, and
    /// the user is known in `network`. Does nothing where the row is another's, and twice what once
    /// does.
    static func welcoming(
        _ name: Username, passwordHash: String, from network: ClientNetwork?, at now: Date
    ) -> (forgetting: Statement, remembering: Statement) {
        // The hash, salted as no other, tells whose row it is.
        let isNew = "canonical_username = $1 AND password_hash = $2"
        return (
            deletingThrottles(ofUsers: isNew, [name.canonical, passwordHash]),
            Statement(
                """
                INSERT INTO known_origins (user_id, network, seen_at)
                SELECT id, $3, $4 FROM users WHERE \(isNew) AND $3 IS NOT NULL ON CONFLICT DO NOTHING
                """, [name.canonical, passwordHash, network?.description, now])
        )
    }
}
