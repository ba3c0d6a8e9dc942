import Foundation

extension AuditTrail {
    /// Longest reason, in bytes.
    private static let longestReason = 1000

    /// Gives up a trail that can no longer be verified, for instance because its end was
    /// overwritten. All rows are sealed anew as they are found, under numbers greater than any
    /// before (at most 2^54). The event `audit.restarted` is sealed after them: any row with a
    /// smaller number may have been altered before.
    /// - Parameters:
    ///   - reason: the reason that the event keeps, 1 to 1000 bytes.
    ///   - caller: who restarts the trail, as the event says.
    /// - Returns: the number after which the new trail begins.
    /// - Throws: `validation_failed` for a reason of another length, `misconfigured` when nothing
    ///   was sealed.
    @discardableResult
    public func restart(because reason: String, by caller: Caller) async throws -> Int64 {
        guard (1...Self.longestReason).contains(reason.utf8.count) else {
            throw AuthError(.validationFailed, "the reason must have 1 to \(Self.longestReason) bytes")
        }
        while true {
            // The chain is not verified: the trail is given up anyway.
            let present = try await storage.auditChain()
            let last = try await storage.lastEventNumber()
            guard present != nil || last != nil else {
                throw AuthError(.misconfigured, "no event is sealed yet, so there is no trail to restart")
            }
            // Limited, so that enough numbers follow, whatever numbers somebody has stored; and not
            // below the head that an earlier restart led to.
            let number = max(0, min(1 << 53, last ?? 0), min(1 << 54, present?.head.number ?? 0))
            let start = AuditLink(number: number, digest: AuditLink.start.digest)
            let chain = AuditSeals(secrets.known).chain(head: start, anchor: start, sealedAt: now())
            let event = AuthEvent.auditRestarted(reason, head: present.map(AuditHead.init)).by(caller, at: now())
            // Another process may seal in the meantime; then the next attempt reads the chain
            // again.
            guard try await storage.restartTrail(replacing: present, with: chain, recording: event) else { continue }
            event.record()
            return number
        }
    }
}
