import Foundation
import Metrics
import ServiceLifecycle
import Synchronization

/// The failures that the storage has not accepted, for example while a disk is full. They are kept
/// until it accepts them.
///
/// While there are any, no password is compared before they are written (``Throttle``). They are
/// lost when the process ends.
package final class UncountedFailures: Service {
    private struct Owed {
        let limit: ThrottleLimit
        var amount = 0
        /// The time of the last failure.
        var failedAt: Date
        var other: UInt32?

        init(_ tally: Tally, at now: Date) {
            (limit, failedAt) = (tally.limit, now)
        }

        mutating func add(_ tally: Tally, at now: Date) {
            amount += 1
            failedAt = now
            other = tally.other ?? other
        }

        /// The stored counter with these failures added; one that blocks stays as it is.
        func added(to stored: ThrottleCounter?, of subject: ThrottleSubject) -> ThrottleCounter? {
            let outcome = limit.counting(amount, of: subject, other: other, on: stored, at: failedAt)
            return if case .counted(let counter, _) = outcome { counter } else { stored }
        }
    }

    private struct State {
        var owed: [ThrottleSubject: Owed] = [:]
        /// Callers that wait for the write in progress.
        var waiting: [CheckedContinuation<Void, any Error>] = []
    }

    private let storage: any Storage
    private let now: @Sendable () -> Date
    private let state = Mutex(State())
    private let unwritten = Gauge(label: "rest_auth_throttle_unwritten")

    /// The most subjects of which refused guesses are kept. Guesses that were compared are always
    /// kept: their number is bounded by the hashing queue.
    private static let capacity = 10_000
    /// The number of counters that are written at once.
    private static let batch = 100

    init(storage: any Storage, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.now = now
    }

    var isEmpty: Bool { state.withLock { $0.owed.isEmpty } }

    // MARK: Counting

    /// Keeps a failure whose password was compared.
    func add(_ tally: Tally) {
        state.withLock { $0.owed[tally.subject, default: Owed(tally, at: now())].add(tally, at: now()) }
    }

    /// Keeps a failure that was refused without comparing a password, until the allowance is used
    /// up: such a failure must not extend a delay.
    /// - Parameter stored: the counter in the storage.
    func addRefused(_ tally: Tally, to stored: ThrottleCounter?) {
        state.withLock { state in
            let owed = state.owed[tally.subject]
            guard owed != nil || state.owed.count < Self.capacity,
                case .counted(let counter, _) = tally.limit.counting(
                    1, of: tally.subject, other: nil, on: owed?.added(to: stored, of: tally.subject) ?? stored,
                    at: now()),
                counter.failures <= tally.limit.allowance
            else { return }
            state.owed[tally.subject, default: Owed(tally, at: now())].add(tally, at: now())
        }
    }

    /// The counters as they would be with all kept failures written.
    func added(to stored: [ThrottleCounter], of subjects: [ThrottleSubject]) -> [ThrottleCounter] {
        state.withLock { state in
            guard !state.owed.isEmpty else { return stored }
            return subjects.compactMap { subject in
                let counter = stored.first { $0.subject == subject }
                return state.owed[subject]?.added(to: counter, of: subject) ?? counter
            }
        }
    }

    /// Forgets the kept failures of some subjects.
    func forget(where isForgotten: (ThrottleSubject) -> Bool) {
        state.withLock { state in state.owed = state.owed.filter { !isForgotten($0.key) } }
    }

    // MARK: Writing

    /// Writes the kept failures from time to time until graceful shutdown, so that an outage ends
    /// without a guess.
    package func run() async throws {
        try await every(.seconds(1), "wrong passwords could not be counted") {
            defer { unwritten.record(state.withLock { $0.owed.count }) }
            try await settle()
        }
    }

    /// Writes the kept failures. Concurrent callers share one write and its outcome.
    /// - Throws: the storage's error; the failures that it did not accept are kept.
    package func settle() async throws {
        guard !isEmpty else { return }
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = state.withLock { state in
                state.waiting.append(continuation)
                return state.waiting.count == 1
            }
            // A separate task is not cancelled with the request that started it.
            if isFirst { Task { await settleForAll() } }
        }
    }

    private func settleForAll() async {
        var outcome = Result<Void, any Error>.success(())
        do { try await write() } catch { outcome = .failure(error) }
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(with: outcome) }
    }

    private func write() async throws {
        var subjects = state.withLock { Array($0.owed.keys) }
        // Writes the first alone, to find out whether the storage accepts writes.
        var count = 1
        while !subjects.isEmpty {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for subject in subjects.suffix(count) { group.addTask { try await self.write(subject) } }
                try await group.waitForAll()
            }
            subjects.removeLast(min(count, subjects.count))
            count = Self.batch
        }
    }

    private func write(_ subject: ThrottleSubject) async throws {
        guard let owed = state.withLock({ $0.owed[subject] }) else { return }
        // Passes the time of the failure, so that no delay starts anew. A refusal means that the
        // counter blocks already.
        _ = try await storage.countFailure(
            owed.amount, of: subject, other: owed.other, limit: owed.limit, by: .application, at: owed.failedAt)
        state.withLock { state in
            // More failures may have been added meanwhile.
            state.owed[subject]?.amount -= owed.amount
            if let left = state.owed[subject]?.amount, left <= 0 { state.owed[subject] = nil }
        }
    }
}

/// A subject that a failure is counted by, with its limit.
struct Tally: Sendable {
    let subject: ThrottleSubject
    let limit: ThrottleLimit
    /// A digest of the network when an account is counted, and of the account when a network is.
    let other: UInt32?
}
