public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func insertUser(
        _ name: Username, passwordHash: String?, roles: Set<String>, at now: Date, recording event: AuthEvent
    ) async throws -> User {
        try await insertUser(name, passwordHash: passwordHash, roles: roles, at: now, from: nil, recording: event)
    }

    func insertUser(
        _ name: Username, passwordHash: String?, roles: Set<String> = [], at now: Date, from network: ClientNetwork?,
        recording event: AuthEvent
    ) async throws -> User {
        try Role.check(totalLength: roles.reduce(0) { $0 + $1.utf8.count })
        let welcome = Self.welcoming(name, passwordHash: passwordHash, from: network, at: now)
        let sorted = roles.sorted()
        let places = sorted.indices.map { "($\($0 + 5)::text)" }.joined(separator: ", ")
        let granting =
            sorted.isEmpty
            ? ""
            : """
            , granted AS (
                INSERT INTO user_roles (user_id, role)
                SELECT user_id, role FROM changed, (VALUES \(places)) AS given (role)
            )
            """
        // PostgreSQL runs parts that nothing refers to from the last to the first, so the ids of
        // the events are in their order.
        let events = sorted.reversed().map(event.granting) + [event]
        let recorded = Statement.recorded(events.map { ($0, .forEachUser) }, after: 4 + sorted.count)
        let rows = try await freeing(name, at: now) {
            try await write(
                isRepeatable: true,
                Statement(
                    """
                    WITH changed AS (
                        INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                        VALUES ($1, $2, $3, $4, $4) ON CONFLICT (canonical_username) DO NOTHING RETURNING id AS user_id
                    )\(granting)\(recorded.sql)
                    SELECT user_id AS registered_id FROM changed
                    """,
                    [name.text, name.canonical, passwordHash, now] + (sorted as [any PostgresParameter])
                        + recorded.parameters),
                welcome.forgetting, welcome.remembering)
        }
        if let row = rows[0].first {
            return User(
                id: try row["registered_id"], username: name.text, createdAt: now, disabledAt: nil, roles: roles)
        }
        // A transaction that was sent again because its answer was lost finds its own row, which it
        // recognises by the salted hash; without a password by the time, of which the database
        // keeps microseconds.
        guard let stored = try await credentials(canonicalUsername: name.canonical),
            stored.passwordHash == passwordHash,
            passwordHash != nil || abs(stored.user.createdAt.timeIntervalSince(now)) < 0.00001
        else {
            throw AuthError(.userAlreadyExists, "existing user", field: "username")
        }
        return stored.user
    }

    public func user(id: User.ID) async throws -> User? {
        try await read("SELECT \(User.columns) FROM users WHERE id = $1", [id]).first.map { try User($0) }
    }

    public func credentials(canonicalUsername: String) async throws -> StoredCredentials? {
        try await credentials("canonical_username = $1", canonicalUsername)
    }

    public func credentials(user id: User.ID) async throws -> StoredCredentials? {
        try await credentials("id = $1", id)
    }

    func credentials(_ condition: String, _ parameter: any PostgresParameter) async throws -> StoredCredentials? {
        try await read(
            "SELECT \(User.columns), \(StoredCredentials.columns) FROM users WHERE \(condition)", [parameter]
        ).first.map {
            row in
            try StoredCredentials(
                user: User(row), passwordHash: row["password_hash"], passwordVersion: row["password_version"])
        }
    }

    public func users(after id: User.ID, limit: Int) async throws -> [User] {
        try await read("SELECT \(User.columns) FROM users WHERE id > $1 ORDER BY id LIMIT $2", [id, limit]).map {
            try User($0)
        }
    }

    public func setPasswordHash(
        _ hash: String, user id: User.ID, replacing present: String?, version: Int?, beginning: NewSession?,
        at now: Date, recording event: AuthEvent
    ) async throws -> [Revocation]? {
        let isPresent =
            "id = $2 AND ($3 IS NULL OR nullif(password_hash, '!') = $3)"
            + (version.map { " AND password_version = \($0)" } ?? "")
            + (beginning == nil ? "" : " AND disabled_at IS NULL")
        var statements = [
            // Once the user is locked, no session can start with the old password.
            Statement(Self.lockUser, [id]),
            endingSessions(
                "user_id = $2 AND EXISTS (SELECT FROM users WHERE \(isPresent))", [id, present], at: now,
                recording: event),
            Statement(
                """
                UPDATE users SET password_hash = $1, password_changed_at = $4, password_version = password_version + 1
                WHERE \(isPresent) RETURNING id
                """, [hash, id, present, now], recording: event),
            Statement(
                """
                DELETE FROM known_origins WHERE user_id = $1 AND EXISTS
                    (SELECT FROM users WHERE id = $1 AND password_hash = $2)
                """,
                [id, hash]),
            Self.deletingThrottles(ofUsers: "id = $1 AND password_hash = $2", [id, hash]),
        ]
        if let beginning {
            statements.append(
                inserting(
                    beginning, "password_hash = $10", hash, recording: event.starting(beginning.session)))
        }
        let rows = try await write(statements)
        return rows[2].count == 1 ? try rows[1].map(Revocation.init) : nil
    }

    public func upgradePasswordHash(
        _ hash: String, user id: User.ID, replacing present: String, recording event: AuthEvent
    ) async throws -> Bool {
        try await write(
            Statement(
                "UPDATE users SET password_hash = $1 WHERE id = $2 AND nullif(password_hash, '!') = $3 RETURNING id",
                [hash, id, present], recording: event)
        )[0].count == 1
    }

    public func passwordHashes(sampling count: Int) async throws -> [String] {
        try await read(Self.sampleOfHashes, [count]).map { try $0["password_hash"] }
    }

    static let sampleOfHashes = """
        SELECT DISTINCT ON (id) password_hash
        FROM (SELECT max(id) AS last FROM users) AS newest, generate_series(0, $1 - 1) AS index,
            LATERAL (
                SELECT id, password_hash FROM users WHERE id > trunc(last::numeric * index / $1)::bigint
                ORDER BY id LIMIT 1
            ) AS next
        WHERE password_hash <> '!'
        """

    public func grantRole(
        _ role: String, user id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (exists: Bool, isNew: Bool, lifted: Revocation?) {
        let rows = try await write(
            isRepeatable: true,
            Statement(Self.lockUser, [id]),
            Statement(
                """
                SELECT coalesce(sum(char_length(role)), 0) + char_length($2) AS length FROM user_roles
                    WHERE user_id = $1 AND role <> $2
                """, [id, role]),
            Statement(
                """
                INSERT INTO user_roles (user_id, role)
                SELECT id, $2 FROM users WHERE id = $1 AND $3 >= char_length($2)
                    + (SELECT coalesce(sum(char_length(role)), 0) FROM user_roles WHERE user_id = $1 AND role <> $2)
                ON CONFLICT DO NOTHING RETURNING user_id
                """, [id, role, Role.maximumTotalLength], recording: event),
            loggingRevocations(
                of: "user_id, role", isRefused: false, at: "$3",
                """
                SELECT user_id, role, \(Self.expiry(at: "$3", lifting: "user_id = $1 AND role = $2")) AS expires_at
                FROM user_roles WHERE user_id = $1 AND role = $2 AND (
                    SELECT is_refused FROM revocations WHERE user_id = $1 AND role = $2 ORDER BY number DESC
                        LIMIT 1)
                """, [id, role, now]))
        guard rows[0].count == 1 else { return (false, false, nil) }
        try Role.check(totalLength: try rows[1].first?["length"] ?? 0)
        return (true, try await isNew(rows, 2, recording: event), try rows[3].first.map(Revocation.init))
    }

    public func revokeRole(
        _ role: String, user id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        let kept = KeptOperator(keepingOperator && role == Role.operator, user: id)
        let rows = try await write(
            isRepeatable: true,
            Statement(Self.lockUser, [id]),
            kept.locking,
            Statement(
                """
                DELETE FROM user_roles WHERE user_id = $1 AND role = $2 AND \(kept.condition) RETURNING user_id
                """, [id, role], recording: event),
            loggingRevocations(
                of: "user_id, role", at: "$3",
                """
                SELECT id AS user_id, $2 AS role, \(Self.expiry(at: "$3", tokensUntil: nil)) AS expires_at
                FROM users WHERE id = $1 AND \(kept.condition)
                """, [id, role, now]),
            kept.refusal)
        guard rows[4].count == 0 else { throw AuthError.lastOperator }
        guard let revocation = try rows[3].first.map(Revocation.init) else { return nil }
        return (revocation, try await isNew(rows, 2, recording: event))
    }

    public func disableUser(
        id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        let kept = KeptOperator(keepingOperator, user: id)
        return try await setting(
            id, when: "disabled_at IS NULL", keeping: kept, recording: event,
            revoking(
                id, at: now, expiry: Self.expiry(at: "$2", tokensUntil: nil),
                "UPDATE users SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1 AND \(kept.condition)"))
    }

    public func enableUser(
        id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await setting(
            id, when: "disabled_at IS NOT NULL", keeping: KeptOperator(false, user: id), recording: event,
            revoking(
                id, isRefused: false, at: now,
                expiry: Self.expiry(at: "$2", lifting: "user_id = $1 AND role IS NULL"),
                "UPDATE users SET disabled_at = NULL WHERE id = $1"))
    }

    /// Runs `change` of a user's row, and records the event if the row met `condition` before.
    private func setting(
        _ id: User.ID, when condition: String, keeping kept: KeptOperator, recording event: AuthEvent,
        _ change: Statement
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        let rows = try await write(
            isRepeatable: true,
            Statement(Self.lockUser, [id]),
            kept.locking,
            Statement(
                "SELECT id FROM users WHERE id = $1 AND \(condition) AND \(kept.condition)", [id], recording: event),
            change,
            kept.refusal)
        guard rows[4].count == 0 else { throw AuthError.lastOperator }
        guard let revocation = try rows[3].first.map(Revocation.init) else { return nil }
        return (revocation, try await isNew(rows, 2, recording: event))
    }

    public func deleteUser(
        id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> Revocation? {
        let kept = KeptOperator(keepingOperator, user: id)
        let rows = try await write(
            Statement("SELECT FROM users WHERE id = $1 FOR UPDATE", [id]),
            kept.locking,
            // Sessions are locked before the counter, as everywhere: the cascade would lock them
            // after it. From then on no further token can be given for them.
            Statement("SELECT FROM sessions WHERE user_id = $1 FOR UPDATE", [id]),
            Self.deletingThrottles(ofUsers: "id = $1 AND \(kept.condition)", [id]),
            revoking(
                id, at: now, recording: [(event, .once)],
                expiry: Self.expiry(
                    at: "$2", tokensUntil: "(SELECT max(tokens_expire_at) FROM sessions WHERE user_id = $1)"),
                "DELETE FROM users WHERE id = $1 AND \(kept.condition)"),
            kept.refusal)
        guard rows[5].count == 0 else { throw AuthError.lastOperator }
        return try rows[4].first.map(Revocation.init)
    }

    /// Makes a statement that runs `sql` and, if it changed the user's row, writes the revocation
    /// log entry and the events.
    private func revoking(
        _ id: User.ID, isRefused: Bool = true, at now: Date,
        recording events: [(AuthEvent, Statement.Occurrence)] = [], expiry: String, _ sql: String
    ) -> Statement {
        loggingRevocations(
            of: "user_id", isRefused: isRefused, at: "$2",
            "\(sql) RETURNING id AS user_id, \(expiry) AS expires_at", [id, now], recording: events)
    }
}

extension PostgresStorage {
    /// Statement that keeps others from changing the user, or rows that belong to the user, until
    /// the end of the transaction, so that later statements find the final state.
    static let lockUser = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"
}

extension StoredCredentials {
    /// The `!` that versions up to 0.2 wrote is read as `NULL`: no password.
    static let columns = "nullif(password_hash, '!') AS password_hash, password_version"
}

extension User {
    /// All roles in one value, separated by blanks.
    static let rolesColumn = "(SELECT string_agg(role, ' ') FROM user_roles WHERE user_id = users.id) AS roles"
    static let columns = "id, username, created_at, disabled_at, \(rolesColumn)"

    init(_ row: Row, id: String = "id", createdAt: String = "created_at") throws {
        let roles = (try row["roles"] as String? ?? "").split(separator: " ").map(String.init)
        self.init(
            id: try row[id], username: try row["username"], createdAt: try row[createdAt],
            disabledAt: try row["disabled_at"],
            roles: Set(roles))
    }
}
