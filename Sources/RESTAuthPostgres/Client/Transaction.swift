import Foundation
import Synchronization

/// Statements that are one transaction, on their way to the database and back.
///
/// All are sent at once with nothing between them, so they hold their locks for one round trip
/// only. Each statement sees the effects of those before it and what others had committed when it
/// began (READ COMMITTED). The caller is answered once: with the rows of each statement after the
/// commit, or with an error.
final class Transaction: Sendable {
    typealias Answer = Result<[Rows], any Error>

    let statements: [Statement]
    /// Whether it may be sent again when it is not known whether it was committed.
    let isRepeatable: Bool
    let deadline: ContinuousClock.Instant
    private let attempts = Atomic(0)
    private let isSentAlone = Atomic(false)
    private let hasLostAnswer = Atomic(false)
    private let answer: Mutex<(@Sendable (Answer, _ isRepeated: Bool) -> Void)?>

    /// Number of attempts at most.
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

    /// Counts an attempt and returns whether it may be made. After too many attempts the
    /// transaction is answered with an error, as the obstacle does not go away.
    func beginAttempt() -> Bool {
        if attempts.add(1, ordering: .relaxed).newValue > Self.attemptLimit || deadline <= .now {
            finish(.failure(PostgresError.timedOut))
        }
        return !isAnswered
    }

    /// Whether it must not be sent together with others.
    var travelsAlone: Bool { isSentAlone.load(ordering: .relaxed) }

    /// Records that it was not run because another one that was sent with it failed. This does not
    /// count as an attempt, and it is sent alone from now on.
    func wasAbandoned() {
        attempts.subtract(1, ordering: .relaxed)
        isSentAlone.store(true, ordering: .relaxed)
    }

    /// Notes that an answer was lost: this attempt may have been committed.
    func lostAnswer() { hasLostAnswer.store(true, ordering: .relaxed) }

    var isAnswered: Bool { answer.withLock { $0 == nil } }

    /// Answers the caller; only the first answer counts.
    func finish(_ result: Answer) {
        let answer = answer.withLock { answer in
            defer { answer = nil }
            return answer
        }
        answer?(result, hasLostAnswer.load(ordering: .relaxed))
    }
}
