import Foundation
import Logging
import Metrics
public import ServiceLifecycle
import Synchronization

/// Gives what was recorded its number and its seal, every second.
///
/// Each process has one, and whoever is first seals: the others find the chain replaced and leave
/// it at that. Rows are numbered in the order in which they are found, whatever their ids: one that
/// was committed late comes later. How long the oldest row has been waiting is a gauge,
/// `rest_auth_audit_unsealed_seconds`, and beyond a minute a warning; how many rows there are is
/// another, `rest_auth_audit_events`, by their numbers and without counting them.
public struct AuditSealer: Service {
    let trail: AuditTrail
    private let lag = Lag()
    private let rowCount = Gauge(label: "rest_auth_audit_events")

    package init(trail: AuditTrail) {
        self.trail = trail
    }

    /// Runs until graceful shutdown.
    public func run() async throws {
        try await every(.seconds(1), "events could not be sealed") { try await seal() }
    }

    /// Seals all that is there.
    package func seal() async throws {
        while true {
            // The chain before the rows: none of them is sealed when the chain is still the same.
            let seals = AuditSeals(trail.secrets.known)
            let present = try await trail.storage.auditChain()
            let rows = try await trail.storage.unsealedEvents(limit: AuditTrail.batch)
            lag.note(rows.first.map { trail.now().timeIntervalSince($0.fields.at) } ?? 0)
            rowCount.record(Double(rows.count) + (present.map(\.rowCount) ?? 0))
            guard !rows.isEmpty || present.map(seals.isOfPrevious) ?? false else { return }
            _ = try await trail.intact(present, seals)
            var link = present?.head ?? .start
            let sealed = rows.map { row in
                link = link.next(row)
                return EventSeal(id: row.id, seal: seals.seal(of: link))
            }
            let chain = seals.chain(
                head: link, anchor: present?.anchor ?? .start,
                sealedAt: rows.isEmpty ? present?.sealedAt ?? trail.now() : trail.now())
            guard try await trail.storage.seal(sealed, replacing: present, with: chain), rows.count == AuditTrail.batch
            else { return }
        }
    }
}

/// How long the oldest row has been waiting for its seal.
private final class Lag: Sendable {
    /// Seconds from which on it is a warning, once.
    private static let limit: TimeInterval = 60

    private let gauge = Gauge(label: "rest_auth_audit_unsealed_seconds")
    private let isLate = Mutex(false)

    func note(_ seconds: TimeInterval) {
        gauge.record(max(0, seconds))
        let (wasLate, isLate) = isLate.withLock { isLate in
            defer { isLate = seconds > Self.limit }
            return (isLate, seconds > Self.limit)
        }
        guard isLate, !wasLate else { return }
        Logger.current.warning("events wait for their seal", metadata: ["seconds": "\(Int(min(seconds, 1e9)))"])
    }
}
