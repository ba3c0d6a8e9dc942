public import Foundation

/// What a session's row looks like to the door.
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

/// A session that is to be stored.
public struct NewSession: Sendable {
    public let session: Session
    /// Of its first refresh token; `nil` for a session without.
    public let refreshDigest: [UInt8]?

    public init(_ session: Session, refreshDigest: [UInt8]?) {
        self.session = session
        self.refreshDigest = refreshDigest
    }
}

/// How many sessions have a refresh token.
public struct RenewableSessions: Sendable, Hashable {
    public let count: Int
    /// How many of them have digests that are not marked as asked for.
    public let unmarkedCount: Int
    /// When the last of these expires.
    public let lastUnmarkedExpiry: Date?

    public init(count: Int, unmarkedCount: Int, lastUnmarkedExpiry: Date?) {
        self.count = count
        self.unmarkedCount = unmarkedCount
        self.lastUnmarkedExpiry = lastUnmarkedExpiry
    }
}

/// The promises about sessions' rows.
///
/// A session is a row. It ends by being deleted, and whoever deletes it before it expires writes
/// the line of the revocation log in the same transaction.
public protocol SessionStorage: Sendable {
    /// Stores a new session and, in the same transaction, ends the user's oldest ones beyond
    /// `limit`.
    ///
    /// Nothing is stored when there is no such user any more, the user is disabled, or has another
    /// password by now: whoever signed in with the one before is too late. Nothing either when
    /// there is a session with that id, or the log has the line that ended one.
    /// - Parameters:
    ///   - session: the new one, which is never one of those that have to go.
    ///   - passwordVersion: the one that must still be the user's; `nil` for any.
    ///   - refreshDigest: of the first refresh token; `nil` for a session without.
    ///   - limit: how many sessions the user may have, this one included.
    ///   - event: is recorded with the new one, and beside it the end of each that had to go
    ///     (``AuthEvent/ending(_:of:)``).
    /// - Returns: the lines for the sessions that had to go; `nil` when nothing was stored.
    func insertSession(
        _ session: Session, passwordVersion: Int?, refreshDigest: [UInt8]?, limit: Int, recording event: AuthEvent
    ) async throws -> [Revocation]?

    /// A session that has not been ended, with its user, who may be disabled.
    func session(id: Session.ID) async throws -> StoredSession?

    /// At most `limit` sessions of the user that are live at `now`, newest first, older than `id`
    /// when one is given.
    func sessions(of user: User.ID, before id: Session.ID?, limit: Int, at now: Date) async throws -> [Session]

    /// Notes that a token was given for the session, which ends at `expiresAt` at the latest. One
    /// without a refresh token is kept until then at least; one that has one is prolonged by that
    /// alone.
    /// - Returns: the session and its user as they are now; `nil` when there is none.
    func prolongSession(id: Session.ID, until expiresAt: Date, at now: Date) async throws -> StoredSession?

    /// Trades a refresh token for a successor, or ends the session when an earlier one comes back.
    ///
    /// Reads the row, asks ``RefreshRotation/step(for:)`` and writes, in one transaction that no
    /// other rotation of this session can interleave with. Recorded with it
    /// (``RefreshRotation/event(_:of:)``) is that the answer to a token was repeated, for the first
    /// time, or that a token was reused, and beside that the end of the session; of a usual renewal
    /// nothing, nor of a repetition after the first, of which there may be many.
    func rotate(_ rotation: RefreshRotation) async throws -> RefreshOutcome

    /// Deletes the session and writes the line of the log, in one transaction.
    /// - Parameters:
    ///   - id: of the session.
    ///   - user: whose it must be; `nil` for an operator, who may end anyone's.
    ///   - now: the line's time.
    ///   - cause: what ends it; its ``AuthEvent/ending(_:of:)`` is recorded.
    /// - Returns: the line, or `nil` when there is no such session.
    func endSession(
        id: Session.ID, of user: User.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> Revocation?

    /// Deletes all sessions of the user but one, writes their lines and records the end of each, in
    /// one transaction.
    func endSessions(
        of user: User.ID, except kept: Session.ID?, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation]

    /// Counts the sessions with a refresh token that are live at `now`, and among them those whose
    /// digests, of the newest token and of the one before, do not all begin with `mark`. One that
    /// is no longer than a digest without a mark (32 bytes) begins with none.
    func renewableSessions(notMarked mark: [UInt8], at now: Date) async throws -> RenewableSessions

    /// Deletes at most `limit` of the sessions with a refresh token whose digests do not all begin
    /// with `mark`, writes their lines and records the end of each, in one transaction.
    func endSessions(
        notMarked mark: [UInt8], limit: Int, at now: Date, recording cause: AuthEvent
    ) async throws -> [Revocation]

    /// Deletes at most `limit` sessions that expired before `date`, and all tokens of theirs. No
    /// line is written: there is none to refuse.
    /// - Returns: how many were deleted.
    func deleteSessions(expiredBefore date: Date, limit: Int) async throws -> Int
}
