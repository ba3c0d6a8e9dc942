import Foundation

/// The door to sessions: start one, renew it, list and end them.
///
/// A session is what a password opens. Every access token belongs to one and carries its id as
/// `sid`, so ending the session ends them all.
public final class Sessions: Sendable {
    let storage: any Storage
    let accessTokens: AccessTokens
    let refreshTokens: RefreshTokens
    let revocations: Revocations
    let inactivityTimeout: TimeInterval
    let timebox: TimeInterval
    let limit: Int
    let now: @Sendable () -> Date

    init(
        storage: any Storage, accessTokens: AccessTokens, refreshTokens: RefreshTokens, revocations: Revocations,
        configuration: AuthConfiguration
    ) {
        self.storage = storage
        self.accessTokens = accessTokens
        self.refreshTokens = refreshTokens
        self.revocations = revocations
        inactivityTimeout = TimeInterval(configuration.sessionInactivityTimeout)
        timebox = TimeInterval(configuration.sessionTimebox)
        limit = configuration.sessionLimit
        now = configuration.now
    }

    // MARK: Starting

    /// Starts a session for who just gave a password, with a refresh token.
    ///
    /// Stored: the session and a keyed digest of the refresh token. A user's oldest sessions beyond
    /// the configured number are ended.
    /// - Throws: `insufficient_user_authentication` when `identity` came by a token;
    ///   `invalid_credentials` when the user has been deleted or the password changed meanwhile.
    public func start(for identity: Identity, from origin: SessionOrigin = .init()) async throws -> SessionTokens {
        guard identity.method == .password else {
            throw AuthError(
                .insufficientUserAuthentication, "Unauthorized Access: a session is started with a password only")
        }
        let now = now()
        let id = Session.ID(at: now)
        let refresh = refreshTokens.first(of: id)
        let session = Session(
            id: id, userID: identity.userID, createdAt: identity.authenticatedAt, lastUsedAt: now,
            expiresAt: min(
                now.addingTimeInterval(inactivityTimeout), identity.authenticatedAt.addingTimeInterval(timebox)),
            origin: origin, isRenewable: true)
        try await insert(session, of: identity, refreshDigest: refreshTokens.digest(of: refresh))
        return SessionTokens(
            access: try accessTokens.issue(for: identity, in: session, duration: accessTokens.duration),
            refresh: refresh)
    }

    /// An access token alone, as the ancestor gives it: a password starts a session that ends with
    /// the token, a live token prolongs its own where the renewal policy allows it.
    /// - Throws: `insufficient_user_authentication` when only a password will do;
    ///   `invalid_credentials`, `invalid_token`.
    public func token(for identity: Identity, from origin: SessionOrigin = .init()) async throws -> AccessToken {
        let now = now()
        let duration = try accessTokens.permittedDuration(for: identity)
        let expiresAt = now.addingTimeInterval(TimeInterval(duration))
        if let id = identity.sessionID {
            guard let stored = try await storage.prolongSession(id: id, until: expiresAt, at: now),
                !stored.user.isDisabled
            else {
                throw AuthError.invalidToken
            }
            return try accessToken(for: stored.user, in: stored.session, duration: duration)
        }
        let session = Session(
            id: Session.ID(at: now), userID: identity.userID, createdAt: identity.authenticatedAt, lastUsedAt: now,
            expiresAt: expiresAt,
            origin: origin, isRenewable: false)
        try await insert(session, of: identity, refreshDigest: nil)
        return try accessTokens.issue(for: identity, in: session, duration: duration)
    }

    private func insert(_ session: Session, of identity: Identity, refreshDigest: [UInt8]?) async throws {
        guard
            let ended = try await storage.insertSession(
                session, passwordVersion: identity.passwordVersion, refreshDigest: refreshDigest, limit: limit)
        else { throw AuthError.invalidCredentials }
        AuthEvent.sessionStarted(userID: session.userID, session.id).record()
        revocations.applyEnded(ended)
    }

    // MARK: Renewing

    /// Trades a refresh token for its successor and an access token.
    ///
    /// The same token may come again until its successor has been used, and gets the same
    /// successor. When it comes after that, its session is ended: two hold what one should (RFC
    /// 9700 section 4.14.2).
    /// - Throws: `refresh_token_reused`, `session_expired`, `invalid_grant` for everything else
    ///   that is no good.
    public func refresh(_ presented: String) async throws -> SessionTokens {
        guard let token = refreshTokens.token(presented) else { throw AuthError.invalidGrant }
        switch try await storage.rotate(rotation(of: token)) {
        case .renewed(let session, let user):
            return SessionTokens(
                access: try accessToken(for: user, in: session, duration: accessTokens.duration),
                refresh: refreshTokens.successor(of: token))
        case .reused(let user, let line):
            AuthEvent.refreshTokenReused(userID: user, token.sessionID).record()
            revocations.applyEnded([line])
            throw AuthError(
                .refreshTokenReused,
                "this refresh token was used before, and so was its successor: the session has been ended")
        case .expired: throw AuthError(.sessionExpired, "the session has expired: sign in again")
        case .refused: throw AuthError.invalidGrant
        }
    }

    /// With the roles that the user has now.
    private func accessToken(for user: User, in session: Session, duration: Int) throws -> AccessToken {
        try accessTokens.issue(for: Identity(user, in: session), in: session, duration: duration)
    }

    private func rotation(of token: RefreshToken) -> RefreshRotation {
        RefreshRotation(
            sessionID: token.sessionID, generation: token.generation, digest: refreshTokens.digest(of: token),
            successorDigest: refreshTokens.digest(of: refreshTokens.successor(of: token)), now: now(),
            inactivityTimeout: inactivityTimeout, timebox: timebox)
    }

    // MARK: Looking

    /// At most `limit` live sessions of a user (1 to 1000), newest first, after the one with that
    /// id.
    public func list(of user: User.ID, after id: Session.ID? = nil, limit: Int = 100) async throws -> [Session] {
        try await storage.sessions(of: user, before: id, limit: min(max(limit, 1), 1000), at: now())
    }

    /// The session behind a refresh token that would be accepted; looking does not use it.
    package func session(ofRefreshToken presented: String) async throws -> StoredSession? {
        guard let token = refreshTokens.token(presented), let stored = try await storage.session(id: token.sessionID)
        else { return nil }
        return switch rotation(of: token).step(for: stored) {
        case .advance, .repeatAnswer: stored
        case .endSession, .refuse, .refuseExpired: nil
        }
    }

    // MARK: Ending

    /// Signs out: ends the session that a refresh token or an access token belongs to, also one
    /// that has expired.
    ///
    /// What is no token of ours, or of a session that has ended before, changes nothing and is no
    /// error.
    /// - Returns: whether a session was ended.
    @discardableResult
    public func end(presenting token: String) async throws -> Bool {
        guard let id = refreshTokens.token(token)?.sessionID ?? accessTokens.session(ofSigned: Array(token.utf8)) else {
            return false
        }
        return try await endSession(id, of: nil)
    }

    /// Ends one session, of that user when one is given.
    /// - Throws: `session_not_found`, also for another user's.
    public func end(_ id: Session.ID, of user: User.ID? = nil) async throws {
        guard try await endSession(id, of: user) else { throw AuthError(.sessionNotFound, "there is no such session") }
    }

    /// Ends all sessions of a user but one.
    /// - Returns: how many were ended.
    @discardableResult
    public func endAll(of user: User.ID, except kept: Session.ID? = nil) async throws -> Int {
        let lines = try await storage.endSessions(of: user, except: kept, at: now())
        revocations.applyEnded(lines)
        return lines.count
    }

    private func endSession(_ id: Session.ID, of user: User.ID?) async throws -> Bool {
        guard let line = try await storage.endSession(id: id, of: user, at: now()) else { return false }
        revocations.applyEnded([line])
        return true
    }
}

/// What a sign-in and a renewal give.
public struct SessionTokens: Sendable {
    public let access: AccessToken
    public let refresh: RefreshToken
}
