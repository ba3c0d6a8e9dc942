import Foundation

/// The door to access tokens: verify one that was presented. ``Sessions`` gives them out.
public final class AccessTokens: Sendable {
    let storage: any Storage
    let keys: SigningKeys
    package let verifier: TokenVerifier
    let issuer: String
    let audience: [String]
    let duration: Int
    let renewal: TokenRenewal
    let legacyTokens: LegacyTokens?
    let now: @Sendable () -> Date

    init(storage: any Storage, keys: SigningKeys, revocations: Revocations, configuration: AuthConfiguration) {
        self.storage = storage
        self.keys = keys
        verifier = TokenVerifier(
            keys: keys.verification, revocations: revocations, issuer: configuration.issuer,
            capacity: configuration.verifiedTokenCapacity, now: configuration.now)
        issuer = configuration.issuer
        audience = configuration.tokenAudience
        duration = configuration.tokenDuration
        renewal = configuration.tokenRenewal
        now = configuration.now
        legacyTokens = LegacyTokens(configuration: configuration, storage: storage)
    }

    /// The longest token that is read, in bytes.
    public static let maximumBytes = TokenVerifier.maximumBytes

    // MARK: Verifying

    /// Verifies a token and returns the user that it stands for.
    ///
    /// Checked, in this order: outline and length, the header (algorithm pinned to the key, RFC
    /// 8725 section 3.1), the signature, the claims, with any audience, and that neither session,
    /// user nor role has been taken away. A token seen before costs a digest and look-ups in
    /// memory: no signature check, no database. A token of a Flask server, where its secret is
    /// configured, costs a signature check and a query of the database each time.
    /// - Throws: `invalid_token`; what the storage throws, when only it can tell.
    public func verify(_ token: [UInt8]) async throws -> UserIdentity {
        let token = try presented(token)
        if let known = verifier.remembered(token) { return known.identity }
        let parts = try parts(of: token)
        if let identity = try await legacyTokens?.identity(of: token, parts) { return identity }
        return try await verify(token, parts).identity
    }

    private func verify(_ token: PresentedToken, _ parts: CompactJWS) async throws -> VerifiedToken {
        // The key may be one that another process made since the last read.
        if let keyID = parts.keyID, !verifier.keys.contains(keyID) { try await keys.loadAgain() }
        return try await verifier.verify(token, parts) { [storage, keys] claims, identity in
            guard let keyID = parts.keyID, try await keys.confirm(keyID),
                let stored = try await storage.session(id: claims.sessionID),
                stored.user.id == claims.subject,
                !stored.user.isDisabled, identity.roles.isSubset(of: stored.user.roles)
            else { throw AuthError.invalidToken }
        }
    }

    private func presented(_ bytes: [UInt8]) throws(AuthError) -> PresentedToken {
        guard let token = PresentedToken(bytes) else { throw .invalidToken }
        return token
    }

    private func parts(of token: PresentedToken) throws(AuthError) -> CompactJWS {
        guard let parts = token.parts else { throw .invalidToken }
        return parts
    }

    /// The user that `token` stands for, when that can be told without waiting: it was verified
    /// before, is live, and its session is known to be admitted. `nil` says nothing about the
    /// token: ``verify(_:)`` has to decide.
    public func remembered(_ token: [UInt8]) -> UserIdentity? {
        PresentedToken(token).flatMap { verifier.remembered($0) }?.identity
    }

    /// The claims of a live token of this server.
    /// - Throws: `invalid_token`; what the storage throws, when only it can tell.
    package func claims(of token: [UInt8]) async throws -> AccessTokenClaims {
        let token = try presented(token)
        if let known = verifier.remembered(token) { return known.claims }
        return try await verify(token, parts(of: token)).claims
    }

    /// The user of a Flask server's token; `nil` for any other token, and for one that is not
    /// valid.
    func legacyIdentity(of token: [UInt8]) async throws -> UserIdentity? {
        guard let legacyTokens, let token = PresentedToken(token), let parts = token.parts else { return nil }
        do {
            return try await legacyTokens.identity(of: token, parts)
        } catch let error as AuthError where error.code == .invalidToken {
            return nil
        }
    }

    /// The session of a token that this server signed, live or not; `nil` for any other.
    func session(ofSigned token: [UInt8]) -> Session.ID? {
        guard token.count <= Self.maximumBytes, let parts = CompactJWS(token) else { return nil }
        return try? verifier.signedClaims(parts).sessionID
    }

    // MARK: Issuing

    /// Signs a fresh token (JWT access token, RFC 9068) of a session for its user, with the
    /// ``UserIdentity/roles`` of `identity`.
    /// - Parameter permitted: the seconds that it may live; it ends with the session, if that is
    ///   sooner.
    /// - Throws: `invalid_token` for a session on behalf of a client, which a later version has
    ///   stored: a token of this version has no scope, and would allow everything; `misconfigured`
    ///   for a token longer than ``maximumBytes``.
    func issue(for identity: UserIdentity, in session: Session, duration permitted: Int) throws -> AccessToken {
        guard session.clientID == nil, session.scope == nil else { throw AuthError.invalidToken }
        let issuedAt = Int(now().timeIntervalSince1970)
        // A clock that was set back since the sign-in must not make a token issued before it.
        let authenticatedAt = min(Int(session.authentication.at.timeIntervalSince1970), issuedAt)
        let duration = max(1, min(permitted, Int(session.expiresAt.timeIntervalSince1970) - issuedAt))
        let claims = AccessTokenClaims(
            issuer: issuer, audience: audience, subject: identity.userID, username: identity.username,
            sessionID: session.id,
            roles: identity.roles.sorted(), roleKey: identity.roles.isEmpty ? nil : roleKeys(of: identity.userID).first,
            tokenID: AccessTokenClaims.freshID(), issuedAt: issuedAt, expiresAt: issuedAt + duration,
            authenticatedAt: authenticatedAt, methods: session.authentication.methods)
        let token = AccessToken(value: try keys.sign(claims), duration: duration)
        guard token.value.utf8.count <= Self.maximumBytes else {
            throw AuthError(
                .misconfigured,
                "a token with this issuer, audience and these roles is longer than \(Self.maximumBytes) bytes")
        }
        AuthEvent.tokenIssued(userID: identity.userID).record()
        return token
    }

    /// The keys that hide the names of a user's roles in the list of revocations: the key that new
    /// tokens carry, then the other one that tokens may carry while the secret is changed.
    package func roleKeys(of user: User.ID) -> [RoleKey] {
        keys.secrets.known.all.map { RoleKey(of: user, secret: $0) }
    }

    /// The seconds that a token may live that is given for these credentials, a password or another
    /// token.
    /// - Throws: `insufficient_user_authentication` when the renewal policy requires a password.
    func permittedDuration(for identity: UserIdentity) throws -> Int {
        let age = Int(now().timeIntervalSince1970) - Int(identity.authenticatedAt.timeIntervalSince1970)
        switch (identity.presented, renewal) {
        case (.password, .until(let limit)): return min(duration, limit)
        case (.password, _), (_, .always): return duration
        case (_, .until(let limit)) where age < limit: return min(duration, limit - age)
        case (_, _):
            throw AuthError(
                .insufficientUserAuthentication, "Unauthorized Access: a token is given for a password only")
        }
    }
}

/// A token that was just signed.
public struct AccessToken: Sendable {
    /// The compact form, for the client only.
    public let value: String
    /// The life of the token, in seconds.
    public let duration: Int
}

extension AccessToken: Redacted {}
