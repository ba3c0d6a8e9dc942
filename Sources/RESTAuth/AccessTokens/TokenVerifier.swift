package import Foundation

/// What makes an access token good wherever it is checked: a signature by one of the keys, claims,
/// and that nothing revoked it.
package final class TokenVerifier: Sendable {
    /// The longest token that is looked at, in bytes.
    package static let maximumBytes = 4096

    package let keys: VerificationKeys
    package let revocations: Revocations
    private let cache: VerifiedTokenCache
    private let issuer: String
    /// Of which a token has to name one; `nil` for the server that signed it, whomever it is made
    /// out to.
    private let audiences: [String]?
    /// Whether the revocations are another server's list, in which names of roles are hidden.
    private let hidesRoles: Bool
    private let now: @Sendable () -> Date

    package init(
        keys: VerificationKeys, revocations: Revocations, issuer: String, audiences: [String]? = nil,
        capacity: Int, hidesRoles: Bool = false, now: @escaping @Sendable () -> Date
    ) {
        self.keys = keys
        self.revocations = revocations
        self.issuer = issuer
        self.audiences = audiences
        self.hidesRoles = hidesRoles
        self.now = now
        cache = VerifiedTokenCache(capacity: capacity)
    }

    /// Who `token` stands for.
    ///
    /// Checked, in this order: length and outline, the header (algorithm pinned to the key, RFC
    /// 8725 section 3.1), the signature, the claims, the revocations. A token seen before costs a
    /// digest and look-ups in memory.
    /// - Parameter confirm: asked when a token is new here and when keys or revocations are not up
    ///   to date; throws to refuse.
    /// - Throws: `invalid_token`; what `confirm` throws.
    package func verify(
        _ token: [UInt8], confirm: (AccessTokenClaims, UserIdentity) async throws -> Void
    ) async throws -> UserIdentity {
        guard token.count <= Self.maximumBytes else { throw AuthError.invalidToken }
        let digest = TokenDigest(of: token)
        let now = now().timeIntervalSince1970
        let (instant, epoch) = (ContinuousClock.now, keys.epoch)
        let known = cache.token(digest, at: now).flatMap { $0.epoch == epoch ? $0 : nil }
        let claims = try known?.claims ?? signedClaims(token)
        guard claims.isLive(at: now) else { throw AuthError.invalidToken }
        let identity = known?.identity ?? UserIdentity(claims, hidesRoles: hidesRoles)
        let standing = revocations.standing(of: identity, at: instant)
        if known != nil, standing == .admitted, keys.isConfirmed(at: instant) { return identity }
        guard standing != .refused else { throw AuthError.invalidToken }
        try await confirm(claims, identity)
        // Once more: what was refused during the wait is refused.
        guard revocations.standing(of: identity) != .refused else { throw AuthError.invalidToken }
        if known == nil { cache.remember(VerifiedToken(identity: identity, claims: claims, epoch: epoch), as: digest) }
        return identity
    }

    /// Who `token` stands for, when that can be told without waiting: it was verified before, is
    /// live, and is known to be admitted. `nil` says nothing about the token, only that
    /// ``verify(_:confirm:)`` has to tell.
    package func remembered(_ token: [UInt8]) -> UserIdentity? {
        let (now, instant) = (now().timeIntervalSince1970, ContinuousClock.now)
        guard token.count <= Self.maximumBytes, let known = cache.token(TokenDigest(of: token), at: now),
            known.epoch == keys.epoch, known.claims.isLive(at: now), keys.isConfirmed(at: instant),
            revocations.standing(of: known.identity, at: instant) == .admitted
        else { return nil }
        return known.identity
    }

    /// Forgets the lines that have expired. The time is noted: a clock that is set back afterwards
    /// is recognised.
    package func forgetRevocations() {
        let now = now()
        cache.observe(now.timeIntervalSince1970)
        revocations.forget(expiredBefore: now)
    }

    /// The claims of a token with a good signature, live or not.
    func signedClaims(_ token: [UInt8]) throws(AuthError) -> AccessTokenClaims {
        guard token.count <= Self.maximumBytes, let payload = keys.verifiedPayload(of: token),
            let claims = AccessTokenClaims(payload, issuer: issuer), audiences.map(claims.isFor) ?? true
        else { throw .invalidToken }
        return claims
    }
}

extension TokenVerifier {
    /// The `kid` that a token names, whether it is good or not.
    package static func keyID(of token: [UInt8]) -> String? {
        guard token.count <= maximumBytes else { return nil }
        return CompactJWS(token)?.header["kid"]?.string
    }
}
