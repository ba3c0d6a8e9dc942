import Crypto
import Synchronization

/// The SHA-256 of a token, which is remembered instead of the token itself.
package struct TokenDigest: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package init(of token: [UInt8]) {
        words = SHA256.hash(data: token).withUnsafeBytes { bytes in
            let words = bytes.bindMemory(to: UInt64.self)
            return (words[0], words[1], words[2], words[3])
        }
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// Uses one word, which is enough: digests are spread evenly, and only tokens that this
    /// server's keys signed are ever stored.
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

package struct VerifiedToken: Sendable {
    package let identity: UserIdentity
    package let claims: AccessTokenClaims
    /// The ``VerificationKeys/epoch`` when the signature was checked.
    package let epoch: Int

    package init(identity: UserIdentity, claims: AccessTokenClaims, epoch: Int) {
        self.identity = identity
        self.claims = claims
        self.epoch = epoch
    }
}

/// The tokens whose signature was found valid, so that it is checked once.
///
/// Bounded by generations: new and used entries are kept in the young half; when that is full it
/// becomes the old half, and entries of the old half that were not used since are forgotten.
/// Nothing is ever searched.
package final class VerifiedTokenCache: Sendable {
    private struct State {
        var young: [TokenDigest: VerifiedToken] = [:]
        var old: [TokenDigest: VerifiedToken] = [:]
        /// The latest time that has been noted.
        var latest = -Double.infinity
    }

    private let state = Mutex(State())
    private let generation: Int

    package init(capacity: Int) {
        generation = capacity / 2
    }

    /// The remembered token with that digest.
    /// - Parameter now: seconds since 1970.
    package func token(_ digest: TokenDigest, at now: Double) -> VerifiedToken? {
        state.withLock { state in
            Self.observe(now, in: &state)
            if let token = state.young[digest] { return token }
            guard let token = state.old[digest] else { return nil }
            insert(token, as: digest, into: &state)
            return token
        }
    }

    /// Notes the time. When it has gone back, all tokens are forgotten: revocations that expired by
    /// the later time have been swept, so their tokens must not be remembered as valid.
    func observe(_ now: Double) {
        state.withLock { Self.observe(now, in: &$0) }
    }

    private static func observe(_ now: Double, in state: inout State) {
        if now < state.latest - Double(AccessTokenClaims.clockSlack) {
            (state.young, state.old, state.latest) = ([:], [:], now)
        } else if now > state.latest {
            state.latest = now
        }
    }

    package func remember(_ token: VerifiedToken, as digest: TokenDigest) {
        state.withLock { insert(token, as: digest, into: &$0) }
    }

    private func insert(_ token: VerifiedToken, as digest: TokenDigest, into state: inout State) {
        guard generation > 0 else { return }
        if state.young.count >= generation {
            state.old = state.young
            state.young = [:]
        }
        state.young[digest] = token
    }

    package var count: Int { state.withLock { $0.young.count + $0.old.count } }
}
