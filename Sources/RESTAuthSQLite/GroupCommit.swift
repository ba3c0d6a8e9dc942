import GRDB
import Synchronization

/// Writes for many callers with one commit.
///
/// A commit waits for the disk, which takes longer than all that is written. So what comes while
/// one is under way waits, and is then written together: each caller's updates in a savepoint of
/// their own, so that one who fails undoes nothing of another, and all of them in one transaction.
/// Nobody is answered before that is on disk.
final class GroupCommit: Sendable {
    /// How many are written together, so that no reader of the log and no other process waits long.
    private static let limit = 100

    private struct Job: Sendable {
        /// Makes the updates; the outcome is kept until the commit.
        let run: @Sendable (Database) throws -> Void
        /// Answers the caller: with the outcome, or with why there is none.
        let answer: @Sendable ((any Error)?) -> Void
    }

    private let database: any DatabaseWriter
    private let waiting = Mutex<[Job]>([])

    init(database: any DatabaseWriter) {
        self.database = database
    }

    /// - Returns: what `updates` returned, once it is on disk.
    func write<Value: Sendable>(_ updates: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let outcome = Outcome<Value>()
            let job = Job(
                run: { database in try outcome.keep(database, updates) },
                answer: { failure in continuation.resume(with: failure.map { .failure($0) } ?? outcome.result) })
            let isFirst = waiting.withLock { jobs in
                jobs.append(job)
                return jobs.count == 1
            }
            if isFirst { schedule() }
        }
    }

    private func schedule() {
        database.asyncWriteWithoutTransaction { self.commit($0) }
    }

    private func commit(_ database: Database) {
        let (jobs, isMore) = waiting.withLock { waiting in
            let jobs = Array(waiting.prefix(Self.limit))
            waiting.removeFirst(jobs.count)
            return (jobs, !waiting.isEmpty)
        }
        do {
            try database.inTransaction(.immediate) {
                for job in jobs { try job.run(database) }
                return .commit
            }
            for job in jobs { job.answer(nil) }
        } catch {
            for job in jobs { job.answer(error) }
        }
        if isMore { schedule() }
    }
}

/// What one caller's updates came to.
private final class Outcome<Value: Sendable>: Sendable {
    private let kept = Mutex<Result<Value, any Error>>(.failure(CancellationError()))

    var result: Result<Value, any Error> { kept.withLock { $0 } }

    /// - Throws: only what spoils the whole transaction.
    func keep(_ database: Database, _ updates: (Database) throws -> Value) throws {
        try database.run("SAVEPOINT caller")
        do {
            let value = try updates(database)
            kept.withLock { $0 = .success(value) }
        } catch {
            kept.withLock { $0 = .failure(error) }
            // A full disk has undone everything already.
            guard database.isInsideTransaction else { throw error }
            try database.run("ROLLBACK TO caller")
        }
        try database.run("RELEASE caller")
    }
}
