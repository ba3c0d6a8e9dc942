package import Foundation
import Synchronization

/// Which live tokens are refused, in memory, so that a verified token costs no look into the
/// database.
///
/// The set is filled by this process's own writes at once, and by those of other processes through
/// the numbered log that a feed reads. It is believed only while the log was read within the bound;
/// otherwise, as when no feed runs, whoever knows better is asked.
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
    /// For how long after a look at the log the set is believed.
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

    /// Takes lines of the log in any order: for each subject the highest number counts.
    package func apply(_ lines: [Revocation]) {
        guard !lines.isEmpty else { return }
        state.withLock { state in
            for line in lines where line.number > state.entries[line.subject]?.number ?? .min {
                state.entries[line.subject] = Entry(
                    number: line.number, isRefused: line.isRefused, expiresAt: line.expiresAt)
            }
        }
    }

    /// Takes the lines of sessions that this process has just ended, and tells each end.
    /// - Parameters:
    ///   - cause: what ended them.
    ///   - user: whose they were; `nil` where that is not known.
    func applyEnded(_ lines: [Revocation], of user: User.ID?, by cause: AuthEvent) {
        apply(lines)
        for case .session(let id) in lines.map(\.subject) { cause.ending(id, of: user).record() }
    }

    /// Keeps what is refused, and lets lines of any number count from now on: the log has been
    /// replaced by another.
    package func startOver() {
        state.withLock { state in
            for subject in state.entries.keys { state.entries[subject]?.number = 0 }
        }
    }

    /// Notes that every line committed before `instant` has been applied.
    package func confirm(at instant: ContinuousClock.Instant) {
        state.withLock { $0.confirmedAt = instant }
    }

    /// Forgets the lines that have expired, and with them every token that they concern.
    package func forget(expiredBefore date: Date) {
        state.withLock { state in state.entries = state.entries.filter { $0.value.expiresAt >= date } }
    }
}
