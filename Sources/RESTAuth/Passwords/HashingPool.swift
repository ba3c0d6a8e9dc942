import DequeModule
import Foundation
import Synchronization

/// A few threads that do nothing but hash passwords, behind a queue that cannot grow without end.
///
/// Hashing takes tens of milliseconds and much memory, so it runs beside the event loops, at the lowest priority, and at most `threads`
/// at once: memory in use is bounded by that number. When the queue is full, or a job has waited past its deadline, the caller is told to
/// come back later instead of waiting ever longer.
package final class HashingPool: Sendable {
    private struct Job: Sendable {
        let deadline: ContinuousClock.Instant
        /// Runs the work, or answers that it will not be run.
        let finish: @Sendable (_ isLate: Bool) -> Void
    }

    private final class Queue: Sendable {
        private let waiting = Mutex<Deque<Job>>([])

        func next() -> Job? { waiting.withLock { $0.popFirst() } }

        /// Whether there was room.
        func add(_ job: Job, capacity: Int) -> Bool {
            waiting.withLock { waiting in
                guard waiting.count < capacity else { return false }
                waiting.append(job)
                return true
            }
        }
    }

    private let queue = Queue()
    private let available = DispatchSemaphore(value: 0)
    private let capacity: Int
    private let patience: Duration
    private let threads: Int

    /// - Parameters:
    ///   - threads: how many hashes are computed at once.
    ///   - capacity: how many more may wait.
    ///   - patience: how long one may wait, in seconds.
    package init(threads: Int, capacity: Int, patience: Int) {
        self.threads = threads
        self.capacity = capacity
        self.patience = .seconds(patience)
        for number in 1...threads {
            // The thread holds the queue, not the pool, so that a pool nobody uses any more can end its threads.
            let thread = Thread { [queue, available] in
                lowerPriority()
                while true {
                    available.wait()
                    guard let job = queue.next() else { return }
                    job.finish(ContinuousClock.now > job.deadline)
                }
            }
            thread.name = "hashing-\(number)"
            thread.start()
        }
    }

    deinit {
        for _ in 0..<threads { available.signal() }
    }

    /// Runs `work` on one of the threads.
    /// - Throws: ``AuthError/Code/overloaded`` when the queue is full or the job waited too long; what `work` throws.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let job = Job(deadline: .now + patience) { [self] isLate in
                if isLate {
                    continuation.resume(throwing: overloaded())
                } else {
                    continuation.resume(with: Result(catching: work))
                }
            }
            if queue.add(job, capacity: capacity) {
                available.signal()
            } else {
                continuation.resume(throwing: overloaded())
            }
        }
    }

    private func overloaded() -> AuthError {
        AuthEvent.hashingOverloaded.record()
        return AuthError(
            .overloaded, "too many sign-ins at the moment, try again later",
            retryAfter: max(1, Int(patience.components.seconds)))
    }
}

/// The lowest scheduling priority, for the calling thread only: on Linux each thread has a nice value of its own, and lowering it
/// needs no privilege. A login storm then takes the processor only where nothing else wants it.
private func lowerPriority() {
    #if os(Linux)
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
    #endif
}
