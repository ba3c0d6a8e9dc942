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
    let programTokens: ProgramTokens
    private let readProgramTokens: ProgramTokenMemory
    private let claimNames: TokenClaims
    let now: @Sendable () -> Date

    init(
        storage: any Storage, keys: SigningKeys, revocations: Revocations, programTokens: ProgramTokens,
        configuration: AuthConfiguration
    ) {
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
        claimNames = TokenClaims(configuration.tokenClaims)
        legacyTokens = LegacyTokens(configuration: configuration, storage: storage)
        self.programTokens = programTokens
        readProgramTokens = ProgramTokenMemory(
            capacity: configuration.verifiedTokenCapacity, duration: ProgramTokens.memory, revocations: revocations,
            now: configuration.now)
    }

    /// The longest token that is read, in bytes.
    public static let maximumBytes = TokenVerifier.maximumBytes

    // MARK: Identifying

    /// Identifies the holder of a token: an access token, a personal token of a user, or a token of
    /// a service account.
    ///
    /// A token for programs costs a query of the database; one that was verified within the last
    /// minute costs a digest and look-ups in memory. Its user has the roles of now, or of a minute
    /// ago where one was given since. What its scope allows is not checked here: see
    /// ``Requirement/scope(_:)`` and ``Identity/scope``.
    /// - Throws: `invalid_token`; what the storage throws, when only it can tell.
    public func identify(_ token: [UInt8]) async throws -> Identity {
        guard ProgramToken.hasOutline(token) else { return .user(try await verify(token)) }
        return try await verifyProgramToken(token).identity
    }

    /// The identity that `token` stands for, of whichever kind, when that can be told without
    /// waiting. `nil` says nothing about the token: ``identify(_:)`` has to decide.
    public func rememberedIdentity(of token: [UInt8]) -> Identity? {
        guard ProgramToken.hasOutline(token) else { return remembered(token).map(Identity.user) }
        return PresentedToken(token).flatMap { readProgramTokens.remembered($0) }?.identity
    }

    /// Verifies a token for programs.
    /// - Throws: `invalid_token`, also for a token of another kind.
    package func verifyProgramToken(_ token: [UInt8]) async throws -> VerifiedProgramToken {
        guard ProgramToken.hasOutline(token) else { throw AuthError.invalidToken }
        return try await readProgramTokens.verify(presented(token), reading: programTokens.verify)
    }

    /// Deletes a token for programs that was presented. One that is unknown changes nothing and is
    /// no error.
    package func deleteProgramToken(_ token: [UInt8], by caller: Caller) async throws {
        do {
            try await programTokens.delete(presented: token, by: caller)
        } catch let error as AuthError where error.code == .tokenNotFound {
            return
        }
    }

    // MARK: Verifying

    /// Verifies an access token and returns the user that it stands for.
    ///
    /// Checked, in this order: outline and length, the header (algorithm pinned to the key, RFC
    /// 8725 section 3.1), the signature, the claims, with any audience, and that neither session,
    /// user nor role has been taken away. A token seen before costs a digest and look-ups in
    /// memory: no signature check, no database. A token of a Flask server, where its secret is
    /// configured, costs a signature check and a query of the database each time.
    /// - Throws: `invalid_token`, also for a token for programs, whose scope has to be checked
    ///   (``identify(_:)``); what the storage throws, when only it can tell.
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
    ///   for a token longer than ``maximumBytes``, and for claims of the adopter that are too long.
    func issue(
        for identity: UserIdentity, in session: Session, duration permitted: Int
    ) async throws -> AccessToken {
        guard session.clientID == nil, session.scope == nil else { throw AuthError.invalidToken }
        let issuedAt = Int(now().timeIntervalSince1970)
        // A clock that was set back since the sign-in must not make a token issued before it.
        // One that is far in the future must not make every token a recent one until then.
        let provenAt = Int(session.authentication.at.timeIntervalSince1970)
        let authenticatedAt = provenAt - issuedAt > AccessTokenClaims.clockSlack ? 0 : min(provenAt, issuedAt)
        let duration = max(1, min(permitted, Int(session.expiresAt.timeIntervalSince1970) - issuedAt))
        let claims = AccessTokenClaims(
            issuer: issuer, audience: audience, subject: identity.userID, username: identity.username,
            sessionID: session.id,
            roles: identity.roles.sorted(), roleKey: identity.roles.isEmpty ? nil : roleKeys(of: identity.userID).first,
            tokenID: AccessTokenClaims.freshID(), issuedAt: issuedAt, expiresAt: issuedAt + duration,
            authenticatedAt: authenticatedAt, methods: session.authentication.methods,
            custom: try await customClaims(of: identity.userID))
        let token = AccessToken(value: try keys.sign(claims), duration: duration)
        guard token.value.utf8.count <= Self.maximumBytes else {
            throw AuthError(
                .misconfigured,
                "a token with this issuer, audience and these roles is longer than \(Self.maximumBytes) bytes")
        }
        AuthEvent.tokenIssued(userID: identity.userID).record()
        return token
    }

    /// The claims that the setting names, as they are now; read only if it names any. Without one
    /// of them a service might allow what it should not, so none is left out.
    /// - Throws: `forbidden` for claims that are too long, which were stored under another setting.
    func customClaims(of user: User.ID) async throws -> String? {
        guard !claimNames.names.isEmpty, let data = try await storage.appMetadata(of: user) else { return nil }
        do throws(AuthError) {
            return try claimNames.text(from: data)
        } catch {
            throw AuthError(.forbidden, "no token can be given to this user: an operator has to shorten app_metadata")
        }
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
