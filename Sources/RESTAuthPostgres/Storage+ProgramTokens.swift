public import Foundation
public import RESTAuth

extension PersonalTokensRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            18, "tokens for programs",
            """
            CREATE TABLE service_accounts (
                id text COLLATE "C" PRIMARY KEY,
                owner_id bigint REFERENCES users (id) ON DELETE SET NULL,
                note text CHECK (char_length(note) BETWEEN 1 AND 256),
                created_at timestamptz NOT NULL
            );
            CREATE INDEX service_accounts_of_owner ON service_accounts (owner_id) WHERE owner_id IS NOT NULL;

            CREATE TABLE program_tokens (
                id uuid PRIMARY KEY,
                -- One of both.
                user_id bigint REFERENCES users (id) ON DELETE CASCADE,
                service_id text COLLATE "C" REFERENCES service_accounts (id) ON DELETE CASCADE,
                name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
                -- With blanks between.
                scopes text COLLATE "C" NOT NULL,
                digest bytea NOT NULL UNIQUE,
                last_four text COLLATE "C" NOT NULL,
                created_at timestamptz NOT NULL,
                -- In seconds; NULL for a token that does not expire.
                rotated_at timestamptz,
                lifetime bigint CHECK (lifetime > 0),
                expires_at timestamptz,
                last_used_at timestamptz,
                CHECK ((user_id IS NULL) <> (service_id IS NULL))
            );
            CREATE INDEX program_tokens_of_user ON program_tokens (user_id) WHERE user_id IS NOT NULL;
            CREATE INDEX program_tokens_of_service ON program_tokens (service_id) WHERE service_id IS NOT NULL;
            CREATE INDEX program_tokens_by_expiry ON program_tokens (expires_at) WHERE expires_at IS NOT NULL;
            """)
    ]
}

extension PostgresStorage {
    public func insertProgramToken(
        _ token: StoredProgramToken, digest: [UInt8], limit: Int, recording event: AuthEvent
    ) async throws -> ProgramTokenInsertion {
        let holder = token.holder
        let rows = try await write(
            Self.locking(holder) + [
                Statement(
                    """
                    INSERT INTO program_tokens (
                        id, user_id, service_id, name, scopes, digest, last_four, created_at, lifetime, expires_at)
                    SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
                    WHERE \(holder.isActive) AND \(holder.countLive(at: "$9")) < $12
                    RETURNING id
                    """,
                    [
                        holder.parameter, token.id, holder.user, holder.service, token.name, token.scopeText, digest,
                        token.lastFour, token.createdAt, token.lifetime, token.expiresAt, limit,
                    ], recording: event),
                Self.forgettingExpired(of: holder, at: token.createdAt),
                Statement("SELECT WHERE \(holder.isActive)", [holder.parameter]),
            ])
        if rows[2].count == 1 { return .inserted }
        return rows[4].count == 1 ? .limitReached : .noHolder
    }

    public func programTokens(of holder: ProgramToken.Holder) async throws -> [StoredProgramToken] {
        try await read(
            "SELECT * FROM program_tokens WHERE \(holder.condition) ORDER BY created_at, id", [holder.parameter]
        ).map { try StoredProgramToken($0) }
    }

    public func programToken(digests: [[UInt8]]) async throws -> FoundProgramToken? {
        try await read(
            """
            SELECT program_tokens.*, username, users.created_at AS user_created_at, disabled_at, \(User.rolesColumn)
            FROM program_tokens LEFT JOIN users ON users.id = user_id WHERE digest = ANY ($1)
            """, [PostgresArray(digests.map { $0 })]
        ).first.map { row in
            let token = try StoredProgramToken(row)
            let owner = token.holder.user == nil ? nil : try User(row, id: "user_id", createdAt: "user_created_at")
            return FoundProgramToken(token: token, digest: try row["digest"], owner: owner)
        }
    }

    public func useProgramToken(
        id: ProgramToken.ID, at now: Date, unlessUsedAfter earlier: Date, replacing digest: [UInt8],
        with other: [UInt8]
    ) async throws -> Bool {
        try await write(
            Statement(
                """
                UPDATE program_tokens SET last_used_at = greatest(last_used_at, $2), digest = $5
                WHERE id = $1 AND digest = $4 AND (coalesce(last_used_at <= $3, true) OR digest <> $5)
                """, [id, now, earlier, digest, other])
        )[0].changedCount == 1
    }

    public func rotateProgramToken(
        id: ProgramToken.ID, of holder: ProgramToken.Holder, to successor: ProgramTokenSuccessor, endingAt end: Date,
        limit: Int, recording event: AuthEvent
    ) async throws -> ProgramTokenRotation {
        let now = successor.createdAt
        let rows = try await write(
            Self.locking(holder) + [
                Statement(
                    """
                    INSERT INTO program_tokens (
                        id, user_id, service_id, name, scopes, digest, last_four, created_at, lifetime, expires_at)
                    SELECT $2, user_id, service_id, name, scopes, $3, $4, $5, $8::bigint,
                        $5 + $8::bigint * interval '1 second'
                    FROM program_tokens
                    WHERE id = $6 AND \(holder.condition) AND \(holder.isActive) AND rotated_at IS NULL
                        AND coalesce(expires_at > $5, true) AND \(holder.countLive(at: "$5")) < $7
                    RETURNING *
                    """,
                    [
                        holder.parameter, successor.id, successor.digest, successor.lastFour, now, id, limit,
                        successor.lifetime,
                    ],
                    recording: event),
                Statement(
                    """
                    SELECT coalesce(expires_at > $3, true) AS is_live, rotated_at IS NOT NULL AS is_rotated
                    FROM program_tokens
                    WHERE id = $2 AND \(holder.condition) AND \(holder.isActive)
                    """, [holder.parameter, id, now]),
                Statement(
                    """
                    UPDATE program_tokens SET expires_at = least(expires_at, $3), rotated_at = $4
                    WHERE id = $1 AND EXISTS (SELECT FROM program_tokens WHERE id = $2) RETURNING expires_at
                    """, [id, successor.id, end, now]),
                loggingRevocations(
                    of: "session_id", at: "$1",
                    """
                    SELECT id AS session_id, \(Self.tokenExpiry(at: "$1")) AS expires_at FROM program_tokens
                    WHERE id = $2 AND expires_at <= $1 AND EXISTS (SELECT FROM program_tokens WHERE id = $3)
                    """, [now, id, successor.id]),
                Self.forgettingExpired(of: holder, at: now),
            ])
        if let row = rows[2].first {
            return .rotated(
                try StoredProgramToken(row), previousExpiresAt: try rows[4].first?["expires_at"] ?? end,
                revocation: try rows[5].first.map(Revocation.init))
        }
        guard let found = rows[3].first else { return .notFound }
        guard try found["is_live"] else { return .expired }
        return try found["is_rotated"] ? .rotatedBefore : .limitReached
    }

    public func deleteProgramToken(
        id: ProgramToken.ID, of holder: ProgramToken.Holder, at now: Date, recording event: AuthEvent
    ) async throws -> Revocation? {
        try await write(
            Self.locking(holder) + [
                loggingRevocations(
                    of: "session_id", at: "$2",
                    """
                    DELETE FROM program_tokens WHERE id = $3 AND \(holder.condition)
                    RETURNING id AS session_id, \(Self.tokenExpiry(at: "$2")) AS expires_at
                    """, [holder.parameter, now, id], recording: [(event, .once)])
            ])[2].first.map(Revocation.init)
    }

    public func countProgramTokens(
        notMarked mark: [UInt8], at now: Date
    ) async throws -> (count: Int, unmarkedCount: Int) {
        let row = try await read(
            """
            SELECT count(*) AS count, count(*) FILTER (WHERE \(Self.isUnmarked("digest", mark: "$1"))) AS unmarked
            FROM program_tokens WHERE coalesce(expires_at > $2, true)
            """, [mark, now]
        ).first
        return (try row?["count"] ?? 0, try row?["unmarked"] ?? 0)
    }

    public func programTokens(
        notMarked mark: [UInt8], at now: Date, limit: Int
    ) async throws -> [StoredProgramToken] {
        try await read(
            """
            SELECT * FROM program_tokens
            WHERE coalesce(expires_at > $2, true) AND (\(Self.isUnmarked("digest", mark: "$1"))) ORDER BY id LIMIT $3
            """, [mark, now, limit]
        ).map { try StoredProgramToken($0) }
    }

    public func deleteProgramTokens(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "program_tokens", by: "id", where: "expires_at < $1", date, limit: limit)
    }

    /// Statements that keep others from changing the holder, or its tokens, until the end of the
    /// transaction. An account's owner comes first: deleting the user changes the account as well.
    static func locking(_ holder: ProgramToken.Holder) -> [Statement] {
        switch holder {
        case .user(let id): [Statement("SELECT"), Statement(lockUser, [id])]
        case .service(let id):
            [
                Statement(
                    """
                    SELECT FROM users WHERE id = (SELECT owner_id FROM service_accounts WHERE id = $1)
                    FOR KEY SHARE
                    """, [id]),
                Statement("SELECT FROM service_accounts WHERE id = $1 FOR UPDATE", [id]),
            ]
        }
    }

    /// Expiry, as an SQL expression, of an entry that refuses a token.
    static func tokenExpiry(at time: String) -> String {
        expiry(at: time, tokensUntil: "\(time) + interval '\(ProgramTokens.memory) seconds'")
    }

    /// Makes a statement that deletes the tokens that expired longest ago, beyond the limit of
    /// those.
    private static func forgettingExpired(of holder: ProgramToken.Holder, at now: Date) -> Statement {
        Statement(
            """
            DELETE FROM program_tokens WHERE id IN (
                SELECT id FROM program_tokens WHERE \(holder.condition) AND expires_at <= $2
                ORDER BY expires_at DESC, id DESC OFFSET $3)
            """, [holder.parameter, now, ProgramToken.expiredLimit])
    }
}

extension ProgramToken.Holder {
    fileprivate var parameter: any PostgresParameter {
        switch self {
        case .user(let id): id
        case .service(let id): id
        }
    }

    /// Condition of the holder's tokens, with ``parameter`` as `$1`.
    fileprivate var condition: String {
        switch self {
        case .user: "user_id = $1"
        case .service: "service_id = $1"
        }
    }

    /// Condition that tokens can be made for the holder.
    fileprivate var isActive: String {
        switch self {
        case .user: "EXISTS (SELECT FROM users WHERE users.id = $1 AND disabled_at IS NULL)"
        case .service: "EXISTS (SELECT FROM service_accounts WHERE service_accounts.id = $1)"
        }
    }

    /// Number of live tokens, as an SQL expression.
    fileprivate func countLive(at time: String) -> String {
        "(SELECT count(*) FROM program_tokens WHERE \(condition) AND coalesce(expires_at > \(time), true))"
    }
}

// MARK: - Rows

extension StoredProgramToken {
    fileprivate init(_ row: Row) throws {
        let (user, service): (User.ID?, String?) = try (row["user_id"], row["service_id"])
        self.init(
            id: try row["id"], holder: user.map { .user($0) } ?? .service(service ?? ""), name: try row["name"],
            scopes: Session.scope(try row["scopes"]) ?? [], lastFour: try row["last_four"],
            createdAt: try row["created_at"], lifetime: try row["lifetime"], expiresAt: try row["expires_at"],
            lastUsedAt: try row["last_used_at"], rotatedAt: try row["rotated_at"])
    }
}
