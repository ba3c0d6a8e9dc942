import Crypto
import Synchronization

/// The SHA-256 of a token: what is remembered instead of the token itself.
package struct TokenDigest: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package init(of token: [UInt8]) {
        words = SHA256.hash(data: token).withUnsafeBytes { bytes in
            let words = bytes.bindMemory(to: UInt64.self)
            return (words[0], words[1], words[2], words[3])
        }
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// One word is enough: a digest is spread evenly already, and only tokens that we signed are
    /// ever stored.
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

package struct VerifiedToken: Sendable {
    package let identity: UserIdentity
    package let claims: AccessTokenClaims
    /// That of the keys when the signature was checked.
    package let epoch: Int

    package init(identity: UserIdentity, claims: AccessTokenClaims, epoch: Int) {
        self.identity = identity
        self.claims = claims
        self.epoch = epoch
    }
}

/// Tokens whose signature was found good, so that it is checked once.
///
/// Bounded by generations: new and used entries are kept in the young half; when that is full it
/// becomes the old half, and what was in the old half and not used since is forgotten. Nothing is
/// ever searched.
package final class VerifiedTokenCache: Sendable {
    private struct State {
        var young: [TokenDigest: VerifiedToken] = [:]
        var old: [TokenDigest: VerifiedToken] = [:]
        /// The latest time that anyone has seen.
        var latest = -Double.infinity
    }

    private let state = Mutex(State())
    private let generation: Int

    package init(capacity: Int) {
        generation = capacity / 2
    }

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

    /// Notes the time. When it has gone back, all is forgotten: what was swept in a future that did
    /// not come is not remembered as good.
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
