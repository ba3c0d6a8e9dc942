import Foundation

extension AuditTrail {
    /// In bytes.
    private static let longestReason = 1000

    /// Gives up a trail that cannot be verified any more, as after its end was overwritten: all
    /// rows are sealed anew as they are found, under numbers greater than any before. The event,
    /// `audit.restarted`, is sealed behind them: whatever has a lesser number may have been altered
    /// before.
    /// - Parameter reason: 1 to 1000 bytes, which the event keeps.
    /// - Returns: the number behind which the new trail begins.
    /// - Throws: `validation_failed` for another reason, `misconfigured` when nothing was sealed.
    @discardableResult
    public func restart(because reason: String, by caller: Caller) async throws -> Int64 {
        guard (1...Self.longestReason).contains(reason.utf8.count) else {
            throw AuthError(.validationFailed, "the reason must have 1 to \(Self.longestReason) bytes")
        }
        while true {
            // Nothing that it says is believed.
            let present = try await storage.auditChain()
            let last = try await storage.lastEventNumber()
            guard present != nil || last != nil else {
                throw AuthError(.misconfigured, "no event is sealed yet: there is no trail that could be given up")
            }
            // Whatever numbers somebody has put in, there are enough behind this one.
            let number = min(1 << 53, max(0, present?.head.number ?? 0, last ?? 0))
            let start = AuditLink(number: number, digest: AuditLink.start.digest)
            let chain = AuditSeals(secrets.known).chain(head: start, anchor: start, sealedAt: now())
            let event = AuthEvent.auditRestarted(reason, head: present.map(AuditHead.init)).by(caller, at: now())
            // Another process may seal in between.
            guard try await storage.restartTrail(replacing: present, with: chain, recording: event) else { continue }
            event.record()
            return number
        }
    }
}
