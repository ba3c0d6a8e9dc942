public import Foundation

/// A presented refresh token, and everything the storage needs to decide about it and to replace
/// it.
public struct RefreshRotation: Sendable {
    public let sessionID: Session.ID
    /// Generation of the presented token: the number of rotations before it, from 0.
    public let generation: Int
    /// Digest of the presented token.
    public let digest: [UInt8]
    /// Computes the digest of a successor of the presented token; indices count from 0, and there
    /// are as many successors as are asked for.
    public let successorDigest: @Sendable (_ index: Int) -> [UInt8]
    public let now: Date
    /// Seconds that a session lives without being renewed.
    public let inactivityTimeout: TimeInterval
    /// Seconds that a session lives at most.
    public let timebox: TimeInterval
    /// Expiry of the access token that is given with the successor.
    public let tokenExpiresAt: Date
    /// The caller that presents the token.
    public let caller: Caller

    /// Makes a rotation; without `tokenExpiresAt` the access token counts as one of the longest
    /// duration.
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

    /// Makes the event of this rotation: ``AuthEvent/Name/refreshTokenRepeated``,
    /// ``AuthEvent/Name/refreshTokenReused`` or ``AuthEvent/Name/refreshTokenExhausted``.
    public func event(_ name: AuthEvent.Name, of user: User.ID) -> AuthEvent {
        AuthEvent(name, user: user, session: sessionID).by(caller, at: now)
    }

    /// Seconds for which the same token gets the same successor again, for browser tabs that ask at
    /// the same time and for a client that lost the answer.
    public static let sharingTime: TimeInterval = 60

    /// Number of times that a token can be presented again before it is refused.
    public static let repeatLimit = 100

    /// The session as it is stored when it is renewed now.
    public func renewed(_ session: Session) -> Session {
        used(
            session,
            until: min(now.addingTimeInterval(inactivityTimeout), session.createdAt.addingTimeInterval(timebox)))
    }

    /// The session as it is stored when an answer is repeated now. Its expiry stays: a token that
    /// has already been replaced cannot keep a session alive.
    public func repeated(_ session: Session) -> Session { used(session, until: session.expiresAt) }

    private func used(_ session: Session, until expiresAt: Date) -> Session {
        var used = session
        used.lastUsedAt = now
        used.expiresAt = expiresAt
        used.tokensExpireAt = max(session.tokensExpireAt, tokenExpiresAt)
        return used
    }
}

/// The columns of a session's row about its refresh tokens.
public struct RefreshState: Sendable {
    /// Generation of the newest tokens.
    public let generation: Int
    /// Digest of the newest token that was given first; `nil` for a session without refresh tokens.
    public let digest: [UInt8]?
    /// Digests of the other newest tokens, given when an answer was repeated. Only one of all the
    /// newest tokens can be used.
    public let siblingDigests: [[UInt8]]
    /// Digest of the token that the newest ones replace, until one of them is used.
    public let previousDigest: [UInt8]?
    /// Time when the last of the newest tokens was given for the first time; `nil` when the first
    /// token has not been used, or the row is of a version that did not store it.
    public let givenAt: Date?
    /// Number of times that the token which the newest ones replace has been answered again.
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

    /// Whether `presented` is the digest of one of the newest tokens.
    func isNewest(_ presented: [UInt8]) -> Bool {
        guard let digest else { return false }
        return ([digest] + siblingDigests).reduce(false) { isEqualInConstantTime($1, presented) || $0 }
    }
}

extension [[UInt8]] {
    /// The values one after the other, each after one byte with its length, as a row stores them.
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
    /// The change to a session's row that a presented token asks for.
    public enum Step: Sendable, Hashable {
        /// One of the newest tokens is used for the first time: it becomes the previous token, its
        /// successor the newest.
        case advance
        /// The previous token is presented again: an answer was lost, two asked at the same time,
        /// or someone has a copy. The repetition says which of the newest tokens is given.
        case repeatAnswer(Repetition)
        /// A token comes back although its successor, or another token of its own generation, has
        /// been used: one of the two that hold them is a thief. The session ends.
        case endSession
        case refuseExpired
        /// The token has been answered again ``RefreshRotation/repeatLimit`` times.
        case refuseRepeat
        case refuse
    }

    /// The columns of the newest tokens after an answer was repeated.
    public struct Repetition: Sendable, Hashable {
        /// Index of the given token among the newest ones, from 0.
        public let successor: Int
        /// Digest of the given token.
        public let digest: [UInt8]
        public let givenAt: Date
        public let siblingDigests: [[UInt8]]
        /// Whether the event has a row: for the first other token of a generation, so at most once
        /// in ``RefreshRotation/sharingTime`` for each session. An answer with the same token is a
        /// log line and a count.
        public let isRecorded: Bool
    }

    /// Decides from the session's row what a presented token does.
    ///
    /// An answer can be repeated at any later time, until the token in it has been used. Within
    /// ``sharingTime`` the answer has the same token; afterwards another one, so that two clients
    /// that do not ask together hold different tokens, and are told apart as soon as both use
    /// theirs.
    public func step(for stored: StoredSession) -> Step {
        let refresh = stored.refresh
        guard let newest = refresh.digest, !stored.user.isDisabled else { return .refuse }
        guard stored.session.expiresAt > now else { return .refuseExpired }
        // A genuine token of the newest or a later generation that the row does not have was issued
        // after the backup that was restored: that is no theft, only a lost sign-in.
        if generation == refresh.generation { return refresh.isNewest(digest) ? .advance : .refuse }
        if let previous = refresh.previousDigest, isEqualInConstantTime(previous, digest) {
            return refresh.repeats < Self.repeatLimit ? .repeatAnswer(repetition(stored, newest)) : .refuseRepeat
        }
        return generation < refresh.generation ? .endSession : .refuse
    }

    /// Whether `present` is what this rotation makes of `before` by advancing: then an earlier
    /// attempt was committed, and its answer was lost.
    package func hasAdvanced(_ before: RefreshState, to present: RefreshState) -> Bool {
        guard let newest = present.digest, let previous = present.previousDigest else { return false }
        return before.generation < Int.max && present.generation == before.generation + 1 && present.repeats == 0
            && present.siblingDigests.isEmpty && isEqualInConstantTime(previous, digest)
            && isEqualInConstantTime(newest, successorDigest(0))
    }

    private func repetition(_ stored: StoredSession, _ first: [UInt8]) -> Repetition {
        let siblings = stored.refresh.siblingDigests
        let givenAt = stored.refresh.givenAt ?? stored.session.lastUsedAt
        // In both directions: nodes' clocks differ, and a clock that was set back must not extend
        // it.
        if abs(now.timeIntervalSince(givenAt)) <= Self.sharingTime {
            return Repetition(
                successor: siblings.count, digest: siblings.last ?? first, givenAt: givenAt, siblingDigests: siblings,
                isRecorded: false)
        }
        let next = successorDigest(siblings.count + 1)
        return Repetition(
            successor: siblings.count + 1, digest: next, givenAt: now, siblingDigests: siblings + [next],
            isRecorded: siblings.isEmpty)
    }
}

/// Result of presenting a refresh token.
public enum RefreshOutcome: Sendable {
    /// The token was used for the first time, and its first successor is the newest one; `digest`
    /// is the stored digest of that successor.
    case renewed(Session, User, digest: [UInt8])
    /// The token was used before and its successors were not: the successor of that index is given;
    /// `digest` is the stored digest of that successor.
    case repeated(Session, User, successor: Int, digest: [UInt8])
    /// The token was used before, and has been answered again ``RefreshRotation/repeatLimit``
    /// times.
    case exhausted(User.ID)
    /// The session has been ended, with this entry of the revocation log.
    case reused(User.ID, Revocation)
    case expired
    /// The session does not exist, its user is disabled, or its row does not know the token.
    case refused
}
