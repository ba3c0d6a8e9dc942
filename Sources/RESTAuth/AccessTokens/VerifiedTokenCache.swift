import Crypto
import Synchronization

/// The SHA-256 of a token, which is remembered instead of the token itself.
struct TokenDigest: Sendable, Equatable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(of token: [UInt8]) {
        words = SHA256.hash(data: token).withUnsafeBytes { bytes in
            let words = bytes.bindMemory(to: UInt64.self)
            return (words[0], words[1], words[2], words[3])
        }
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }
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

/// Tokens that were verified, so that each is once.
///
/// They are found by their ending, and told apart by their digest: a token that is new here is
/// digested only when it is remembered. Of two tokens with the same ending, the later is kept.
///
/// Bounded by generations: new and used entries are kept in the young half; when that is full it
/// becomes the old half, and entries of the old half that were not used since are forgotten.
/// Nothing is ever searched.
package final class VerifiedTokenCache<Verified: Sendable>: Sendable {
    private struct Entry {
        let digest: TokenDigest
        let token: Verified
    }

    private struct State {
        var young: [UInt64: Entry] = [:]
        var old: [UInt64: Entry] = [:]
        /// The latest time that has been noted.
        var latest = -Double.infinity
    }

    private let state = Mutex(State())
    private let generation: Int

    package init(capacity: Int) {
        generation = capacity / 2
    }

    /// The remembered token with the same digest.
    /// - Parameter now: seconds since 1970.
    package func token(_ presented: PresentedToken, at now: Double) -> Verified? {
        let ending = presented.ending
        let (entry, isYoung) = state.withLock { state in
            Self.observe(now, in: &state)
            let young = state.young[ending]
            return (young ?? state.old[ending], young != nil)
        }
        guard let entry, entry.digest == presented.digest else { return nil }
        if !isYoung {
            state.withLock { state in
                // Another thread may have kept it meanwhile, or time have gone back.
                guard state.young[ending] == nil, state.old[ending]?.digest == entry.digest else { return }
                insert(entry, endingIn: ending, into: &state)
            }
        }
        return entry.token
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

    package func remember(_ token: Verified, as presented: PresentedToken) {
        let entry = Entry(digest: presented.digest, token: token)
        state.withLock { insert(entry, endingIn: presented.ending, into: &$0) }
    }

    private func insert(_ entry: Entry, endingIn ending: UInt64, into state: inout State) {
        guard generation > 0 else { return }
        if state.young.count >= generation {
            state.old = state.young
            state.young = [:]
        }
        state.young[ending] = entry
    }

    package var count: Int { state.withLock { $0.young.count + $0.old.count } }
}
