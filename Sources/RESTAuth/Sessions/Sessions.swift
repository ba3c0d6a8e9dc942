public import Foundation

/// Starts, renews, lists and ends sessions.
///
/// Every sign-in starts a session. Every access token belongs to one and carries its id as `sid`,
/// so ending the session ends all of its tokens.
public final class Sessions: Sendable {
    let storage: any Storage
    let accessTokens: AccessTokens
    let refreshTokens: RefreshTokens
    let revocations: Revocations
    let throttle: Throttle
    private let factors: Factors
    let inactivityTimeout: TimeInterval
    let timebox: TimeInterval
    let limit: Int
    let now: @Sendable () -> Date

    init(
        storage: any Storage, accessTokens: AccessTokens, refreshTokens: RefreshTokens, revocations: Revocations,
        throttle: Throttle, factors: Factors, configuration: AuthConfiguration
    ) {
        self.storage = storage
        self.accessTokens = accessTokens
        self.refreshTokens = refreshTokens
        self.revocations = revocations
        self.throttle = throttle
        self.factors = factors
        inactivityTimeout = TimeInterval(configuration.sessionInactivityTimeout)
        timebox = TimeInterval(configuration.sessionTimebox)
        limit = configuration.sessionLimit
        now = configuration.now
    }

    // MARK: Starting

    /// Starts a session with a refresh token for a user who has just signed in.
    ///
    /// Checked before anything is stored: how many sessions the user, and the users of the caller's
    /// network, have started (``ThrottleConfiguration/sessionsPerHour``). Stored: the session and a
    /// keyed digest of the refresh token. A user's oldest sessions beyond the configured number are
    /// ended.
    /// - Throws: `insufficient_user_authentication` when `identity` was proven by a token, and
    ///   `insufficient_scope` by a personal one; `mfa_enrollment_required`; `rate_limited` when too
    ///   many sessions were started; `forbidden` for claims of the adopter that are too long;
    ///   `invalid_credentials` when the user was deleted or disabled, or the password was changed,
    ///   in the meantime.
    public func start(for identity: UserIdentity, by caller: Caller = .application) async throws -> SessionTokens {
        try identity.requirePerson()
        guard identity.presented == .password else {
            throw AuthError(
                .insufficientUserAuthentication, "Unauthorized Access: a session is started with a password only")
        }
        let dueAt = try await factors.requireEnrollment(of: identity.userID)
        let (session, refresh) = renewable(for: identity, from: caller.origin)
        try await insert(session, of: identity, by: caller, refreshDigest: refreshTokens.digest(of: refresh))
        return SessionTokens(
            access: try await accessTokens.issue(for: identity, in: session, duration: accessTokens.duration),
            refresh: refresh, secondFactorDueAt: dueAt)
    }

    /// Makes a session with a refresh token, and that token; stores nothing.
    private func renewable(for identity: UserIdentity, from origin: SessionOrigin) -> (Session, RefreshToken) {
        let now = now()
        let id = Session.ID(at: now)
        let expiresAt = now.addingTimeInterval(min(inactivityTimeout, timebox))
        let session = Session(
            id: id, for: identity, from: origin, at: now, until: expiresAt, isRenewable: true,
            tokensExpireAt: min(expiresAt, now.addingTimeInterval(TimeInterval(accessTokens.duration))))
        return (session, refreshTokens.first(of: id))
    }

    /// Gives an access token without a refresh token, as the original Flask server does. A password
    /// starts a session that ends with the token; a live token prolongs its own session where the
    /// renewal policy allows it. A token of a Flask server starts its session the first time,
    /// unless the user has a factor besides the password, which the token does not prove.
    /// - Throws: `insufficient_user_authentication` when a password is needed; `mfa_required`,
    ///   `mfa_enrollment_required`; `rate_limited` when too many sessions were started;
    ///   `insufficient_scope` for a personal token; `invalid_credentials`, `invalid_token`.
    public func token(for identity: UserIdentity, by caller: Caller = .application) async throws -> AccessToken {
        try identity.requirePerson()
        let now = now()
        let duration = try accessTokens.permittedDuration(for: identity)
        _ = try await factors.requireEnrollment(of: identity.userID)
        let expiresAt = now.addingTimeInterval(TimeInterval(duration))
        if let id = identity.sessionID {
            var stored = try await storage.prolongSession(id: id, until: expiresAt, at: now)
            if stored == nil, let session = legacySession(of: identity, from: caller.origin, until: expiresAt, at: now)
            {
                guard try await !factors.belong(to: session.userID) else { throw AuthError.mfaRequired }
                try await checkClaims(of: session.userID)
                try throttle.countSession(of: session.userID, by: caller)
                try await insertOnce(session, of: identity, by: caller)
                stored = try await storage.prolongSession(id: id, until: expiresAt, at: now)
            }
            guard let stored, !stored.user.isDisabled else { throw AuthError.invalidToken }
            return try await accessTokens.issue(for: stored.user, in: stored.session, duration: duration)
        }
        let session = plain(for: identity, duration: duration, from: caller.origin)
        try await insert(session, of: identity, by: caller, refreshDigest: nil)
        return try await accessTokens.issue(for: identity, in: session, duration: duration)
    }

    /// Makes a session that ends with an access token of `duration` seconds; stores nothing.
    private func plain(for identity: UserIdentity, duration: Int, from origin: SessionOrigin) -> Session {
        let now = now()
        return Session(
            id: Session.ID(at: now), for: identity, from: origin, at: now,
            until: now.addingTimeInterval(TimeInterval(duration)))
    }

    /// Makes the session of a Flask server's token. That token counts as one of the session's, so
    /// an end of the session is remembered as long as the token lives. `nil` for an identity that
    /// did not come by such a token.
    private func legacySession(
        of identity: UserIdentity, from origin: SessionOrigin = .init(), until expiresAt: Date, at now: Date
    ) -> Session? {
        guard let id = identity.sessionID, let tokenExpiresAt = identity.flaskTokenExpiresAt else { return nil }
        return Session(
            id: id, for: identity, from: origin, at: now, until: expiresAt,
            tokensExpireAt: max(tokenExpiresAt, expiresAt))
    }

    private func insert(
        _ session: Session, of identity: UserIdentity, by caller: Caller, refreshDigest: [UInt8]?
    ) async throws {
        try await checkClaims(of: session.userID)
        try throttle.countSession(of: session.userID, by: caller)
        guard try await insertOnce(session, of: identity, by: caller, refreshDigest: refreshDigest) else {
            throw AuthError.invalidCredentials
        }
    }

    /// Checks that the user can be given a token, before anything is stored for one.
    /// - Throws: `forbidden` for claims that are too long.
    private func checkClaims(of user: User.ID) async throws { _ = try await accessTokens.customClaims(of: user) }

    /// Stores a session, records the event, and refuses the tokens of sessions that ended for it.
    /// - Returns: whether the session was stored; `false` also when its id is or was in use.
    @discardableResult
    private func insertOnce(
        _ session: Session, of identity: UserIdentity, by caller: Caller, refreshDigest: [UInt8]? = nil
    ) async throws -> Bool {
        let event = AuthEvent.sessionStarted(session)
            .by(caller.nowKnown(as: identity), at: session.lastUsedAt)
        guard
            let ended = try await storage.insertSession(
                session, passwordVersion: identity.passwordVersion, refreshDigest: refreshDigest, limit: limit,
                recording: event)
        else { return false }
        event.record()
        revocations.applyEnded(ended, of: session.userID, by: event)
        return true
    }

    // MARK: Replacing

    /// A session that takes the place of another, before it is stored.
    struct Replacement: Sendable {
        let new: NewSession
        let owner: UserIdentity
        let refresh: RefreshToken?
        /// Lifetime of its access token, in seconds.
        let duration: Int
    }

    /// Makes a session for a user who has just given the password, to replace the one that ends
    /// with the password change. It has a refresh token if the replaced session has one.
    /// - Parameters:
    ///   - identity: the identity whose session ends. The session of a Flask server's token may not
    ///     exist yet.
    ///   - stored: the user who has given the password.
    ///   - caller: the caller that starts the new session.
    /// - Throws: `invalid_token` when the replaced session has ended already; `mfa_required` for a
    ///   token of a Flask server whose user has another factor; `mfa_enrollment_required`,
    ///   `rate_limited`.
    func replacement(
        of identity: UserIdentity, for stored: StoredCredentials, by caller: Caller
    ) async throws -> Replacement {
        var replaced: Session?
        if let id = identity.sessionID {
            replaced = try await storage.session(id: id)?.session
            guard replaced != nil || identity.flaskTokenExpiresAt != nil else { throw AuthError.invalidToken }
        }
        let owner = try await owner(stored, replacing: replaced)
        _ = try await factors.requireEnrollment(of: stored.user)
        try await checkClaims(of: owner.userID)
        try throttle.countSession(of: owner.userID, by: caller)
        guard replaced?.isRenewable ?? false else {
            let duration = try accessTokens.permittedDuration(for: owner)
            let session = plain(for: owner, duration: duration, from: caller.origin)
            return Replacement(
                new: NewSession(session, refreshDigest: nil), owner: owner, refresh: nil, duration: duration)
        }
        let (session, refresh) = renewable(for: owner, from: caller.origin)
        return Replacement(
            new: NewSession(session, refreshDigest: refreshTokens.digest(of: refresh)), owner: owner, refresh: refresh,
            duration: accessTokens.duration)
    }

    /// The identity of a user who has given the password beside a token, with what is proven.
    ///
    /// The password counts as given now only if it is all that the user can prove: the user has no
    /// other factor, and the session was begun without one. Otherwise the methods and their time
    /// stay those of the session, so that whoever stole a token and knows the password gains
    /// nothing for which a sign-in would ask another factor.
    /// - Parameter session: the session of the token; `nil` for a Flask server's token that has
    ///   none yet.
    /// - Throws: `mfa_required` when there is no session and the user has another factor.
    private func owner(_ stored: StoredCredentials, replacing session: Session?) async throws -> UserIdentity {
        let hasOtherFactor = try await factors.belong(to: stored.user.id)
        guard let session else {
            guard !hasOtherFactor else { throw AuthError.mfaRequired }
            return UserIdentity(stored, authenticatedAt: now())
        }
        let isPasswordAll = !hasOtherFactor && session.authentication.methods.allSatisfy { $0 == .password }
        return UserIdentity(
            stored, methods: isPasswordAll ? .passwordAlone : session.authentication.methods,
            authenticatedAt: isPasswordAll ? now() : session.authentication.at, clientID: session.clientID,
            scope: session.scope)
    }

    /// Issues the tokens of a replacement that has been stored.
    func tokens(of replacement: Replacement) async throws -> ReplacementTokens {
        ReplacementTokens(
            access: try await accessTokens.issue(
                for: replacement.owner, in: replacement.new.session, duration: replacement.duration),
            refresh: replacement.refresh)
    }

    // MARK: Renewing

    /// Exchanges a refresh token for its successor and an access token.
    ///
    /// The same token may be presented again until a successor of it has been used, and gets the
    /// same successor within a minute, later another. When it is presented after that, or when a
    /// second one of its successors is, the session is ended: two parties hold tokens that one
    /// should have (RFC 9700 section 4.14.2).
    /// - Throws: `refresh_token_reused`, `session_expired`; `mfa_enrollment_required`, after which
    ///   the same token can be presented again; `storage_unavailable` when the session was renewed
    ///   with a secret that is not known here; `invalid_grant` for every other token that is
    ///   refused.
    public func refresh(_ presented: String, by caller: Caller = .application) async throws -> SessionTokens {
        guard let token = try await refreshToken(presented) else { throw AuthError.invalidGrant }
        // One secret for the whole rotation, even if another becomes the present one meanwhile.
        let maker = refreshTokens.maker
        let first = refreshTokens.successor(of: token, index: 0, by: maker)
        let firstDigest = refreshTokens.digest(of: first)
        let rotation = rotation(of: token, by: caller) { [refreshTokens] index in
            index == 0
                ? firstDigest : refreshTokens.digest(of: refreshTokens.successor(of: token, index: index, by: maker))
        }
        switch try await storage.rotate(rotation) {
        case .renewed(let session, let user, let digest):
            let dueAt = try await factors.requireEnrollment(of: user)
            return SessionTokens(
                access: try await accessTokens.issue(for: user, in: session, duration: accessTokens.duration),
                refresh: digest == firstDigest ? first : try await successor(of: token, index: 0, digest: digest),
                secondFactorDueAt: dueAt)
        case .repeated(let session, let user, let index, let digest):
            rotation.event(.refreshTokenRepeated, of: user.id).record()
            let dueAt = try await factors.requireEnrollment(of: user)
            return SessionTokens(
                access: try await accessTokens.issue(for: user, in: session, duration: accessTokens.duration),
                refresh: try await successor(of: token, index: index, digest: digest), secondFactorDueAt: dueAt)
        case .exhausted(let user):
            rotation.event(.refreshTokenExhausted, of: user).record()
            throw AuthError.invalidGrant
        case .reused(let user, let line):
            let event = rotation.event(.refreshTokenReused, of: user)
            event.record()
            revocations.applyEnded([line], of: user, by: event)
            throw AuthError(
                .refreshTokenReused,
                "this refresh token, or another in its place, was used before: the session has been ended")
        case .expired: throw AuthError(.sessionExpired, "the session has expired: sign in again")
        case .refused: throw AuthError.invalidGrant
        }
    }

    /// Verifies a refresh token. When it was made with a secret that this process does not know
    /// yet, the secrets are read again first; `nil` when the token is not genuine.
    private func refreshToken(_ text: String) async throws -> RefreshToken? {
        guard let candidate = RefreshTokens.Candidate(text) else { return nil }
        if refreshTokens.isOfUnknownSecret(candidate) { try await accessTokens.keys.followSecretsNow() }
        return refreshTokens.token(candidate)
    }

    /// Computes the successor that was stored, by this process or another, reading the secrets
    /// again when none that is known fits.
    private func successor(of token: RefreshToken, index: Int, digest: [UInt8]) async throws -> RefreshToken {
        if let successor = refreshTokens.successor(of: token, index: index, digest: digest) { return successor }
        try await accessTokens.keys.followSecretsNow()
        guard let successor = refreshTokens.successor(of: token, index: index, digest: digest) else {
            throw AuthError(
                .storageUnavailable, "the session was renewed with a secret that is not known here", retryAfter: 1)
        }
        return successor
    }

    private func rotation(
        of token: RefreshToken, by caller: Caller = .application,
        successorDigest: @escaping @Sendable (_ index: Int) -> [UInt8]
    ) -> RefreshRotation {
        let now = now()
        return RefreshRotation(
            sessionID: token.sessionID, generation: token.generation, digest: refreshTokens.digest(of: token),
            successorDigest: successorDigest, now: now, inactivityTimeout: inactivityTimeout, timebox: timebox,
            tokenExpiresAt: now.addingTimeInterval(TimeInterval(accessTokens.duration)), by: caller)
    }

    // MARK: Looking

    /// Lists at most `limit` live sessions of a user (1 to 1000), newest first; with `id`, only
    /// those older than that session.
    public func list(of user: User.ID, after id: Session.ID? = nil, limit: Int = 100) async throws -> [Session] {
        try await storage.sessions(of: user, before: id, limit: min(max(limit, 1), 1000), at: now())
    }

    /// Finds the session of a refresh token that would be accepted; the token is not used up.
    package func session(ofRefreshToken presented: String) async throws -> StoredSession? {
        guard let token = try await refreshToken(presented),
            let stored = try await storage.session(id: token.sessionID)
        else { return nil }
        // The digests of successors are not needed here.
        return switch rotation(of: token, successorDigest: { _ in [] }).step(for: stored) {
        case .advance, .repeatAnswer: stored
        case .endSession, .refuse, .refuseExpired, .refuseRepeat: nil
        }
    }

    // MARK: Ending

    /// Signs out: ends the session of a refresh token or an access token, even an expired one. A
    /// live token of a Flask server is refused from then on as well.
    ///
    /// A token that this server did not make, or whose session has ended before, changes nothing
    /// and is no error.
    /// - Returns: whether a session was ended.
    @discardableResult
    public func end(presenting token: String, by caller: Caller = .application) async throws -> Bool {
        let bytes = Array(token.utf8)
        // A live access token identifies the caller. A refresh token, or an expired token, only
        // identifies the session.
        var caller = caller
        if caller.identity == nil, let user = try? await accessTokens.verify(bytes) {
            caller = caller.nowKnown(as: user)
        }
        if let id = try await refreshToken(token)?.sessionID ?? accessTokens.session(ofSigned: bytes) {
            return try await endSession(id, of: nil, by: caller)
        }
        let now = now()
        guard let identity = try await accessTokens.legacyIdentity(of: bytes),
            let session = legacySession(of: identity, until: now, at: now)
        else { return false }
        // A Flask token that was never exchanged has no session yet, and only a session can be
        // ended.
        try await insertOnce(session, of: identity, by: caller)
        return try await endSession(session.id, of: nil, by: caller)
    }

    /// Ends one session; with `user`, only when it belongs to that user.
    /// - Throws: `session_not_found`, also for another user's session; `forbidden` for the session
    ///   of an operator whom the caller may not change.
    public func end(_ id: Session.ID, of user: User.ID? = nil, by caller: Caller = .application) async throws {
        let notFound = AuthError(.sessionNotFound, "there is no such session")
        if caller.isBoundByOperatorRules {
            let owner: User.ID? = if let user { user } else { try await storage.session(id: id)?.user.id }
            guard let owner else { throw notFound }
            try await OperatorRules(storage: storage).checkChange(of: owner, by: caller)
        }
        guard try await endSession(id, of: user, by: caller) else { throw notFound }
    }

    /// Ends all sessions of a user except `kept`.
    /// - Returns: the number of ended sessions.
    /// - Throws: `forbidden` for an operator whom the caller may not change.
    @discardableResult
    public func endAll(
        of user: User.ID, except kept: Session.ID? = nil, by caller: Caller = .application
    ) async throws -> Int {
        try await OperatorRules(storage: storage).checkChange(of: user, by: caller)
        let now = now()
        let event = AuthEvent.sessionEnded.by(caller, at: now)
        let entries = try await storage.endSessions(of: user, except: kept, at: now, recording: event)
        revocations.applyEnded(entries, of: user, by: event)
        return entries.count
    }

    private func endSession(_ id: Session.ID, of user: User.ID?, by caller: Caller) async throws -> Bool {
        let now = now()
        let event = AuthEvent.sessionEnded.by(caller, at: now)
        guard let line = try await storage.endSession(id: id, of: user, at: now, recording: event) else {
            return false
        }
        revocations.applyEnded([line], of: user, by: event)
        return true
    }
}

extension AccessTokens {
    /// Issues an access token with the roles that the user has now.
    func issue(for user: User, in session: Session, duration: Int) async throws -> AccessToken {
        try await issue(for: UserIdentity(user, in: session), in: session, duration: duration)
    }
}

extension Session {
    /// Makes a session that begins now.
    fileprivate init(
        id: ID, for identity: UserIdentity, from origin: SessionOrigin, at now: Date, until expiresAt: Date,
        isRenewable: Bool = false, tokensExpireAt: Date? = nil
    ) {
        self.init(
            id: id, userID: identity.userID, createdAt: now, authenticatedAt: identity.authenticatedAt,
            methods: identity.authentication.methods, clientID: identity.clientID, scope: identity.scope,
            lastUsedAt: now, expiresAt: expiresAt, origin: origin, isRenewable: isRenewable,
            tokensExpireAt: tokensExpireAt)
    }
}

/// The tokens that a sign-in and a renewal give.
public struct SessionTokens: Sendable {
    /// The access token, which is valid for some minutes; its `value` is for the client only.
    public let access: AccessToken
    /// The refresh token, which can be used once; its `value` is for the client only.
    public let refresh: RefreshToken
    /// The time by which the user has to add a second factor; `nil` for a user who has one, or need
    /// not.
    public let secondFactorDueAt: Date?
}

/// The tokens that replace those which a password change ended.
public struct ReplacementTokens: Sendable {
    /// The access token of the new session.
    public let access: AccessToken
    /// The refresh token of the new session; `nil` when the replaced session had none.
    public let refresh: RefreshToken?
}
