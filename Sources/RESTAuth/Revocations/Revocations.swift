package import Foundation
import Metrics
import Synchronization

/// The set of live tokens that are refused, in memory, so that verifying a token needs no query.
///
/// Writes of this process are applied at once, those of other processes through the log
/// (``RevocationFeed``). The set is used only when the log was read within the bound; otherwise,
/// for example when no feed runs, the storage is asked.
public final class Revocations: Sendable {
    package enum Standing: Sendable {
        case admitted
        case refused
        /// The log has not been read for too long.
        case unknown
    }

    private struct Entry {
        var number: Int64
        var isRefused: Bool
        var expiresAt: Date
    }

    private struct State {
        var entries: [Revocation.Subject: Entry] = [:]
        var confirmedAt: ContinuousClock.Instant?

        func refuses(_ subject: Revocation.Subject) -> Bool { entries[subject]?.isRefused == true }

        func isConfirmed(at now: ContinuousClock.Instant, within bound: Duration) -> Bool {
            confirmedAt.map { now - $0 <= bound } ?? false
        }
    }

    private let state = Mutex(State())
    private let count = Gauge(label: "rest_auth_revocations")
    private let readAt = Gauge(label: "rest_auth_revocations_read_timestamp_seconds")
    /// The time for which the set is used after a read of the log.
    package let bound: Duration

    package init(bound: Duration) {
        self.bound = bound
    }

    /// Whether the log was read within the bound.
    package var isConfirmed: Bool {
        let now = ContinuousClock.now
        return state.withLock { $0.isConfirmed(at: now, within: bound) }
    }

    /// Whether a token of that identity is refused.
    package func standing(of identity: UserIdentity, at now: ContinuousClock.Instant = .now) -> Standing {
        state.withLock { state in
            if !state.entries.isEmpty {
                if state.refuses(.user(identity.userID)) { return .refused }
                if let session = identity.sessionID, state.refuses(.session(session)) { return .refused }
                if identity.rolesInLog.contains(where: { state.refuses(.role($0, of: identity.userID)) }) {
                    return .refused
                }
            }
            return state.isConfirmed(at: now, within: bound) ? .admitted : .unknown
        }
    }

    /// Whether a token for programs is refused, by its id or its user. For a role that was taken
    /// away the standing is unknown: the token goes on without it.
    package func standing(ofProgram identity: Identity, at now: ContinuousClock.Instant = .now) -> Standing {
        state.withLock { state in
            if !state.entries.isEmpty {
                if let id = identity.programTokenID, state.refuses(.session(id)) { return .refused }
                if let user = identity.user {
                    if state.refuses(.user(user.userID)) { return .refused }
                    if user.rolesInLog.contains(where: { state.refuses(.role($0, of: user.userID)) }) {
                        return .unknown
                    }
                }
            }
            return state.isConfirmed(at: now, within: bound) ? .admitted : .unknown
        }
    }

    /// Applies entries in any order: for each subject the entry with the highest sequence number
    /// counts.
    package func apply(_ lines: [Revocation]) {
        guard !lines.isEmpty else { return }
        let held = state.withLock { state in
            for line in lines where line.number > state.entries[line.subject]?.number ?? .min {
                state.entries[line.subject] = Entry(
                    number: line.number, isRefused: line.isRefused, expiresAt: line.expiresAt)
            }
            return state.entries.count
        }
        count.record(held)
    }

    /// Applies the entries of sessions that this process has just ended, and logs each end.
    /// - Parameters:
    ///   - cause: the event that ended them.
    ///   - user: the user of the sessions; `nil` where that is not known.
    func applyEnded(_ lines: [Revocation], of user: User.ID?, by cause: AuthEvent) {
        apply(lines)
        for case .session(let id) in lines.map(\.subject) { cause.ending(id, of: user).record() }
    }

    /// Prepares for another log: keeps the refused tokens, and lets entries with any sequence
    /// number replace them.
    package func startOver() {
        state.withLock { state in
            for subject in state.entries.keys { state.entries[subject]?.number = 0 }
        }
    }

    /// Notes that every entry committed before `instant` has been applied.
    package func confirm(at instant: ContinuousClock.Instant) {
        state.withLock { $0.confirmedAt = instant }
        readAt.record(Date.now.timeIntervalSince1970 - (ContinuousClock.now - instant) / .seconds(1))
    }

    /// Forgets the entries that have expired.
    package func forget(expiredBefore date: Date) {
        let held = state.withLock { state in
            state.entries = state.entries.filter { $0.value.expiresAt >= date }
            return state.entries.count
        }
        count.record(held)
    }
}
