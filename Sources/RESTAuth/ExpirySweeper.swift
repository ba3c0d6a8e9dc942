package import Foundation
import Logging
public import ServiceLifecycle

/// Deletes what has expired, in small batches: sessions, lines of the revocation log, signing keys,
/// counted failures, known origins, invitations, challenges, events, and what nobody reads from the
/// outbox.
public struct ExpirySweeper: Service {
    let storage: any Storage
    let verifier: TokenVerifier
    let trail: AuditTrail
    let now: @Sendable () -> Date

    package init(
        storage: any Storage, verifier: TokenVerifier, trail: AuditTrail, now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.verifier = verifier
        self.trail = trail
        self.now = now
    }

    private static let batch = 1000

    /// Seconds that a key outlives its last token's beginning: the longest life of one, and an hour
    /// for clocks.
    private static let keyRetention = TimeInterval(AuthConfiguration.maximumTokenDuration + 3600)

    /// Seconds for which it is remembered from where a user came: 90 days.
    private static let originRetention: TimeInterval = 90 * 86400

    /// Seconds that an event waits in the outbox for its reader: a week.
    private static let outboxPatience: TimeInterval = 7 * 86400

    /// How many events wait there.
    private static let outboxLimit = 100_000

    /// Runs until graceful shutdown.
    public func run() async throws {
        try await every(.seconds(60), "what has expired could not be deleted") { try await sweep() }
    }

    package func sweep() async throws {
        verifier.forgetRevocations()
        // A clock that is a little behind must still find the session of a token that is live by
        // it, and the challenge that was spent.
        let expired = now().addingTimeInterval(-TimeInterval(AccessTokenClaims.clockSlack))
        while try await storage.deleteSessions(expiredBefore: expired, limit: Self.batch) == Self.batch {}
        while try await storage.deleteInvitations(expiredBefore: expired, limit: Self.batch) == Self.batch {}
        while try await storage.deleteSpentChallenges(expiredBefore: expired, limit: Self.batch) == Self.batch {}
        while try await storage.deleteRevocations(expiredBefore: now(), limit: Self.batch) == Self.batch {}
        try await storage.deleteSigningKeys(replacedBefore: now().addingTimeInterval(-Self.keyRetention))
        while try await storage.deleteThrottles(forgottenBefore: now(), limit: Self.batch) == Self.batch {}
        let unseen = now().addingTimeInterval(-Self.originRetention)
        while try await storage.deleteKnownOrigins(seenBefore: unseen, limit: Self.batch) == Self.batch {}
        try await trimOutbox()
        // Last: a trail that is broken is left as it is.
        try await trail.prune()
    }

    private func trimOutbox() async throws {
        let tooOld = now().addingTimeInterval(-Self.outboxPatience)
        var total = 0
        while case let count = try await storage.trimOutbox(
            before: tooOld, keeping: Self.outboxLimit, limit: Self.batch),
            count > 0
        {
            total += count
        }
        if total > 0 { Logger.current.warning("events were not read in time", metadata: ["count": "\(total)"]) }
    }
}
