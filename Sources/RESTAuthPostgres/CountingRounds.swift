import RESTAuth
import Synchronization

/// Counts concurrent failures of one subject together: one read of the row and one write for all
/// that came while the previous round was under way.
///
/// Counted one by one, all would read the same row, and all but one would have to do it again.
final class CountingRounds: Sendable {
    /// Decides the new state of the counter, given the present one.
    typealias Decision = @Sendable (ThrottleCounter?) -> ThrottleLimit.Outcome
    /// Makes the events of an outcome, given the user who has the name of the subject.
    typealias Telling = @Sendable (ThrottleLimit.Outcome, User.ID?) -> [AuthEvent]
    /// Takes all decisions one after the other and stores the result in one write.
    typealias Round = @Sendable ([Part]) async throws -> [ThrottleLimit.Outcome]

    /// The decision and the events of one caller.
    struct Part: Sendable {
        let decide: Decision
        let tell: Telling
    }

    private struct Entry {
        let part: Part
        let continuation: CheckedContinuation<ThrottleLimit.Outcome, any Error>
    }

    /// Callers that wait for the next round, by the subjects that have a round under way.
    private let waiting = Mutex<[ThrottleSubject: [Entry]]>([:])

    /// Counts in the next round.
    /// - Parameters:
    ///   - subject: the subject of the counter.
    ///   - decide: this caller's decision.
    ///   - tell: makes the events of its outcome.
    ///   - round: runs a round; that of the first caller is used for all.
    func count(
        _ subject: ThrottleSubject, _ decide: @escaping Decision, told tell: @escaping Telling,
        rounds round: @escaping Round
    ) async throws -> ThrottleLimit.Outcome {
        try await withCheckedThrowingContinuation { continuation in
            let entry = Entry(part: Part(decide: decide, tell: tell), continuation: continuation)
            let isFirst = waiting.withLock { waiting in
                defer { waiting[subject, default: []].append(entry) }
                return waiting[subject] == nil
            }
            if isFirst { Task { await run(subject, round) } }
        }
    }

    private func run(_ subject: ThrottleSubject, _ round: Round) async {
        while case let entries = next(subject), !entries.isEmpty {
            do {
                let outcomes = try await round(entries.map(\.part))
                for (entry, outcome) in zip(entries, outcomes) { entry.continuation.resume(returning: outcome) }
            } catch {
                for entry in entries { entry.continuation.resume(throwing: error) }
            }
        }
    }

    /// Takes the callers of the next round; when there are none, forgets the subject.
    private func next(_ subject: ThrottleSubject) -> [Entry] {
        waiting.withLock { waiting in
            let entries = waiting[subject] ?? []
            waiting[subject] = entries.isEmpty ? nil : []
            return entries
        }
    }
}
