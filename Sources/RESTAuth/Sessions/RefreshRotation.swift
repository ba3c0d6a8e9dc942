public import Foundation

/// A refresh token that was presented, and what may take its place.
public struct RefreshRotation: Sendable {
    public let sessionID: Session.ID
    /// The presented token's place in the row of its session's tokens, from 0.
    public let generation: Int
    /// Of the presented token.
    public let digest: [UInt8]
    /// Of the tokens that may take its place, as many as there have to be, from 0.
    public let successorDigest: @Sendable (_ index: Int) -> [UInt8]
    public let now: Date
    /// Seconds that a session lives without being renewed.
    public let inactivityTimeout: TimeInterval
    /// Seconds that a session lives at most.
    public let timebox: TimeInterval
    /// The end of the access token that is given with the successor.
    public let tokenExpiresAt: Date
    /// Who presents it.
    public let caller: Caller

    /// Without `tokenExpiresAt` its access token may live as long as any.
    public init(
        sessionID: Session.ID, generation: Int, digest: [UInt8],
        successorDigest: @escaping @Sendable (_ index: Int) -> [UInt8], now: Date, inactivityTimeout: TimeInterval,
        timebox: TimeInterval, tokenExpiresAt: Date? = nil, by caller: Caller = .application
    ) {
        self.sessionID = sessionID
        self.generation = generation
        self.digest = digest
        self.successorDigest = successorDigest
        self.now = now
        self.inactivityTimeout = inactivityTimeout
        self.timebox = timebox
        let longest = TimeInterval(AuthConfiguration.maximumTokenDuration)
        self.tokenExpiresAt = tokenExpiresAt ?? now.addingTimeInterval(longest)
        self.caller = caller
    }

    /// What is told of it: ``AuthEvent/Name/refreshTokenRepeated``,
    /// ``AuthEvent/Name/refreshTokenReused`` or ``AuthEvent/Name/refreshTokenExhausted``.
    public func event(_ name: AuthEvent.Name, of user: User.ID) -> AuthEvent {
        AuthEvent(name, user: user, session: sessionID).by(caller, at: now)
    }

    /// Seconds for which a successor is given to whoever asks with the same token: tabs that ask at
    /// once, and a client whose answer was lost.
    public static let sharingTime: TimeInterval = 60

    /// How often a token is answered again.
    public static let repeatLimit = 100

    /// The session once it is renewed now.
    public func renewed(_ session: Session) -> Session {
        used(
            session,
            until: min(now.addingTimeInterval(inactivityTimeout), session.createdAt.addingTimeInterval(timebox)))
    }

    /// The session once an answer is repeated now. It lives no longer for it: who has a token that
    /// was replaced, and no other, cannot keep the session from running out.
    public func repeated(_ session: Session) -> Session { used(session, until: session.expiresAt) }

    private func used(_ session: Session, until expiresAt: Date) -> Session {
        var used = session
        used.lastUsedAt = now
        used.expiresAt = expiresAt
        used.tokensExpireAt = max(session.tokensExpireAt, tokenExpiresAt)
        return used
    }
}

/// What a session's row knows of its refresh tokens.
public struct RefreshState: Sendable {
    /// The newest tokens' place in the row.
    public let generation: Int
    /// Of the first that was given of the newest tokens; `nil` for a session without.
    public let digest: [UInt8]?
    /// Of the others that were given of the newest tokens. One of all of them will be used, and
    /// none but that.
    public let siblingDigests: [[UInt8]]
    /// Of the token that the newest ones replace, until one of them is used.
    public let previousDigest: [UInt8]?
    /// When the last of the newest tokens was given for the first time; `nil` when the row is of a
    /// version that did not say, or its first token has not been used.
    public let givenAt: Date?
    /// How often the token that the newest ones replace has been answered again.
    public let repeats: Int

    public init(
        generation: Int, digest: [UInt8]?, siblingDigests: [[UInt8]], previousDigest: [UInt8]?, givenAt: Date?,
        repeats: Int
    ) {
        self.generation = generation
        self.digest = digest
        self.siblingDigests = siblingDigests
        self.previousDigest = previousDigest
        self.givenAt = givenAt
        self.repeats = repeats
    }

    /// Whether it is that of one of the newest tokens.
    func isNewest(_ presented: [UInt8]) -> Bool {
        guard let digest else { return false }
        return ([digest] + siblingDigests).reduce(false) { isEqualInConstantTime($1, presented) || $0 }
    }
}

extension [[UInt8]] {
    /// Each after its length, for a row.
    package var packed: [UInt8] { flatMap { [UInt8(truncatingIfNeeded: $0.count)] + $0 } }

    package init(packed bytes: [UInt8]) {
        self = []
        var rest = bytes[...]
        while let length = rest.popFirst() {
            append([UInt8](rest.prefix(Int(length))))
            rest = rest.dropFirst(Int(length))
        }
    }
}

extension RefreshRotation {
    /// What is to be done with the row.
    public enum Step: Sendable, Hashable {
        /// One of the newest tokens is used, the first of them: it becomes the previous one, its
        /// successor the newest.
        case advance
        /// The answer was lost, or two asked at once, or someone has a copy. What is given says
        /// which of the newest tokens.
        case repeatAnswer(Repetition)
        /// A token comes back although the one that replaced it, or another that replaced the same,
        /// has been used: one of the two who hold them is a thief. The session ends.
        case endSession
        case refuseExpired
        /// The token has been answered again as often as any is.
        case refuseRepeat
        case refuse
    }

    /// What the row says of the newest tokens once an answer was given again.
    public struct Repetition: Sendable, Hashable {
        /// Which of the newest tokens is given, from 0.
        public let successor: Int
        /// Of that token.
        public let digest: [UInt8]
        public let givenAt: Date
        public let siblingDigests: [[UInt8]]
    }

    /// Decides from the row of the session.
    ///
    /// However late an answer is asked for again, it is given until the token in it has been used.
    /// Within ``sharingTime`` it is the same one; afterwards another, so that two who do not ask
    /// together do not hold the same, and are told apart as soon as both use theirs.
    public func step(for stored: StoredSession) -> Step {
        let refresh = stored.refresh
        guard let newest = refresh.digest, !stored.user.isDisabled else { return .refuse }
        guard stored.session.expiresAt > now else { return .refuseExpired }
        // A token of ours that is not known, as new as those that are or newer, is one that a
        // restored backup does not know: no theft, only a sign-in lost.
        if generation == refresh.generation { return refresh.isNewest(digest) ? .advance : .refuse }
        if let previous = refresh.previousDigest, isEqualInConstantTime(previous, digest) {
            return refresh.repeats < Self.repeatLimit ? .repeatAnswer(repetition(stored, newest)) : .refuseRepeat
        }
        return generation < refresh.generation ? .endSession : .refuse
    }

    /// Whether the row says what this rotation makes of `before` by advancing: then an earlier try
    /// has, whose answer was lost.
    package func hasAdvanced(_ before: RefreshState, to present: RefreshState) -> Bool {
        guard let newest = present.digest, let previous = present.previousDigest else { return false }
        return before.generation < Int.max && present.generation == before.generation + 1 && present.repeats == 0
            && present.siblingDigests.isEmpty && isEqualInConstantTime(previous, digest)
            && isEqualInConstantTime(newest, successorDigest(0))
    }

    private func repetition(_ stored: StoredSession, _ first: [UInt8]) -> Repetition {
        let siblings = stored.refresh.siblingDigests
        let givenAt = stored.refresh.givenAt ?? stored.session.lastUsedAt
        // To either side: nodes' clocks differ, and one that was set back must not lend the time.
        if abs(now.timeIntervalSince(givenAt)) <= Self.sharingTime {
            return Repetition(
                successor: siblings.count, digest: siblings.last ?? first, givenAt: givenAt, siblingDigests: siblings)
        }
        let next = successorDigest(siblings.count + 1)
        return Repetition(
            successor: siblings.count + 1, digest: next, givenAt: now, siblingDigests: siblings + [next])
    }
}

/// What became of a refresh token that was presented.
public enum RefreshOutcome: Sendable {
    /// The token was used for the first time: its first successor is the newest one. With the
    /// digest that is stored of it.
    case renewed(Session, User, digest: [UInt8])
    /// The token was used before and its successors were not: the one of that index is given. With
    /// the digest that is stored of it.
    case repeated(Session, User, successor: Int, digest: [UInt8])
    /// The token was used before, and was answered again as often as any is.
    case exhausted(User.ID)
    /// The session has been ended, by this line.
    case reused(User.ID, Revocation)
    case expired
    /// There is no such session, its user is disabled, or the token is not one of its row.
    case refused
}
