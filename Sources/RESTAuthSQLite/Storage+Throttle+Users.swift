import Foundation
import GRDB
import RESTAuth

extension Database {
    /// Stores `network` as one that the user is known in; does nothing if the user does not exist.
    func rememberOrigin(_ network: ClientNetwork, user: User.ID, at now: Date) throws {
        try run(
            """
            INSERT INTO known_origins (user_id, network, seen_at) SELECT id, ?, ? FROM users WHERE id = ?
            ON CONFLICT (user_id, network) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)
            """, [network.description, now.timeIntervalSince1970, user])
    }

    /// Deletes the counters of a user: by the name, and by the id if it is given.
    /// - Returns: the subjects of the deleted counters.
    @discardableResult
    func deleteThrottles(ofUser canonicalUsername: String, id: User.ID?) throws -> [ThrottleSubject] {
        try rows(
            """
            DELETE FROM throttles
            WHERE kind IN ('account', 'known') AND username = ?
                OR kind = 'confirmation' AND username = '' AND network = '' AND user_id = ?
            RETURNING kind, username, network, user_id
            """, [canonicalUsername, id]
        ) { try ThrottleSubject($0) }
    }
}
