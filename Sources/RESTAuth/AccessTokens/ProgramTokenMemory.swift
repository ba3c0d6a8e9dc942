package import Foundation

/// The tokens for programs that were read lately, in memory, so that a repeat needs no read.
///
/// A token is believed for some seconds. Until then it is refused when the revocation log ends it
/// or refuses its user; when a role of its user was taken away, or the log has not been read for
/// too long, it is read again.
package final class ProgramTokenMemory: Sendable {
    private let cache: VerifiedTokenCache<VerifiedProgramToken>
    private let revocations: Revocations
    private let duration: TimeInterval
    private let now: @Sendable () -> Date

    /// - Parameters:
    ///   - capacity: the number of tokens that are remembered.
    ///   - duration: seconds for which a token is believed.
    ///   - revocations: the revocation log.
    ///   - now: the clock.
    package init(
        capacity: Int, duration: TimeInterval, revocations: Revocations, now: @escaping @Sendable () -> Date
    ) {
        cache = VerifiedTokenCache(capacity: capacity)
        self.duration = duration
        self.revocations = revocations
        self.now = now
    }

    /// The token, when that can be told without waiting. `nil` says nothing about it:
    /// ``verify(_:reading:)`` has to decide.
    package func remembered(_ token: PresentedToken) -> VerifiedProgramToken? {
        let now = now()
        guard let known = cache.token(token, at: now.timeIntervalSince1970), isBelieved(known, at: now),
            revocations.standing(ofProgram: known.identity) == .admitted
        else { return nil }
        return known
    }

    /// Verifies a token, from memory or by a read, and remembers it.
    /// - Parameters:
    ///   - token: the token as it was presented.
    ///   - read: reads the token; throws to refuse it.
    /// - Throws: `invalid_token`; what `read` throws.
    package func verify(
        _ token: PresentedToken, reading read: ([UInt8]) async throws -> VerifiedProgramToken
    ) async throws -> VerifiedProgramToken {
        if let known = remembered(token) { return known }
        let verified = try await read(token.bytes)
        // The log may refuse it since the read.
        guard revocations.standing(ofProgram: verified.identity) != .refused, isLive(verified, at: now()) else {
            throw AuthError.invalidToken
        }
        cache.remember(verified, as: token)
        return verified
    }

    private func isBelieved(_ token: VerifiedProgramToken, at now: Date) -> Bool {
        let age = now.timeIntervalSince(token.checkedAt)
        return age < duration && age > -duration && isLive(token, at: now)
    }

    private func isLive(_ token: VerifiedProgramToken, at now: Date) -> Bool {
        token.expiresAt.map { $0 > now } ?? true
    }
}
