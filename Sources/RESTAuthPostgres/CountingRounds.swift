import RESTAuth
import Synchronization

/// Counts what many count at once of one subject together: one look at the row and one write for
/// all who came while the last was under way.
///
/// Each for itself would read the same row, and all but one would have to do it again.
final class CountingRounds: Sendable {
    /// What becomes of the counter, given as it is.
    typealias Decision = @Sendable (ThrottleCounter?) -> ThrottleLimit.Outcome
    /// What is recorded of an outcome, given who has the name of the subject.
    typealias Telling = @Sendable (ThrottleLimit.Outcome, User.ID?) -> [AuthEvent]
    /// Decides one after the other and stores what comes out, in one.
    typealias Round = @Sendable ([Part]) async throws -> [ThrottleLimit.Outcome]

    /// One of those who count.
    struct Part: Sendable {
        let decide: Decision
        let tell: Telling
    }

    private struct Entry {
        let part: Part
        let continuation: CheckedContinuation<ThrottleLimit.Outcome, any Error>
    }

    /// Who waits for the next round, of the subjects that have one under way.
    private let waiting = Mutex<[ThrottleSubject: [Entry]]>([:])

    /// - Parameters:
    ///   - subject: what is counted.
    ///   - decide: this one's part.
    ///   - tell: what is recorded of it.
    ///   - round: run by the first who comes, for all.
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

    /// Those of the next round; when there are none the subject is forgotten.
    private func next(_ subject: ThrottleSubject) -> [Entry] {
        waiting.withLock { waiting in
            let entries = waiting[subject] ?? []
            waiting[subject] = entries.isEmpty ? nil : []
            return entries
        }
    }
}
