import GRDB
import Synchronization

/// Commits the writes of many callers together.
///
/// A commit waits for the disk, which takes longer than the writes themselves. Writes that come
/// during a commit wait and are then done together in one transaction, each caller's in a savepoint
/// of its own, so that a failure undoes only that caller's. No caller is answered before the commit
/// is on disk.
final class GroupCommit: Sendable {
    /// Number of writes committed together at most, so that no reader of the log and no other
    /// process waits long.
    private static let limit = 100

    private struct Job: Sendable {
        /// Makes the updates; the outcome is kept until the commit.
        let run: @Sendable (Database) throws -> Void
        /// Answers the caller with the outcome, or with the error of the commit.
        let answer: @Sendable ((any Error)?) -> Void
    }

    private let database: any DatabaseWriter
    private let waiting = Mutex<[Job]>([])

    init(database: any DatabaseWriter) {
        self.database = database
    }

    /// Runs `updates` in the next transaction.
    /// - Returns: the value of `updates`, once it is on disk.
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

/// The outcome of one caller's updates.
private final class Outcome<Value: Sendable>: Sendable {
    private let kept = Mutex<Result<Value, any Error>>(.failure(CancellationError()))

    var result: Result<Value, any Error> { kept.withLock { $0 } }

    /// Runs the updates in a savepoint and keeps their value or error.
    /// - Throws: an error that undoes the whole transaction, and no other.
    func keep(_ database: Database, _ updates: (Database) throws -> Value) throws {
        try database.run("SAVEPOINT caller")
        do {
            let value = try updates(database)
            kept.withLock { $0 = .success(value) }
        } catch {
            kept.withLock { $0 = .failure(error) }
            // A full disk has rolled back the whole transaction already.
            guard database.isInsideTransaction else { throw error }
            try database.run("ROLLBACK TO caller")
        }
        try database.run("RELEASE caller")
    }
}
