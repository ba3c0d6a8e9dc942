import DequeModule
import Foundation
import Metrics
import Synchronization

/// A few threads that only hash passwords, behind a queue of limited length.
///
/// Hashing takes tens of milliseconds and much memory, so it runs beside the event loops, at the
/// lowest priority, and at most `threads` at once: memory in use is bounded by that number. Waiting
/// jobs are served in turn by origin (``HashingQueue``). When the queue is full, or a job has
/// waited past its deadline, the caller is told to come back later instead of waiting ever longer.
/// A job whose caller is cancelled, or whose client goes, while it waits is not run.
package final class HashingPool: Sendable {
    private let desk: Desk
    private let patience: Duration
    private let threads: Int
    private let lastID = Atomic(0)

    /// - Parameters:
    ///   - threads: the number of hashes that are computed at once.
    ///   - capacity: the number of jobs that may wait besides.
    ///   - patience: the longest wait of a job, in seconds.
    package init(threads: Int, capacity: Int, patience: Int) {
        self.threads = threads
        self.patience = .seconds(patience)
        desk = Desk(threads: threads, capacity: capacity)
        for number in 1...threads {
            // The thread holds the desk, not the pool, so that a pool that is no longer used can
            // end its threads.
            let thread = Thread { [desk] in
                lowerPriority()
                desk.work()
            }
            thread.name = "hashing-\(number)"
            thread.start()
        }
    }

    deinit { desk.close(threads) }

    /// Runs `work` on one of the threads.
    /// - Parameter origin: the client's network; each network has a queue of its own.
    /// - Throws: ``AuthError/Code/overloaded`` when there is no place or the job waited too long;
    ///   `CancellationError` when the task is cancelled or the client goes before it runs; what
    ///   `work` throws.
    package func run<Value: Sendable>(for origin: String? = nil, _ work: @escaping @Sendable () throws -> Value)
        async throws -> Value
    {
        try await measure(for: origin, work).value
    }

    /// Does the same, and measures the time of `work`, without its wait.
    package func measure<Value: Sendable>(
        for origin: String? = nil, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> (value: Value, computed: Duration) {
        try Task.checkCancellation()
        let id = lastID.add(1, ordering: .relaxed).newValue
        do {
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    let job = HashingJob(id: id, origin: origin, deadline: .now + patience) { verdict in
                        switch verdict {
                        case .run: continuation.resume(with: Result { try Self.measured(work) })
                        case .refused: continuation.resume(throwing: Refused())
                        case .cancelled: continuation.resume(throwing: CancellationError())
                        }
                    }
                    guard desk.take(job) else { return }
                    Departure.current?.whenGone { [desk] in desk.cancel(id) }
                    // A cancellation before the job was queued has not found it.
                    if Task.isCancelled { desk.cancel(id) }
                }
            } onCancel: {
                desk.cancel(id)
            }
        } catch {
            guard error is Refused else { throw error }
            // Recorded here, by the task that is refused: another task may have caused it by taking
            // the place.
            AuthEvent.hashingOverloaded.record()
            throw AuthError(
                .overloaded, "too many sign-ins at the moment, try again later",
                retryAfter: max(1, Int(patience.components.seconds)))
        }
    }

    private static func measured<Value>(_ work: () throws -> Value) throws -> (value: Value, computed: Duration) {
        let start = ContinuousClock.now
        let value = try work()
        return (value, .now - start)
    }

    private struct Refused: Error {}
}

/// The place where jobs wait for threads, and threads for jobs.
private final class Desk: Sendable {
    private struct State {
        var queue: HashingQueue
        /// The number of threads that have nothing to do and no job on the way to them.
        var idleThreads: Int
        /// The jobs on the way to a thread that had nothing to do; they do not wait.
        var handedOver: Deque<HashingJob> = []
    }

    private let state: Mutex<State>
    private let available = DispatchSemaphore(value: 0)

    private let depth = Meter(label: "rest_auth_hashing_queue_depth")
    private let wait = Metrics.Timer(label: "rest_auth_hashing_wait_seconds")
    private let running = Meter(label: "rest_auth_hashing_running")
    private let refused = Counter(label: "rest_auth_hashing_refused_total")
    private let cancelled = Counter(label: "rest_auth_hashing_cancelled_total")

    init(threads: Int, capacity: Int) {
        state = Mutex(State(queue: HashingQueue(capacity: capacity), idleThreads: threads))
        Gauge(label: "rest_auth_hashing_threads").record(threads)
    }

    private enum Fate {
        case handedOver
        case queued(HashingQueue.Admission)
    }

    /// Takes a job in.
    /// - Returns: whether the job has to wait, and can still be cancelled.
    func take(_ job: HashingJob) -> Bool {
        let fate = state.withLock { state -> Fate in
            guard state.idleThreads > 0 else { return .queued(state.queue.add(job)) }
            state.idleThreads -= 1
            state.handedOver.append(job)
            return .handedOver
        }
        switch fate {
        case .handedOver:
            available.signal()
            return false
        case .queued(.refused):
            refuse(job)
            return false
        case .queued(.admittedInstead(of: let evicted)):
            refuse(evicted)
            return true
        case .queued(.admitted):
            depth.increment()
            return true
        }
    }

    /// Cancels a job that waits; does nothing for one that does not wait any more.
    func cancel(_ id: Int) {
        guard let job = state.withLock({ $0.queue.remove(id) }) else { return }
        depth.decrement()
        cancelled.increment()
        job.finish(.cancelled)
    }

    /// Runs the jobs that come, until the pool is closed.
    func work() {
        while true {
            available.wait()
            guard var job = state.withLock({ $0.handedOver.popFirst() }) else { return }
            while true {
                wait.record(duration: .now - job.start)
                if .now > job.deadline {
                    refuse(job)
                } else {
                    running.increment()
                    job.finish(.run)
                    running.decrement()
                }
                guard let next = next() else { break }
                job = next
            }
        }
    }

    private func refuse(_ job: HashingJob) {
        refused.increment()
        job.finish(.refused)
    }

    private func next() -> HashingJob? {
        let job = state.withLock { state in
            let job = state.queue.next()
            if job == nil { state.idleThreads += 1 }
            return job
        }
        if job != nil { depth.decrement() }
        return job
    }

    /// Ends the threads. No job waits any more, because a caller that waits holds the pool.
    func close(_ threads: Int) {
        for _ in 0..<threads { available.signal() }
    }
}

/// Gives the calling thread the lowest scheduling priority: on Linux each thread has a nice value
/// of its own, and lowering its priority needs no privilege. A login storm then takes the processor
/// only where nothing else wants it.
private func lowerPriority() {
    #if os(Linux)
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
    #endif
}
