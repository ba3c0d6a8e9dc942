import Foundation
import Synchronization

/// Statements that are one transaction, on their way to the database and back.
///
/// All are sent at once and with nothing between them, so they hold their locks for one trip and no
/// more. Each sees what those before it did and what others had committed when it began (READ
/// COMMITTED). Whoever asked is answered once: with the rows of each statement when all is
/// committed, or with why not.
final class Transaction: Sendable {
    typealias Answer = Result<[Rows], any Error>

    let statements: [Statement]
    /// Whether it may be sent again when nobody knows what became of it.
    let isRepeatable: Bool
    let deadline: ContinuousClock.Instant
    private let attempts = Atomic(0)
    private let isSentAlone = Atomic(false)
    private let hasLostAnswer = Atomic(false)
    private let answer: Mutex<(@Sendable (Answer, _ isRepeated: Bool) -> Void)?>

    /// How often one is sent at most.
    private static let attemptLimit = 20

    init(
        _ statements: [Statement], isRepeatable: Bool, deadline: ContinuousClock.Instant,
        answer: @escaping @Sendable (Answer, _ isRepeated: Bool) -> Void
    ) {
        self.statements = statements
        self.isRepeatable = isRepeatable
        self.deadline = deadline
        self.answer = Mutex(answer)
    }

    /// Counts an attempt and says whether it may be made. After too many it is answered: what is in
    /// the way does not go away.
    func beginAttempt() -> Bool {
        if attempts.add(1, ordering: .relaxed).newValue > Self.attemptLimit || deadline <= .now {
            finish(.failure(PostgresError.timedOut))
        }
        return !isAnswered
    }

    /// Whether it shares the fate of no other.
    var travelsAlone: Bool { isSentAlone.load(ordering: .relaxed) }

    /// Notes that it was not run because another failed that was sent with it: that was no attempt,
    /// and will not happen to it again.
    func wasAbandoned() {
        attempts.subtract(1, ordering: .relaxed)
        isSentAlone.store(true, ordering: .relaxed)
    }

    /// Notes that this attempt may have been committed without anybody knowing.
    func lostAnswer() { hasLostAnswer.store(true, ordering: .relaxed) }

    var isAnswered: Bool { answer.withLock { $0 == nil } }

    /// The first answer counts.
    func finish(_ result: Answer) {
        let answer = answer.withLock { answer in
            defer { answer = nil }
            return answer
        }
        answer?(result, hasLostAnswer.load(ordering: .relaxed))
    }
}
