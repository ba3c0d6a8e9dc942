public import Foundation

/// A refresh token that was presented, and what is to take its place.
public struct RefreshRotation: Sendable {
    public let sessionID: Session.ID
    /// The presented token's place in the row of its session's tokens, from 0.
    public let generation: Int
    /// Of the presented token.
    public let digest: [UInt8]
    /// Of the token that takes its place.
    public let successorDigest: [UInt8]
    public let now: Date
    /// Seconds that a session lives without being renewed.
    public let inactivityTimeout: TimeInterval
    /// Seconds that a session lives at most.
    public let timebox: TimeInterval

    public init(
        sessionID: Session.ID, generation: Int, digest: [UInt8], successorDigest: [UInt8], now: Date,
        inactivityTimeout: TimeInterval, timebox: TimeInterval
    ) {
        self.sessionID = sessionID
        self.generation = generation
        self.digest = digest
        self.successorDigest = successorDigest
        self.now = now
        self.inactivityTimeout = inactivityTimeout
        self.timebox = timebox
    }

    /// The session once it is renewed now.
    public func renewed(_ session: Session) -> Session {
        Session(
            id: session.id, userID: session.userID, createdAt: session.createdAt, lastUsedAt: now,
            expiresAt: min(now.addingTimeInterval(inactivityTimeout), session.createdAt.addingTimeInterval(timebox)),
            origin: session.origin, isRenewable: true)
    }
}

/// What a session's row knows of its refresh tokens.
public struct RefreshState: Sendable {
    /// The newest token's place in the row.
    public let generation: Int
    /// Of the newest token; `nil` for a session without.
    public let digest: [UInt8]?
    /// Of the token that the newest one replaced, until the newest is used.
    public let previousDigest: [UInt8]?

    public init(generation: Int, digest: [UInt8]?, previousDigest: [UInt8]?) {
        self.generation = generation
        self.digest = digest
        self.previousDigest = previousDigest
    }
}

extension RefreshRotation {
    /// What is to be done with the row.
    public enum Step: Sendable, Hashable {
        /// The newest token is used for the first time: it becomes the previous one, its successor
        /// the newest.
        case advance
        /// The answer was lost, or two asked at once: the successor that was given stays the
        /// newest, and nothing is written.
        case repeatAnswer
        /// A token whose successor has been used comes back: one of the two who hold them is a
        /// thief. The session ends.
        case endSession
        case refuseExpired
        case refuse
    }

    /// Decides from the row of the session. A state, not a clock: however late an answer is asked
    /// for again, it is given until the token in it has been used.
    public func step(for stored: StoredSession) -> Step {
        guard let newest = stored.refresh.digest, !stored.user.isDisabled else { return .refuse }
        guard stored.session.expiresAt > now else { return .refuseExpired }
        if isEqualInConstantTime(newest, digest) { return .advance }
        if let previous = stored.refresh.previousDigest, isEqualInConstantTime(previous, digest) {
            return .repeatAnswer
        }
        // A token of ours from further on is one that a restored backup does not know: no theft,
        // only a sign-in lost.
        return generation < stored.refresh.generation ? .endSession : .refuse
    }
}

/// What became of a refresh token that was presented.
public enum RefreshOutcome: Sendable {
    /// The successor is the newest token, now or already since an earlier request.
    case renewed(Session, User)
    /// The session has been ended, by this line.
    case reused(User.ID, Revocation)
    case expired
    /// There is no such session, its user is disabled, or the token is not one of its row.
    case refused
}
