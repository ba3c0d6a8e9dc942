import RESTAuth

/// Statements that several rooms' verbs share.
enum SQL {
    /// Keeps others from changing the user, or what belongs to the user, until the end of the transaction: what the statements after it find is
    /// the truth until then.
    static let lockUser = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"

    /// On which the database says that the revocation log has new lines.
    static let revocationChannel = "rest_auth_revocations"
}

extension PostgresStorage {
    /// Appends a line to the revocation log for each row that `change` gives back, and gives the lines back.
    ///
    /// The counter's row stays locked until the commit, so numbers are given in the order of commits: who has read a number has seen every line
    /// before it, which a sequence would not promise. A change of nothing takes no number and waits for nobody. Everyone locks users before sessions and sessions
    /// before the counter, so nobody waits in a circle.
    /// - Parameters:
    ///   - subject: what the lines are about: `user_id`, `session_id`, or `user_id, role`.
    ///   - time: the parameter with the time of the lines.
    ///   - change: an INSERT, UPDATE, DELETE or SELECT that gives back the columns of `subject`.
    func loggingRevocations(of subject: String, isRefused: Bool = true, at time: String, _ change: String) -> String {
        """
        WITH changed AS (\(change)),
        counter AS (
            UPDATE revocation_counter SET last_number = last_number + (SELECT count(*) FROM changed)
            WHERE EXISTS (SELECT FROM changed)
            RETURNING last_number
        )
        INSERT INTO revocations (number, \(subject), is_refused, at)
        SELECT last_number + 1 - row_number() OVER (ORDER BY \(subject) DESC), \(subject), \(isRefused), \(time) FROM changed, counter
        RETURNING number, user_id, session_id, role, is_refused, at\(announcement)
        """
    }
}
