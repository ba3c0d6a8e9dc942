package import Foundation
import Synchronization

/// The users whose live tokens are refused, in memory, so that a verified token costs no look into the database.
///
/// The set is filled by this process's own writes at once, and by those of other processes through the numbered log that
/// ``RevocationFeed`` reads. It is believed only while the log was read within ``bound``; otherwise, as when no feed runs,
/// a token's user is looked up in the database.
public final class Revocations: Sendable {
    /// No refusal takes longer than this to reach a process that shares the storage, in seconds.
    public static let bound: Duration = .seconds(1)

    package enum Standing: Sendable {
        case admitted
        case refused
        /// The log has not been read for too long: only the database knows.
        case unknown
    }

    private struct Entry {
        var number: Int64
        var isRefused: Bool
        var at: Date
    }

    private struct State {
        var entries: [User.ID: Entry] = [:]
        var confirmedAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    package init() {}

    package func standing(of id: User.ID) -> Standing {
        let now = ContinuousClock.now
        return state.withLock { state in
            if state.entries[id]?.isRefused == true { return .refused }
            guard let confirmedAt = state.confirmedAt, now - confirmedAt <= Self.bound else { return .unknown }
            return .admitted
        }
    }

    /// Takes lines of the log in any order: for each user the highest number counts.
    package func apply(_ lines: [Revocation]) {
        guard !lines.isEmpty else { return }
        state.withLock { state in
            for line in lines where line.number > state.entries[line.userID]?.number ?? .min {
                state.entries[line.userID] = Entry(number: line.number, isRefused: line.isRefused, at: line.at)
            }
        }
    }

    /// Notes that every line committed before `instant` has been applied.
    package func confirm(at instant: ContinuousClock.Instant) {
        state.withLock { $0.confirmedAt = instant }
    }

    /// Forgets lines older than `date`, when every token that they concern has expired.
    package func forget(before date: Date) {
        state.withLock { state in state.entries = state.entries.filter { $0.value.at >= date } }
    }
}
