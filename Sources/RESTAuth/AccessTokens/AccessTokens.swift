import Crypto
import Foundation

/// The door to access tokens: issue one for an identity, verify one that was presented.
public final class AccessTokens: Sendable {
    let storage: any Storage
    let keys: SigningKeys
    let revocations: Revocations
    let cache: VerifiedTokenCache
    let issuer: String
    let duration: Int
    let renewal: TokenRenewal
    let now: @Sendable () -> Date

    init(storage: any Storage, keys: SigningKeys, revocations: Revocations, configuration: AuthConfiguration) {
        self.storage = storage
        self.keys = keys
        self.revocations = revocations
        cache = VerifiedTokenCache(capacity: configuration.verifiedTokenCapacity)
        issuer = configuration.issuer
        duration = configuration.tokenDuration
        renewal = configuration.tokenRenewal
        now = configuration.now
    }

    /// The longest token that is looked at, in bytes.
    public static let maximumBytes = 4096

    /// Signs a fresh token (JWT access token, RFC 9068) for who was just authenticated.
    ///
    /// Checked: the renewal policy, when the identity came by a token. Nothing is stored.
    /// - Throws: `insufficient_user_authentication` when only a password will do.
    public func issue(for identity: Identity) throws -> AccessToken {
        let issuedAt = Int(now().timeIntervalSince1970)
        let authenticatedAt = Int(identity.authenticatedAt.timeIntervalSince1970)
        let duration = try permittedDuration(identity.method, secondsSincePassword: issuedAt - authenticatedAt)
        let claims = AccessTokenClaims(
            issuer: issuer, subject: identity.userID, tokenID: AccessTokenClaims.freshID(), issuedAt: issuedAt,
            expiresAt: issuedAt + duration, authenticatedAt: authenticatedAt)
        let token = AccessToken(value: try keys.sign(claims), duration: duration)
        AuthEvent.tokenIssued(userID: identity.userID).record()
        return token
    }

    private func permittedDuration(_ method: Identity.Method, secondsSincePassword age: Int) throws -> Int {
        switch (method, renewal) {
        case (.password, .until(let limit)): return min(duration, limit)
        case (.password, _), (.token, .always): return duration
        case (.token, .until(let limit)) where age < limit: return min(duration, limit - age)
        case (.token, _):
            throw AuthError(.insufficientUserAuthentication, "Unauthorized Access: a token is given for a password only")
        }
    }

    /// Who `token` stands for.
    ///
    /// Checked, in this order: outline and length, the header (algorithm pinned to the key, RFC 8725 section 3.1), the signature, the
    /// claims, and that the user still exists and is not disabled. A token seen before costs a digest and two look-ups in memory:
    /// no signature check, no database.
    /// - Throws: `invalid_token`; what the storage throws, when only it can tell.
    public func verify(_ token: [UInt8]) async throws -> Identity {
        guard token.count <= Self.maximumBytes else { throw AuthError.invalidToken }
        let digest = TokenDigest(of: token)
        let now = now().timeIntervalSince1970
        guard let known = cache.token(digest) else {
            return try await admit(verifiedClaims(token, now: now), as: digest)
        }
        guard known.claims.isLive(at: now) else { throw AuthError.invalidToken }
        switch revocations.standing(of: known.identity.userID) {
        case .admitted: return known.identity
        case .refused: throw AuthError.invalidToken
        case .unknown: return try await admit(known.claims, as: digest)
        }
    }

    /// Who `token` stands for, when that can be told without waiting: it was verified before, is live, and its user is known to be
    /// admitted. `nil` says nothing about the token, only that ``verify(_:)`` has to tell.
    public func remembered(_ token: [UInt8]) -> Identity? {
        guard token.count <= Self.maximumBytes, let known = cache.token(TokenDigest(of: token)),
            known.claims.isLive(at: now().timeIntervalSince1970),
            revocations.standing(of: known.identity.userID) == .admitted
        else { return nil }
        return known.identity
    }

    private func verifiedClaims(_ token: [UInt8], now: Double) throws(AuthError) -> AccessTokenClaims {
        guard let payload = keys.verifiedPayload(of: token), let claims = AccessTokenClaims(payload, issuer: issuer),
            claims.isLive(at: now)
        else { throw .invalidToken }
        return claims
    }

    private func admit(_ claims: AccessTokenClaims, as digest: TokenDigest) async throws -> Identity {
        guard let user = try await storage.user(id: claims.subject), !user.isDisabled,
            revocations.standing(of: user.id) != .refused
        else { throw AuthError.invalidToken }
        let identity = Identity(
            userID: user.id, username: user.username, method: .token,
            authenticatedAt: Date(timeIntervalSince1970: TimeInterval(claims.authenticatedAt)))
        cache.remember(VerifiedToken(identity: identity, claims: claims), as: digest)
        return identity
    }
}

/// A token that was just signed.
public struct AccessToken: Sendable {
    /// The compact form, for the client only.
    public let value: String
    /// Its life in seconds.
    public let duration: Int
}

extension AccessToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "redacted" }
    public var debugDescription: String { "redacted" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
