package import Foundation

/// Verifies access tokens, in the same way on the server and elsewhere: a signature by one of the
/// keys, the claims, and that nothing revoked the token.
package final class TokenVerifier: Sendable {
    /// The longest token that is read, in bytes.
    package static let maximumBytes = 4096

    package let keys: VerificationKeys
    package let revocations: Revocations
    private let cache: VerifiedTokenCache<VerifiedToken>
    private let issuer: String
    /// The audiences of which a token must name one; `nil` for the server that signed it, which
    /// accepts any.
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

    /// Verifies a token, and remembers it.
    ///
    /// Checked, in this order: the header (algorithm pinned to the key, RFC 8725 section 3.1), the
    /// signature, the claims, the revocations. A token seen before costs look-ups in memory.
    /// - Parameters:
    ///   - token: the token as it was presented.
    ///   - parts: the parts of the same token.
    ///   - confirm: called when a token is new here and when keys or revocations are not up to
    ///     date; throws to refuse.
    /// - Throws: `invalid_token`; what `confirm` throws.
    package func verify(
        _ token: PresentedToken, _ parts: CompactJWS,
        confirm: (AccessTokenClaims, UserIdentity) async throws -> Void
    ) async throws -> VerifiedToken {
        let now = now().timeIntervalSince1970
        let (instant, epoch) = (ContinuousClock.now, keys.epoch)
        let known = cache.token(token, at: now).flatMap { $0.epoch == epoch ? $0 : nil }
        let verified = try known ?? self.verified(parts, epoch: epoch)
        guard verified.claims.isLive(at: now) else { throw AuthError.invalidToken }
        let standing = revocations.standing(of: verified.identity, at: instant)
        if known != nil, standing == .admitted, keys.isConfirmed(at: instant) { return verified }
        guard standing != .refused else { throw AuthError.invalidToken }
        try await confirm(verified.claims, verified.identity)
        // Checked again: a token that was refused during the wait is refused.
        guard revocations.standing(of: verified.identity) != .refused else { throw AuthError.invalidToken }
        if known == nil { cache.remember(verified, as: token) }
        return verified
    }

    private func verified(_ parts: CompactJWS, epoch: Int) throws(AuthError) -> VerifiedToken {
        let claims = try signedClaims(parts)
        return VerifiedToken(identity: UserIdentity(claims, hidesRoles: hidesRoles), claims: claims, epoch: epoch)
    }

    /// The verified token, when that can be told without waiting: it was verified before, is live,
    /// and is known to be admitted. `nil` says nothing about the token: ``verify(_:_:confirm:)``
    /// has to decide.
    package func remembered(_ token: PresentedToken) -> VerifiedToken? {
        let (now, instant) = (now().timeIntervalSince1970, ContinuousClock.now)
        guard let known = cache.token(token, at: now),
            known.epoch == keys.epoch, known.claims.isLive(at: now), keys.isConfirmed(at: instant),
            revocations.standing(of: known.identity, at: instant) == .admitted
        else { return nil }
        return known
    }

    /// Forgets the entries of the revocation log that have expired. The time is noted, so that a
    /// clock that is set back afterwards is recognised.
    package func forgetRevocations() {
        let now = now()
        cache.observe(now.timeIntervalSince1970)
        revocations.forget(expiredBefore: now)
    }

    /// The claims of a token with a valid signature, live or not.
    /// - Throws: `invalid_token`, also for another issuer or audience.
    func signedClaims(_ parts: CompactJWS) throws(AuthError) -> AccessTokenClaims {
        guard let payload = keys.verifiedPayload(of: parts), let claims = AccessTokenClaims(payload, issuer: issuer),
            audiences.map(claims.isFor) ?? true
        else { throw .invalidToken }
        return claims
    }
}
