public import Foundation

/// The promises about counted failures, and about the networks from which users have signed in.
public protocol ThrottleStorage: Sendable {
    /// The stored counters of these subjects, in any order.
    func throttles(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter]

    /// Counts as `limit` decides (``ThrottleLimit/counting(_:of:other:on:at:)``). The counter is
    /// read and written in one transaction, so no two failures see the same count. The events of
    /// ``ThrottleLimit/events(of:amount:user:)`` are recorded in that transaction, as done by
    /// `caller`; their user is the one with the subject's name, if there is one.
    func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, by caller: Caller,
        at now: Date
    ) async throws -> ThrottleLimit.Outcome

    /// Returns at most `limit` counters with a subject greater than `subject`, in ascending order
    /// of the parts of their keys (``ThrottleSubject/Key``): kind, name and network by their bytes,
    /// then the user's id.
    func throttles(after subject: ThrottleSubject?, limit: Int) async throws -> [ThrottleCounter]

    /// Deletes the counter, and records the event if there was a counter; `event` is `nil` when a
    /// right password deletes it.
    /// - Returns: whether there was a counter.
    @discardableResult
    func deleteThrottle(_ subject: ThrottleSubject, recording event: AuthEvent?) async throws -> Bool

    /// Deletes all counters of exactly that name, and the counter of confirmations of that user
    /// when one is given, and records the event if at least one was deleted, in one transaction.
    /// - Returns: the subjects of the deleted counters.
    @discardableResult
    func deleteThrottles(
        canonicalUsername: String, user: User.ID?, recording event: AuthEvent
    ) async throws -> [ThrottleSubject]

    /// Deletes at most `limit` counters that expired before `date`.
    /// - Returns: the number of deleted counters.
    func deleteThrottles(forgottenBefore date: Date, limit: Int) async throws -> Int

    /// The time of the last sign-in of a user with a password from a network, to within a day;
    /// `nil` for never.
    func knownOrigin(_ network: ClientNetwork, canonicalUsername: String) async throws -> Date?

    /// Stores that a user has signed in with a password from a network, and records the event when
    /// the network is new to the user, in one transaction. The newest `limit` networks of a user
    /// are kept. Nothing is recorded when all of these are of the last day: who changes networks
    /// faster than that would fill the trail. It is not an error when the user no longer exists.
    /// - Returns: whether the event is recorded, or would be if there were one.
    @discardableResult
    func rememberOrigin(
        _ network: ClientNetwork, user: User.ID, at now: Date, limit: Int, recording event: AuthEvent?
    ) async throws -> Bool

    /// Deletes at most `limit` networks from which their users have not signed in since `date`.
    /// - Returns: the number of deleted networks.
    func deleteKnownOrigins(seenBefore date: Date, limit: Int) async throws -> Int
}
