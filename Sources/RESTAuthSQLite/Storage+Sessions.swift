public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertSession(
        _ session: Session, passwordVersion: Int?, refreshDigest: [UInt8]?, limit: Int
    ) async throws -> [Revocation]? {
        try await write { database in
            try database.run(
                """
                INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, address, user_agent, refresh_digest)
                SELECT ?, id, ?, ?, ?, ?, ?, ? FROM users
                WHERE id = ? AND disabled_at IS NULL AND password_version = coalesce(?, password_version)
                """,
                [
                    session.id.description, session.createdAt.timeIntervalSince1970,
                    session.lastUsedAt.timeIntervalSince1970,
                    session.expiresAt.timeIntervalSince1970, session.origin.address, session.origin.userAgent,
                    refreshDigest.map { Data($0) },
                    session.userID, passwordVersion,
                ])
            guard database.changesCount == 1 else { return nil }
            let count = try database.row("SELECT session_count FROM users WHERE id = ?", [session.userID]) {
                $0["session_count"] as Int
            }
            guard let count, count > limit else { return [] }
            // Ids are in the order of creation, but for a clock that was set back: the new one
            // stays in any case.
            return try database.endSessions(
                "SELECT id FROM sessions WHERE user_id = ? AND id <> ? ORDER BY id LIMIT ?",
                [session.userID, session.id.description, count - limit], at: session.lastUsedAt)
        }
    }

    public func session(id: Session.ID) async throws -> StoredSession? {
        try read { try $0.session(id: id) }
    }

    public func sessions(of user: User.ID, before id: Session.ID?, limit: Int, at now: Date) async throws -> [Session] {
        try read { database in
            try database.rows(
                """
                SELECT id, user_id, created_at, last_used_at, expires_at, address, user_agent, refresh_digest FROM sessions
                WHERE user_id = ? AND id < ? AND expires_at > ? ORDER BY id DESC LIMIT ?
                """,
                // Every id is less than a "g".
                [user, id?.description ?? "g", now.timeIntervalSince1970, limit], Session.init
            ).compactMap(\.self)
        }
    }

    public func prolongSession(id: Session.ID, until expiresAt: Date, at now: Date) async throws -> StoredSession? {
        try await write { database in
            try database.run(
                """
                UPDATE sessions
                SET last_used_at = ?, expires_at = iif(refresh_digest IS NULL, max(expires_at, ?), expires_at)
                WHERE id = ?
                """, [now.timeIntervalSince1970, expiresAt.timeIntervalSince1970, id.description])
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
                    SET generation = generation + 1, previous_digest = refresh_digest, refresh_digest = ?, last_used_at = ?, expires_at = ?
                    WHERE id = ?
                    """,
                    [
                        Data(rotation.successorDigest), session.lastUsedAt.timeIntervalSince1970,
                        session.expiresAt.timeIntervalSince1970, session.id.description,
                    ])
                return .renewed(session, stored.user)
            case .repeatAnswer: return .renewed(stored.session, stored.user)
            case .endSession:
                let lines = try database.endSessions(
                    "SELECT id FROM sessions WHERE id = ?", [rotation.sessionID.description], at: rotation.now)
                return lines.first.map { .reused(stored.user.id, $0) } ?? .refused
            case .refuseExpired: return .expired
            case .refuse: return .refused
            }
        }
    }

    public func endSession(id: Session.ID, of user: User.ID?, at now: Date) async throws -> Revocation? {
        try await write { database in
            try database.endSessions(
                "SELECT id FROM sessions WHERE id = ? AND user_id = coalesce(?, user_id)", [id.description, user],
                at: now
            ).first
        }
    }

    public func endSessions(of user: User.ID, except kept: Session.ID?, at now: Date) async throws -> [Revocation] {
        try await write { try $0.endSessions(of: user, except: kept, at: now) }
    }

    public func deleteSessions(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await write { database in
            try database.run(
                "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ?)",
                [date.timeIntervalSince1970, limit])
            return database.changesCount
        }
    }
}

extension Database {
    func session(id: Session.ID) throws -> StoredSession? {
        try row(
            """
            SELECT sessions.id, user_id, sessions.created_at, last_used_at, expires_at, address, user_agent,
                generation, refresh_digest, previous_digest,
                username, users.created_at AS user_created_at, disabled_at, \(User.rolesColumn)
            FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = ?
            """, [id.description], StoredSession.init) ?? nil
    }

    func endSessions(of user: User.ID, except kept: Session.ID?, at now: Date) throws -> [Revocation] {
        try endSessions(
            "SELECT id FROM sessions WHERE user_id = ? AND id IS NOT ?", [user, kept?.description], at: now)
    }

    /// Deletes the sessions that `selection` names and writes a line for each.
    fileprivate func endSessions(_ selection: String, _ arguments: StatementArguments, at now: Date) throws
        -> [Revocation]
    {
        try rows(selection, arguments) { try $0.sessionID("id") }.compactMap(\.self).map { id in
            try run("DELETE FROM sessions WHERE id = ?", [id.description])
            return try appendRevocation(of: .session(id), at: now)
        }
    }
}

// MARK: - Rows

extension Session {
    init?(_ row: Row) throws {
        guard let id = try row.sessionID("id") else { return nil }
        self.init(
            id: id, userID: row["user_id"], createdAt: Date(timeIntervalSince1970: row["created_at"]),
            lastUsedAt: Date(timeIntervalSince1970: row["last_used_at"]),
            expiresAt: Date(timeIntervalSince1970: row["expires_at"]),
            origin: SessionOrigin(address: row["address"], userAgent: row["user_agent"]),
            isRenewable: (row["refresh_digest"] as Data?) != nil)
    }
}

extension StoredSession {
    init?(_ row: Row) throws {
        guard let session = try Session(row) else { return nil }
        self.init(
            session: session, user: User(row, id: "user_id", createdAt: "user_created_at"),
            refresh: RefreshState(
                generation: row["generation"], digest: (row["refresh_digest"] as Data?).map(Array.init),
                previousDigest: (row["previous_digest"] as Data?).map(Array.init)))
    }
}

extension Row {
    /// The session's id in that column; `nil` for NULL.
    func sessionID(_ column: String) throws -> Session.ID? {
        guard let text = self[column] as String? else { return nil }
        guard let id = Session.ID(text) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "no id of a session: \(text)")
        }
        return id
    }
}
