import Foundation
import GRDB
import RESTAuth

extension Database {
    /// Stores `network` as one that the user is known in, and records the event when it is new;
    /// does nothing if the user does not exist.
    /// - Returns: whether the network is new, and the user came from fewer than `limit` others
    ///   within a day.
    @discardableResult
    func rememberOrigin(
        _ network: ClientNetwork, user: User.ID, at now: Date, limit: Int = 1, recording event: AuthEvent?
    ) throws -> Bool {
        let arguments: StatementArguments = [network.description, now.timeIntervalSince1970, user]
        try run(
            """
            INSERT INTO known_origins (user_id, network, seen_at) SELECT id, ?1, ?2 FROM users WHERE id = ?3
            ON CONFLICT (user_id, network) DO NOTHING
            """, arguments)
        guard changesCount == 0 else {
            let others: Int? = try row(
                "SELECT count(*) AS count FROM known_origins WHERE user_id = ? AND network <> ? AND seen_at > ?",
                [user, network.description, now.timeIntervalSince1970 - 86400]
            ) { try $0["count"] }
            guard others ?? 0 < limit else { return false }
            if let event { try append(event) }
            return true
        }
        try run("UPDATE known_origins SET seen_at = max(seen_at, ?2) WHERE user_id = ?3 AND network = ?1", arguments)
        return false
    }

    /// Deletes the counters of a user: by the name, and by the id if it is given.
    /// - Returns: the subjects of the deleted counters.
    @discardableResult
    func deleteThrottles(ofUser canonicalUsername: String, id: User.ID?) throws -> [ThrottleSubject] {
        try rows(
            """
            DELETE FROM throttles
            WHERE kind IN ('account', 'known') AND username = ?
                OR kind IN ('confirmation', 'device', 'one_time_code', 'recovery_code')
                    AND username = '' AND network = '' AND user_id = ?
            RETURNING kind, username, network, user_id
            """, [canonicalUsername, id]
        ) { try ThrottleSubject($0) }
    }
}
