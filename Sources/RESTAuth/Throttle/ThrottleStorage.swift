public import Foundation

/// The promises about counted failures, and about where users have signed in.
public protocol ThrottleStorage: Sendable {
    /// Those counters that there are, in any order.
    func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter]

    /// Counts as `limit` decides (``ThrottleLimit/counting(_:of:other:on:at:)``), the counter being
    /// read and written in one: no two get the same answer because neither saw the other. What
    /// ``ThrottleLimit/events(of:amount:user:)`` has to tell is recorded with it, by `caller`; the
    /// user is the one of the subject's name, if there is one.
    func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, by caller: Caller,
        at now: Date
    ) async throws -> ThrottleLimit.Outcome

    /// At most `limit` counters with a subject greater than `subject`, in ascending order of the
    /// parts of their keys (``ThrottleSubject/Key``): kind, name and network by their bytes, then
    /// the user's id.
    func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter]

    /// - Parameter event: is recorded when there was one; `nil` where a right password ends it.
    /// - Returns: whether there was one.
    @discardableResult
    func deleteThrottle(_ subject: ThrottleSubject, recording event: AuthEvent?) async throws -> Bool

    /// Deletes all counters of exactly that name, and the confirmations of that user when one is
    /// given, in one transaction.
    /// - Parameter event: is recorded when there was one at least.
    /// - Returns: of what there was one.
    @discardableResult
    func deleteThrottles(
        canonicalUsername: String, user: User.ID?, recording event: AuthEvent
    ) async throws -> [ThrottleSubject]

    /// Deletes at most `limit` counters that mean nothing any more.
    /// - Returns: how many.
    func deleteThrottles(forgottenBefore date: Date, limit: Int) async throws -> Int

    /// When a password last signed the user of that name in from there, to within a day; `nil` for
    /// never.
    func knownOrigin(_ network: ClientNetwork, canonicalUsername: String) async throws -> Date?

    /// Remembers that a password signed the user in from there. Of a user's networks the newest
    /// `limit` are kept. Nothing happens for a user who is not there any more.
    func rememberOrigin(_ network: ClientNetwork, user: User.ID, at now: Date, limit: Int) async throws

    /// Deletes at most `limit` networks from which nobody has come since.
    /// - Returns: how many.
    func deleteKnownOrigins(seenBefore date: Date, limit: Int) async throws -> Int
}
