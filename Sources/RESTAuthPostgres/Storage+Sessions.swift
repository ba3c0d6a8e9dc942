public import Foundation
public import RESTAuth

extension SessionsRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            9, "sessions' facts",
            """
            -- In the order in which sign-ins lock them.
            LOCK TABLE users, sessions IN ACCESS EXCLUSIVE MODE;

            -- What the user has proven, and when. Both are NULL in a session that a node of an earlier version began:
            -- a password was given when it began, unless that is 1970, as for a Flask server's token, of which nobody
            -- knows. No row is written here: sign-ins wait for this transaction.
            ALTER TABLE sessions
                ADD COLUMN authenticated_at timestamptz,
                ADD COLUMN amr text,
                -- On whose behalf, and for how much; NULL for the user alone, and for everything.
                ADD COLUMN client_id text,
                ADD COLUMN scope text;

            -- NULL for a user without a password, as is the '!' of earlier versions: their nodes read no NULL.
            ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
            """)
    ]
}

extension PostgresStorage {
    public func insertSession(
        _ session: Session, passwordVersion: Int?, refreshDigest: [UInt8]?, limit: Int, recording event: AuthEvent
    ) async throws -> [Revocation]? {
        let rows = try await write(
            // The lock waits for others that start or end a session with that id, so that the end
            // of one is visible.
            Statement(Self.lockUser, [session.userID]),
            Statement("SELECT FROM sessions WHERE id = $1 FOR UPDATE", [session.id]),
            inserting(
                NewSession(session, refreshDigest: refreshDigest),
                "disabled_at IS NULL AND password_version = coalesce($10, password_version)", passwordVersion,
                recording: event),
            // Ids are in the order of creation unless a clock was set back; the new session stays
            // in any case.
            endingSessions(
                """
                id IN (SELECT id FROM sessions WHERE user_id = $2 AND id <> $3 ORDER BY id DESC OFFSET $4)
                AND EXISTS (SELECT FROM sessions WHERE id = $3)
                """, [session.userID, session.id, limit - 1], at: session.lastUsedAt, recording: event))
        return rows[2].count == 1 ? try rows[3].map(Revocation.init) : nil
    }

    public func session(id: Session.ID) async throws -> StoredSession? {
        try await read(
            """
            SELECT \(StoredSession.columns) FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1
            """, [id]
        ).first.map(StoredSession.init)
    }

    public func sessions(of user: User.ID, before id: Session.ID?, limit: Int, at now: Date) async throws -> [Session] {
        try await read(
            """
            SELECT \(Session.columns) FROM sessions
            WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) AND expires_at > $3 ORDER BY id DESC LIMIT $4
            """, [user, id, now, limit]
        ).map(Session.init)
    }

    public func prolongSession(id: Session.ID, until expiresAt: Date, at now: Date) async throws -> StoredSession? {
        try await write(
            isRepeatable: true,
            Statement(
                """
                UPDATE sessions
                SET last_used_at = $1, expires_at = CASE WHEN refresh_digest IS NULL THEN greatest(expires_at, $2)
                    ELSE expires_at END,
                    tokens_expire_at = greatest(tokens_expire_at, $2)
                FROM users WHERE users.id = user_id AND sessions.id = $3
                RETURNING \(StoredSession.columns)
                """, [now, expiresAt, id])
        )[0].first.map(StoredSession.init)
    }

    public func raiseSession(
        id: Session.ID, of user: User.ID, to authentication: Authentication, until expiresAt: Date, at now: Date,
        recording event: AuthEvent
    ) async throws -> StoredSession? {
        try await write(
            Statement(
                """
                UPDATE sessions
                SET authenticated_at = least(greatest(coalesce(authenticated_at, sessions.created_at), $3), $7),
                    amr = $4, last_used_at = $5, tokens_expire_at = greatest(tokens_expire_at, least(expires_at, $6))
                FROM users
                WHERE users.id = user_id AND disabled_at IS NULL AND sessions.id = $1 AND user_id = $2
                    AND expires_at > $5
                RETURNING \(StoredSession.columns)
                """,
                [
                    id, user, authentication.at, authentication.methods.text, now, expiresAt,
                    authentication.at.addingTimeInterval(TimeInterval(AccessTokenClaims.clockSlack)),
                ], recording: event)
        )[0].first.map(StoredSession.init)
    }

    /// Reads, decides, and writes only if the row is still as it was read; otherwise starts again.
    public func rotate(_ rotation: RefreshRotation) async throws -> RefreshOutcome {
        while true {
            guard let stored = try await session(id: rotation.sessionID) else { return .refused }
            switch rotation.step(for: stored) {
            case .advance:
                let session = rotation.renewed(stored.session)
                let rows = try await write(
                    isRepeatable: true,
                    Statement(
                        """
                        UPDATE sessions
                        SET generation = generation + 1, previous_digest = $1, refresh_digest = $2,
                            sibling_digests = '',
                            successor_given_at = $3, repeats = 0, last_used_at = $3, expires_at = $4,
                            tokens_expire_at = greatest(tokens_expire_at, $7)
                        WHERE id = $5 AND generation = $6
                        """,
                        [
                            rotation.digest, rotation.successorDigest(0), session.lastUsedAt, session.expiresAt,
                            session.id, stored.refresh.generation, rotation.tokenExpiresAt,
                        ]))
                if rows[0].changedCount == 1 {
                    return .renewed(session, stored.user, digest: rotation.successorDigest(0))
                }
                if rows.isRepeated, let present = try await self.session(id: session.id),
                    rotation.hasAdvanced(stored.refresh, to: present.refresh)
                {
                    return .renewed(present.session, present.user, digest: rotation.successorDigest(0))
                }
            case .repeatAnswer(let repetition):
                let session = rotation.repeated(stored.session)
                let rows = try await write(
                    isRepeatable: true,
                    Statement(
                        """
                        UPDATE sessions
                        SET sibling_digests = $1, successor_given_at = $2, repeats = repeats + 1, last_used_at = $3,
                            tokens_expire_at = greatest(tokens_expire_at, $8)
                        WHERE id = $4 AND generation = $5 AND sibling_digests = $6 AND repeats < $7
                        RETURNING id, repeats
                        """,
                        [
                            repetition.siblingDigests.packed, repetition.givenAt, session.lastUsedAt, session.id,
                            stored.refresh.generation, stored.refresh.siblingDigests.packed,
                            RefreshRotation.repeatLimit, rotation.tokenExpiresAt,
                        ],
                        recording: repetition.isRecorded
                            ? [(rotation.event(.refreshTokenRepeated, of: stored.user.id), .once)] : []))
                if rows[0].count == 1 {
                    return .repeated(session, stored.user, successor: repetition.successor, digest: repetition.digest)
                }
            case .endSession:
                let rows = try await write(
                    endingSessions(
                        "id = $2", [rotation.sessionID], at: rotation.now,
                        recording: rotation.event(.refreshTokenReused, of: stored.user.id), withCause: true))
                guard let line = try rows[0].first.map(Revocation.init) else { return .refused }
                return .reused(stored.user.id, line)
            case .refuseExpired: return .expired
            case .refuseRepeat: return .exhausted(stored.user.id)
            case .refuse: return .refused
            }
        }
    }

    public func endSession(
        id: Session.ID, of user: User.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> Revocation? {
        try await write(
            endingSessions(
                "id = $2 AND user_id = coalesce($3, user_id)", [id, user], at: now, recording: cause)
        )[0].first.map(Revocation.init)
    }

    public func endSessions(
        of user: User.ID, except kept: Session.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation] {
        try await write(
            Statement(Self.lockUser, [user]),
            endingSessions(
                "user_id = $2 AND id IS DISTINCT FROM $3", [user, kept], at: now, recording: cause)
        )[1].map(Revocation.init)
    }

    public func renewableSessions(notMarked mark: [UInt8], at now: Date) async throws -> RenewableSessions {
        let unmarked = Self.isUnmarked("refresh_digest", "previous_digest", mark: "$1")
        let row = try await read(
            """
            SELECT count(*) AS count, count(*) FILTER (WHERE \(unmarked)) AS unmarked,
                max(expires_at) FILTER (WHERE \(unmarked)) AS last_expiry
            FROM sessions WHERE refresh_digest IS NOT NULL AND expires_at > $2
            """, [mark, now]
        ).first
        return RenewableSessions(
            count: try row?["count"] ?? 0, unmarkedCount: try row?["unmarked"] ?? 0,
            lastUnmarkedExpiry: try row?["last_expiry"])
    }

    public func endSessions(
        notMarked mark: [UInt8], limit: Int, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation] {
        try await write(
            endingSessions(
                """
                id = ANY (ARRAY(
                    SELECT id FROM sessions WHERE refresh_digest IS NOT NULL
                        AND (\(Self.isUnmarked("refresh_digest", "previous_digest", mark: "$2"))) LIMIT $3 FOR UPDATE))
                """, [mark, limit], at: now, recording: cause))[0].map(Revocation.init)
    }

    /// Condition that one of those columns has a value that does not begin with `mark`, as none
    /// does that is no longer than a value without a mark: 32 bytes for a digest.
    static func isUnmarked(_ columns: String..., mark: String, longerThan length: Int = 32) -> String {
        columns.map {
            "coalesce(NOT (length(\($0)) > \(length) AND substr(\($0), 1, length(\(mark))) = \(mark)), false)"
        }.joined(separator: " OR ")
    }

    public func deleteSessions(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(
            from: "sessions", by: "id", where: "expires_at < $1 AND tokens_expire_at < $1", date, limit: limit)
    }

    /// Makes a statement that stores a session if its user exists, `condition` holds for the user's
    /// row (with `parameter` as `$10`), and no session with that id has been ended. If it was
    /// stored, the event is recorded and one row returned.
    func inserting(
        _ new: NewSession, _ condition: String, _ parameter: any PostgresParameter, recording event: AuthEvent
    ) -> Statement {
        let session = new.session
        return Statement(
            """
            INSERT INTO sessions (
                id, user_id, created_at, last_used_at, expires_at, address, user_agent, refresh_digest,
                tokens_expire_at, authenticated_at, amr, client_id, scope)
            SELECT $1, id, $2, $3, $4, $5, $6, $7, $8, $11, $12, $13, $14 FROM users
            WHERE id = $9 AND \(condition) AND NOT EXISTS (SELECT FROM revocations WHERE session_id = $1)
            ON CONFLICT (id) DO NOTHING RETURNING id
            """,
            [
                session.id, session.createdAt, session.lastUsedAt, session.expiresAt, session.origin.address,
                session.origin.userAgent,
                new.refreshDigest, session.tokensExpireAt, session.userID, parameter,
                session.authentication.at, session.authentication.methods.text, session.clientID, session.scopeText,
            ], recording: event)
    }

    /// Makes a statement that deletes the sessions for which `condition` holds, writes a revocation
    /// log entry for each and records its end.
    /// - Parameters:
    ///   - parameters: the parameters of the condition, from `$2` on.
    ///   - cause: the event that ends the sessions.
    ///   - withCause: whether the cause itself is recorded too, if any session ends.
    func endingSessions(
        _ condition: String, _ parameters: [any PostgresParameter], at now: Date, recording cause: AuthEvent,
        withCause: Bool = false
    ) -> Statement {
        loggingRevocations(
            of: "session_id", at: "$1",
            """
            DELETE FROM sessions WHERE \(condition)
            RETURNING id AS session_id, user_id, \(Self.expiry(at: "$1", tokensUntil: "tokens_expire_at")) AS expires_at
            """, [now] + parameters,
            recording: [(cause.ending(nil, of: nil), .forEachSession)] + (withCause ? [(cause, .once)] : []))
    }
}

// MARK: - Rows

extension Session {
    fileprivate static let columns = """
        sessions.id, user_id, sessions.created_at, coalesce(authenticated_at, sessions.created_at) AS authenticated_at,
        coalesce(amr, CASE WHEN sessions.created_at = 'epoch' THEN '' ELSE 'pwd' END) AS amr, client_id, scope,
        last_used_at, expires_at, address, user_agent, refresh_digest, tokens_expire_at
        """

    init(_ row: Row) throws {
        let refreshDigest: [UInt8]? = try row["refresh_digest"]
        self.init(
            id: try row["id"], userID: try row["user_id"], createdAt: try row["created_at"],
            authenticatedAt: try row["authenticated_at"] as Date,
            methods: Authentication.Method.list(in: try row["amr"]), clientID: try row["client_id"],
            scope: Session.scope(try row["scope"]),
            lastUsedAt: try row["last_used_at"],
            expiresAt: try row["expires_at"],
            origin: SessionOrigin(address: try row["address"], userAgent: try row["user_agent"]),
            isRenewable: refreshDigest != nil, tokensExpireAt: try row["tokens_expire_at"] as Date)
    }
}

extension StoredSession {
    fileprivate static let columns = """
        \(Session.columns), generation, sibling_digests, previous_digest, successor_given_at, repeats,
        username, users.created_at AS user_created_at, disabled_at, \(User.rolesColumn)
        """

    init(_ row: Row) throws {
        self.init(
            session: try Session(row), user: try User(row, id: "user_id", createdAt: "user_created_at"),
            refresh: RefreshState(
                generation: try row["generation"], digest: try row["refresh_digest"],
                siblingDigests: [[UInt8]](packed: try row["sibling_digests"]),
                previousDigest: try row["previous_digest"],
                givenAt: try row["successor_given_at"], repeats: try row["repeats"]))
    }
}
