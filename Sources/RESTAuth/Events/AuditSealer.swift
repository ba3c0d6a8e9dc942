import Foundation
import Logging
import Metrics
public import ServiceLifecycle
import Synchronization

/// Numbers and seals recorded events every second.
///
/// Each process runs one, and the first to seal wins: the others find the chain replaced and do
/// nothing. Rows are numbered in the order in which they are found, not by their ids: a row that
/// was committed late comes later. The waiting time of the oldest row is the gauge
/// `rest_auth_audit_unsealed_seconds`; above a minute a warning is logged. The number of rows is
/// the gauge `rest_auth_audit_events`, computed from the numbers of rows without counting them.
public struct AuditSealer: Service {
    let trail: AuditTrail
    private let lag = Lag()
    private let takeover = Takeover()
    private let setBack = SetBack()
    private let rowCount = Gauge(label: "rest_auth_audit_events")

    package init(trail: AuditTrail) {
        self.trail = trail
    }

    /// Runs until graceful shutdown.
    public func run() async throws {
        try await every(.seconds(1), "events could not be sealed") { try await seal() }
    }

    /// Seals all rows that have no seal.
    package func seal() async throws {
        while true {
            // Reads the chain before the rows: if it is unchanged later, none of these rows was
            // sealed meanwhile.
            let last = setBack.last
            let present = try await trail.storage.auditChain()
            let rows = try await trail.storage.unsealedEvents(limit: AuditTrail.batch)
            lag.note(rows.first.map { trail.now().timeIntervalSince($0.fields.at) } ?? 0)
            rowCount.record(Double(rows.count) + (present.map(\.rowCount) ?? 0))
            let known = AuditSeals(trail.secrets.known)
            if let present { takeover.note(present, known) }
            try SetBack.check(present, after: last)
            guard !rows.isEmpty || present.map(known.isOfPrevious) ?? false else { return }
            let seals = try await trail.judge(present)
            setBack.note(present)
            var link = present?.head ?? .start
            let sealed = rows.map { row in
                link = link.next(row)
                return EventSeal(id: row.id, seal: seals.seal(of: link))
            }
            let chain = seals.chain(
                head: link, anchor: present?.anchor ?? .start,
                sealedAt: rows.isEmpty ? present?.sealedAt ?? trail.now() : trail.now())
            guard try await trail.storage.seal(sealed, replacing: present, with: chain) else { return }
            takeover.note(chain, seals)
            setBack.note(chain)
            guard rows.count == AuditTrail.batch else { return }
        }
    }
}

/// The time that the oldest row has waited for its seal.
private final class Lag: Sendable {
    /// Seconds above which a warning is logged, once for each delay.
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

/// Finds that the end of the trail was set back or removed while this process runs: what was sealed
/// before would be sealed anew without a trace.
private final class SetBack: Sendable {
    /// Greatest number of a head that this process has verified or stored.
    private let greatest = Mutex<Int64>(0)

    /// The number of the last head. Read it before the chain: a chain that is read later ends no
    /// earlier, whoever seals in the meantime.
    var last: Int64 { greatest.withLock { $0 } }

    /// Takes a chain whose seal is right.
    func note(_ chain: AuditChain?) {
        greatest.withLock { $0 = max($0, chain?.head.number ?? 0) }
    }

    /// - Throws: `audit_trail_broken` when the chain ends before `last`.
    static func check(_ chain: AuditChain?, after last: Int64) throws(AuthError) {
        let number = chain?.head.number ?? 0
        guard number >= last else {
            throw .trailBroken(
                """
                its end was row \(last), and is row \(number) now; if a backup was restored, restart the servers, \
                otherwise see rest-auth audit restart
                """)
        }
    }
}

/// Logs a notice when the chain is sealed under the previous secret again after it was sealed under
/// the present one: by a node that does not have the new secret yet, or by somebody who has the old
/// one.
private final class Takeover: Sendable {
    /// Id of the present secret, once the chain was found sealed under it.
    private let seen = Mutex<SecretID?>(nil)

    func note(_ chain: AuditChain, _ seals: AuditSeals) {
        let wasSeen = seen.withLock { seen in
            defer { if seals.isOfPresent(chain) { seen = seals.id } }
            return seen == seals.id
        }
        guard wasSeen, seals.isOfPrevious(chain) else { return }
        Logger.current.notice(
            "the audit trail was sealed under the previous secret again",
            metadata: ["number": "\(chain.head.number)", "digest": "\(chain.head.digest.hexadecimal)"])
    }
}
