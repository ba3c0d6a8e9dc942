public import Foundation
import GRDB
public import RESTAuth

extension SessionsRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            9, "sessions' facts",
            """
            -- What the user has proven, and when. Both are NULL in a session of an earlier version: a
            -- password was given when it began, unless that is 1970, as for a Flask server's token, of
            -- which nobody knows.
            ALTER TABLE sessions ADD COLUMN authenticated_at REAL;
            ALTER TABLE sessions ADD COLUMN amr TEXT;
            -- On whose behalf, and for how much; NULL for the user alone, and for everything.
            ALTER TABLE sessions ADD COLUMN client_id TEXT;
            ALTER TABLE sessions ADD COLUMN scope TEXT;

            DROP TRIGGER session_begins;
            DROP TRIGGER session_ends;
            CREATE TABLE users_9 (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                username TEXT NOT NULL CHECK (length(CAST(username AS BLOB)) BETWEEN 1 AND 256),
                canonical_username TEXT NOT NULL UNIQUE,
                -- NULL for a user without a password, as is the '!' of earlier versions.
                password_hash TEXT,
                created_at REAL NOT NULL,
                password_changed_at REAL NOT NULL,
                disabled_at REAL,
                password_version INTEGER NOT NULL DEFAULT 1,
                -- Kept by the triggers below, so that a sign-in need not count.
                session_count INTEGER NOT NULL DEFAULT 0 CHECK (session_count >= 0),
                -- The id that the user had where the tokens come from that are still out.
                legacy_id INTEGER
            ) STRICT;
            INSERT INTO users_9
            SELECT id, username, canonical_username, password_hash, created_at,
                password_changed_at, disabled_at, password_version, session_count, legacy_id
            FROM users;
            -- No id is given twice, also when the last users have been deleted.
            DELETE FROM sqlite_sequence WHERE name = 'users_9';
            INSERT INTO sqlite_sequence (name, seq)
            SELECT 'users_9', seq FROM sqlite_sequence WHERE name = 'users';
            DROP TABLE users;
            ALTER TABLE users_9 RENAME TO users;
            CREATE UNIQUE INDEX users_by_legacy_id ON users (legacy_id) WHERE legacy_id IS NOT NULL;
            CREATE TRIGGER session_begins AFTER INSERT ON sessions BEGIN
                UPDATE users SET session_count = session_count + 1 WHERE id = NEW.user_id;
            END;
            CREATE TRIGGER session_ends AFTER DELETE ON sessions BEGIN
                UPDATE users SET session_count = session_count - 1 WHERE id = OLD.user_id;
            END;
            """)
    ]
}

extension SQLiteStorage {
    public func insertSession(
        _ session: Session, passwordVersion: Int?, refreshDigest: [UInt8]?, limit: Int, recording event: AuthEvent
    ) async throws -> [Revocation]? {
        try await write { database in
            let new = NewSession(session, refreshDigest: refreshDigest)
            guard try database.insert(new, passwordVersion: passwordVersion, recording: event) else { return nil }
            let count = try database.row("SELECT session_count FROM users WHERE id = ?", [session.userID]) {
                try $0["session_count"] as Int
            }
            guard let count, count > limit else { return [] }
            // Ids are in the order of creation unless a clock was set back; the new session stays
            // in any case.
            return try database.endSessions(
                "user_id = ? AND id <> ? ORDER BY id LIMIT ?",
                [session.userID, session.id.description, count - limit], at: session.lastUsedAt, recording: event)
        }
    }

    public func session(id: Session.ID) async throws -> StoredSession? {
        try read { try $0.session(id: id) }
    }

    public func sessions(of user: User.ID, before id: Session.ID?, limit: Int, at now: Date) async throws -> [Session] {
        try read { database in
            try database.rows(
                """
                SELECT \(Session.columns) FROM sessions
                WHERE user_id = ? AND id < ? AND expires_at > ? ORDER BY id DESC LIMIT ?
                """,
                // Every id sorts before "g".
                [user, id?.description ?? "g", now.timeIntervalSince1970, limit], Session.init)
        }
    }

    public func prolongSession(id: Session.ID, until expiresAt: Date, at now: Date) async throws -> StoredSession? {
        try await write { database in
            try database.run(
                """
                UPDATE sessions
                SET last_used_at = ?1, expires_at = iif(refresh_digest IS NULL, max(expires_at, ?2), expires_at),
                    tokens_expire_at = max(tokens_expire_at, ?2)
                WHERE id = ?3
                """, [now.timeIntervalSince1970, expiresAt.timeIntervalSince1970, id.description])
            return try database.session(id: id)
        }
    }

    public func raiseSession(
        id: Session.ID, of user: User.ID, to authentication: Authentication, until expiresAt: Date, at now: Date,
        recording event: AuthEvent
    ) async throws -> StoredSession? {
        try await write { database in
            try database.run(
                """
                UPDATE sessions
                SET authenticated_at = min(max(ifnull(authenticated_at, created_at), ?3), ?3 + ?7), amr = ?4,
                    last_used_at = ?5,
                    tokens_expire_at = max(tokens_expire_at, min(expires_at, ?6))
                WHERE id = ?1 AND user_id = ?2 AND expires_at > ?5
                    AND EXISTS (SELECT 1 FROM users WHERE users.id = ?2 AND disabled_at IS NULL)
                """,
                [
                    id.description, user, authentication.at.timeIntervalSince1970, authentication.methods.text,
                    now.timeIntervalSince1970, expiresAt.timeIntervalSince1970, AccessTokenClaims.clockSlack,
                ])
            guard database.changesCount == 1 else { return nil }
            try database.append(event)
            return try database.session(id: id)
        }
    }

    public func rotate(_ rotation: RefreshRotation) async throws -> RefreshOutcome {
        try await write { database in
            guard let stored = try database.session(id: rotation.sessionID) else { return .refused }
            switch rotation.step(for: stored) {
            case .advance:
                let session = rotation.renewed(stored.session)
                try database.run(
                    """
                    UPDATE sessions
                    SET generation = generation + 1, previous_digest = ?, refresh_digest = ?, sibling_digests = x'',
                        successor_given_at = ?, repeats = 0, last_used_at = ?, expires_at = ?, tokens_expire_at = ?
                    WHERE id = ?
                    """,
                    [
                        Data(rotation.digest), Data(rotation.successorDigest(0)), rotation.now.timeIntervalSince1970,
                        session.lastUsedAt.timeIntervalSince1970, session.expiresAt.timeIntervalSince1970,
                        session.tokensExpireAt.timeIntervalSince1970, session.id.description,
                    ])
                return .renewed(session, stored.user, digest: rotation.successorDigest(0))
            case .repeatAnswer(let repetition):
                let session = rotation.repeated(stored.session)
                try database.run(
                    """
                    UPDATE sessions
                    SET sibling_digests = ?, successor_given_at = ?, repeats = repeats + 1, last_used_at = ?,
                        tokens_expire_at = ?
                    WHERE id = ?
                    """,
                    [
                        Data(repetition.siblingDigests.packed), repetition.givenAt.timeIntervalSince1970,
                        session.lastUsedAt.timeIntervalSince1970, session.tokensExpireAt.timeIntervalSince1970,
                        session.id.description,
                    ])
                if repetition.isRecorded {
                    try database.append(rotation.event(.refreshTokenRepeated, of: stored.user.id))
                }
                return .repeated(session, stored.user, successor: repetition.successor, digest: repetition.digest)
            case .endSession:
                let event = rotation.event(.refreshTokenReused, of: stored.user.id)
                let lines = try database.endSessions(
                    "id = ?", [rotation.sessionID.description], at: rotation.now, recording: event)
                guard let line = lines.first else { return .refused }
                try database.append(event)
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
        try await write { database in
            try database.endSessions(
                "id = ? AND user_id = coalesce(?, user_id)", [id.description, user], at: now, recording: cause
            ).first
        }
    }

    public func endSessions(
        of user: User.ID, except kept: Session.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation] {
        try await write { try $0.endSessions(of: user, except: kept, at: now, recording: cause) }
    }

    public func renewableSessions(notMarked mark: [UInt8], at now: Date) async throws -> RenewableSessions {
        let unmarked = Self.isUnmarked("refresh_digest", "previous_digest")
        return try read { database in
            try database.row(
                """
                SELECT count(*) AS count, count(*) FILTER (WHERE \(unmarked)) AS unmarked,
                    max(expires_at) FILTER (WHERE \(unmarked)) AS last_expiry
                FROM sessions WHERE refresh_digest IS NOT NULL AND expires_at > :now
                """, ["mark": Data(mark), "now": now.timeIntervalSince1970]
            ) { row in
                try RenewableSessions(
                    count: row["count"], unmarkedCount: row["unmarked"], lastUnmarkedExpiry: row["last_expiry"])
            } ?? RenewableSessions(count: 0, unmarkedCount: 0, lastUnmarkedExpiry: nil)
        }
    }

    public func endSessions(
        notMarked mark: [UInt8], limit: Int, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation] {
        try await write { database in
            try database.endSessions(
                """
                refresh_digest IS NOT NULL AND (\(Self.isUnmarked("refresh_digest", "previous_digest"))) LIMIT :limit
                """, ["mark": Data(mark), "limit": limit], at: now, recording: cause)
        }
    }

    /// Condition that one of those columns has a value that does not begin with `:mark`, as none
    /// does that is no longer than a value without a mark: 32 bytes for a digest.
    static func isUnmarked(_ columns: String..., longerThan length: Int = 32) -> String {
        columns.map { "ifnull(NOT (length(\($0)) > \(length) AND substr(\($0), 1, length(:mark)) = :mark), 0)" }
            .joined(separator: " OR ")
    }

    public func deleteSessions(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(
            from: "sessions", by: "id", where: "expires_at < ?1 AND tokens_expire_at < ?1", date, limit: limit)
    }
}

extension Database {
    /// Stores a session if its user exists, is not disabled, and has the password of that version
    /// (`nil` for any), and no session with that id exists or has been ended.
    /// - Returns: whether it was stored.
    @discardableResult
    func insert(_ new: NewSession, passwordVersion: Int?, recording event: AuthEvent) throws -> Bool {
        let session = new.session
        try run(
            """
            INSERT INTO sessions (
                id, user_id, created_at, last_used_at, expires_at, address, user_agent, refresh_digest,
                tokens_expire_at, authenticated_at, amr, client_id, scope)
            SELECT ?1, id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?11, ?12, ?13, ?14 FROM users
            WHERE id = ?9 AND disabled_at IS NULL AND password_version = coalesce(?10, password_version)
                AND NOT EXISTS (SELECT 1 FROM revocations WHERE session_id = ?1)
            ON CONFLICT (id) DO NOTHING
            """,
            [
                session.id.description, session.createdAt.timeIntervalSince1970,
                session.lastUsedAt.timeIntervalSince1970,
                session.expiresAt.timeIntervalSince1970, session.origin.address, session.origin.userAgent,
                new.refreshDigest.map { Data($0) }, session.tokensExpireAt.timeIntervalSince1970,
                session.userID, passwordVersion, session.authentication.at.timeIntervalSince1970,
                session.authentication.methods.text, session.clientID, session.scopeText,
            ])
        guard changesCount == 1 else { return false }
        try append(event)
        return true
    }

    func session(id: Session.ID) throws -> StoredSession? {
        try row(
            """
            SELECT \(StoredSession.columns) FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = ?
            """, [id.description], StoredSession.init)
    }

    func endSessions(
        of user: User.ID, except kept: Session.ID?, at now: Date, recording cause: AuthEvent
    ) throws -> [Revocation] {
        try endSessions("user_id = ? AND id IS NOT ?", [user, kept?.description], at: now, recording: cause)
    }

    /// Deletes the sessions for which `condition` holds, writes a revocation log entry for each and
    /// records its end.
    fileprivate func endSessions(
        _ condition: String, _ arguments: StatementArguments, at now: Date, recording cause: AuthEvent
    ) throws -> [Revocation] {
        try rows("SELECT id, user_id, tokens_expire_at FROM sessions WHERE \(condition)", arguments) { row in
            try (row["id"] as Session.ID, row["user_id"] as User.ID, row["tokens_expire_at"] as Date)
        }.map { id, user, tokensExpireAt in
            try run("DELETE FROM sessions WHERE id = ?", [id.description])
            try append(cause.ending(id, of: user))
            return try appendRevocation(of: .session(id), at: now, tokensUntil: tokensExpireAt)
        }
    }
}

// MARK: - Rows

extension Session {
    fileprivate static let columns = """
        sessions.id, user_id, sessions.created_at, ifnull(authenticated_at, sessions.created_at) AS authenticated_at,
        ifnull(amr, iif(sessions.created_at = 0, '', 'pwd')) AS amr, client_id, scope, last_used_at, expires_at,
        address, user_agent, refresh_digest, tokens_expire_at
        """

    init(_ row: Row) throws {
        try self.init(
            id: row["id"], userID: row["user_id"], createdAt: row["created_at"],
            authenticatedAt: row["authenticated_at"], methods: Authentication.Method.list(in: row["amr"]),
            clientID: row["client_id"], scope: Session.scope(row["scope"]),
            lastUsedAt: row["last_used_at"], expiresAt: row["expires_at"],
            origin: SessionOrigin(address: row["address"], userAgent: row["user_agent"]),
            isRenewable: (row["refresh_digest"] as [UInt8]?) != nil, tokensExpireAt: row["tokens_expire_at"])
    }
}

extension StoredSession {
    fileprivate static let columns = """
        \(Session.columns), generation, sibling_digests, previous_digest, successor_given_at, repeats,
        username, users.created_at AS user_created_at, disabled_at, \(User.rolesColumn)
        """

    init(_ row: Row) throws {
        try self.init(
            session: Session(row), user: User(row, id: "user_id", createdAt: "user_created_at"),
            refresh: RefreshState(
                generation: row["generation"], digest: row["refresh_digest"],
                siblingDigests: [[UInt8]](packed: row["sibling_digests"]), previousDigest: row["previous_digest"],
                givenAt: row["successor_given_at"], repeats: row["repeats"]))
    }
}
