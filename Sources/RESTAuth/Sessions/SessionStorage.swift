public import Foundation

/// A stored session with its user and the state of its refresh tokens.
public struct StoredSession: Sendable {
    public let session: Session
    public let user: User
    public let refresh: RefreshState

    public init(session: Session, user: User, refresh: RefreshState) {
        self.session = session
        self.user = user
        self.refresh = refresh
    }
}

/// A session to be stored, with the digest of its first refresh token.
public struct NewSession: Sendable {
    public let session: Session
    /// Digest of the first refresh token; `nil` for a session without one.
    public let refreshDigest: [UInt8]?

    public init(_ session: Session, refreshDigest: [UInt8]?) {
        self.session = session
        self.refreshDigest = refreshDigest
    }
}

/// Counts of the sessions with a refresh token.
public struct RenewableSessions: Sendable, Hashable {
    public let count: Int
    /// Number of them with a digest that does not begin with the mark asked for.
    public let unmarkedCount: Int
    /// Latest expiry of the unmarked sessions; `nil` for none.
    public let lastUnmarkedExpiry: Date?

    public init(count: Int, unmarkedCount: Int, lastUnmarkedExpiry: Date?) {
        self.count = count
        self.unmarkedCount = unmarkedCount
        self.lastUnmarkedExpiry = lastUnmarkedExpiry
    }
}

/// Storage of sessions.
///
/// A session is a row and ends when the row is deleted. Deleting it before its expiry also writes
/// an entry of the revocation log, in the same transaction.
public protocol SessionStorage: Sendable {
    /// Stores a new session and, in the same transaction, ends the user's oldest ones beyond
    /// `limit`.
    ///
    /// Nothing is stored when the user does not exist, is disabled, or has changed the password
    /// since the sign-in that `passwordVersion` is of. Nothing is stored either when there is a
    /// session with that id, or the revocation log has an entry that ended one.
    /// - Parameters:
    ///   - session: the new session, which is never one of those that are ended.
    ///   - passwordVersion: the version that the user's password must still have; `nil` for any.
    ///   - refreshDigest: the digest of the first refresh token; `nil` for a session without one.
    ///   - limit: the number of sessions that the user may have, this one included.
    ///   - event: is recorded with the new session, and with it the end of each session beyond the
    ///     limit (``AuthEvent/ending(_:of:)``).
    /// - Returns: the revocation log entries of the sessions that were ended; `nil` when nothing
    ///   was stored.
    func insertSession(
        _ session: Session, passwordVersion: Int?, refreshDigest: [UInt8]?, limit: Int, recording event: AuthEvent
    ) async throws -> [Revocation]?

    /// Finds a session that has not been ended, even if it has expired, with its user, who may be
    /// disabled.
    func session(id: Session.ID) async throws -> StoredSession?

    /// Lists at most `limit` sessions of the user that are live at `now`, newest first; with `id`,
    /// only those older than that session.
    func sessions(of user: User.ID, before id: Session.ID?, limit: Int, at now: Date) async throws -> [Session]

    /// Records that a token was given for the session, which expires at `expiresAt` at the latest.
    /// A session without a refresh token is kept at least until then; one with a refresh token
    /// keeps its own expiry.
    /// - Returns: the session and its user as they are now; `nil` when there is no such session.
    func prolongSession(id: Session.ID, until expiresAt: Date, at now: Date) async throws -> StoredSession?

    /// Raises a live session: replaces what its user has proven, and records that, in one
    /// transaction. The time never goes back. Nothing is raised when the user is disabled.
    /// - Parameters:
    ///   - id: the id of the session.
    ///   - user: the user that the session must belong to.
    ///   - authentication: what is proven now, of which new tokens tell.
    ///   - expiresAt: the latest expiry of the token that is given with it. The session keeps its
    ///     own, and so does its refresh token.
    ///   - now: the time at which the session must be live.
    ///   - event: recorded when it was raised.
    /// - Returns: the session and its user as they are now; `nil` when nothing was raised.
    func raiseSession(
        id: Session.ID, of user: User.ID, to authentication: Authentication, until expiresAt: Date, at now: Date,
        recording event: AuthEvent
    ) async throws -> StoredSession?

    /// Exchanges a refresh token for a successor, or ends the session when an earlier token comes
    /// back.
    ///
    /// Reads the row, asks ``RefreshRotation/step(for:)`` and writes, in one transaction that
    /// excludes all other rotations of this session. In the same transaction the first repetition
    /// of an answer is recorded, and a reused token together with the end of the session
    /// (``RefreshRotation/event(_:of:)``). A usual renewal is not recorded, nor are repetitions
    /// after the first, of which there may be many.
    func rotate(_ rotation: RefreshRotation) async throws -> RefreshOutcome

    /// Deletes the session and writes its revocation log entry, in one transaction.
    /// - Parameters:
    ///   - id: the id of the session.
    ///   - user: the user that the session must belong to; `nil` for an operator, who may end any
    ///     session.
    ///   - now: the time of the revocation log entry.
    ///   - cause: the event that ends the session; its ``AuthEvent/ending(_:of:)`` is recorded.
    /// - Returns: the revocation log entry, or `nil` when there is no such session.
    func endSession(
        id: Session.ID, of user: User.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> Revocation?

    /// Deletes all sessions of the user except `kept`, writes their revocation log entries and
    /// records the end of each, in one transaction.
    func endSessions(
        of user: User.ID, except kept: Session.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation]

    /// Counts the sessions with a refresh token that are live at `now`, and those of them whose
    /// digests, of the newest token and of the previous one, do not all begin with `mark`. A digest
    /// of at most 32 bytes, the length without a mark, begins with none.
    func renewableSessions(notMarked mark: [UInt8], at now: Date) async throws -> RenewableSessions

    /// Deletes at most `limit` of the sessions with a refresh token whose digests do not all begin
    /// with `mark`, writes their revocation log entries and records the end of each, in one
    /// transaction.
    func endSessions(
        notMarked mark: [UInt8], limit: Int, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation]

    /// Deletes at most `limit` sessions that expired before `date`, with all of their tokens. No
    /// revocation log entry is written: none of their tokens is live.
    /// - Returns: the number of deleted sessions.
    func deleteSessions(expiredBefore date: Date, limit: Int) async throws -> Int
}
