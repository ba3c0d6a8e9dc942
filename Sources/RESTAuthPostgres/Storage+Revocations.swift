public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func revocations(after number: Int64, limit: Int) async throws -> [Revocation] {
        try await read(
            """
            SELECT number, user_id, session_id, role, is_refused, at, expires_at
            FROM revocations WHERE number > $1 ORDER BY number LIMIT $2
            """, [number, limit]
        ).map(Revocation.init)
    }

    public func lastRevocationNumber() async throws -> Int64 {
        try await read("SELECT last_number FROM revocation_counter").first?["last_number"] ?? 0
    }

    public func isSessionRevoked(_ id: Session.ID) async throws -> Bool {
        try await read("SELECT FROM revocations WHERE session_id = $1", [id]).count > 0
    }

    public func deleteRevocations(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "revocations", by: "number", where: "expires_at < $1", date, limit: limit)
    }

    public func news(within duration: Duration) async throws {
        try await pool.news(within: duration)
    }
}

extension PostgresStorage {
    /// Channel on which the database announces new entries of the revocation log.
    static let revocationChannel = "rest_auth_revocations"

    /// Makes a statement that appends an entry to the revocation log for each row that `change`
    /// returns, and returns the entries.
    ///
    /// The counter's row stays locked until the commit, so numbers are given in the order of
    /// commits: whoever has read a number has seen every entry before it, which a sequence does not
    /// guarantee. A change of no row takes no number and waits for nobody. Every transaction locks
    /// users before sessions and sessions before the counter, so there is no deadlock.
    /// - Parameters:
    ///   - subject: the columns that the entries are about: `user_id`, `session_id`, or `user_id,
    ///     role`.
    ///   - time: the parameter with the time of the entries.
    ///   - change: an INSERT, UPDATE, DELETE or SELECT that returns the columns of `subject`, and
    ///     `expires_at`.
    ///   - parameters: the parameters of `change`.
    ///   - events: the events to record with the change.
    func loggingRevocations(
        of subject: String, isRefused: Bool = true, at time: String, _ change: String,
        _ parameters: [any PostgresParameter], recording events: [(AuthEvent, Statement.Occurrence)] = []
    ) -> Statement {
        let recorded = Statement.recorded(events, after: parameters.count)
        let sql = """
            WITH changed AS (\(change)),
            counter AS (
                UPDATE revocation_counter SET last_number = last_number + (SELECT count(*) FROM changed)
                WHERE EXISTS (SELECT FROM changed)
                RETURNING last_number
            )\(recorded.sql)
            INSERT INTO revocations (number, \(subject), is_refused, at, expires_at)
            SELECT last_number + 1 - row_number() OVER (ORDER BY \(subject) DESC), \(subject), \(isRefused), \(time),
                expires_at
            FROM changed, counter
            RETURNING number, user_id, session_id, role, is_refused, at, expires_at\(announcement)
            """
        return Statement(sql, parameters + recorded.parameters)
    }

    /// `Revocation.expiry` as an SQL expression.
    /// - Parameters:
    ///   - time: the parameter with the time of the entry.
    ///   - latest: an expression for the expiry of the last token that the entry concerns; NULL for
    ///     no token, `nil` for the longest life of any.
    static func expiry(at time: String, tokensUntil latest: String?) -> String {
        let longest = "\(time) + interval '\(AuthConfiguration.maximumTokenDuration) seconds'"
        return "greatest(\(time), \(latest ?? longest)) + interval '\(Revocation.slack) seconds'"
    }

    /// The expiry of an entry that lifts others, as an SQL expression: a process that reads the log
    /// anew must not find a refusal without the entry that lifted it.
    /// - Parameter lines: the condition of the lifted entries.
    static func expiry(at time: String, lifting lines: String) -> String {
        "greatest(\(expiry(at: time, tokensUntil: nil)), (SELECT max(expires_at) FROM revocations WHERE \(lines)))"
    }
}

extension Revocation {
    init(_ row: Row) throws {
        let subject: Subject =
            if let session = try row["session_id"] as Session.ID? {
                .session(session)
            } else if let role = try row["role"] as String? {
                .role(role, of: try row["user_id"])
            } else {
                .user(try row["user_id"])
            }
        self.init(
            number: try row["number"], subject: subject, isRefused: try row["is_refused"], at: try row["at"],
            expiresAt: try row["expires_at"] as Date)
    }
}
