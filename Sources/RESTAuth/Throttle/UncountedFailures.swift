import Foundation
import ServiceLifecycle
import Synchronization

/// Failures that the storage has not taken, until it does: as good as none would be counted while
/// a disk is full or a database takes no writes.
///
/// As long as there are any, no password is compared before they are written (``Throttle``). They
/// end with the process.
package final class UncountedFailures: Service {
    private struct Owed {
        let limit: ThrottleLimit
        var amount = 0
        /// The last of them.
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

        /// The counter with these on top; one that lets nothing through stays as it is.
        func added(to stored: ThrottleCounter?, of subject: ThrottleSubject) -> ThrottleCounter? {
            let outcome = limit.counting(amount, of: subject, other: other, on: stored, at: failedAt)
            return if case .counted(let counter, _) = outcome { counter } else { stored }
        }
    }

    private struct State {
        var owed: [ThrottleSubject: Owed] = [:]
        /// Who waits for the writing that is under way; it begins with the first.
        var waiting: [CheckedContinuation<Void, any Error>] = []
    }

    private let storage: any Storage
    private let now: @Sendable () -> Date
    private let state = Mutex(State())

    /// Subjects of which something that was not compared is kept. What was is always: no more are
    /// compared at once than are hashed and wait for it.
    private static let capacity = 10_000
    /// How many are written at once.
    private static let batch = 100

    init(storage: any Storage, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.now = now
    }

    var isEmpty: Bool { state.withLock { $0.owed.isEmpty } }

    // MARK: Counting

    /// Counts what was compared, and not told.
    func add(_ tally: Tally) {
        state.withLock { $0.owed[tally.subject, default: Owed(tally, at: now())].add(tally, at: now()) }
    }

    /// Counts what was refused without being compared, until the allowance is used up: it has told
    /// nobody anything, so nobody waits for it any longer than that.
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

    /// The counters of the subjects as they would be if everything were written.
    func added(to stored: [ThrottleCounter], of subjects: [ThrottleSubject]) -> [ThrottleCounter] {
        state.withLock { state in
            guard !state.owed.isEmpty else { return stored }
            return subjects.compactMap { subject in
                let counter = stored.first { $0.subject == subject }
                return state.owed[subject]?.added(to: counter, of: subject) ?? counter
            }
        }
    }

    /// Forgets what is kept of these subjects.
    func forget(where isForgotten: (ThrottleSubject) -> Bool) {
        state.withLock { state in state.owed = state.owed.filter { !isForgotten($0.key) } }
    }

    // MARK: Writing

    /// Runs until graceful shutdown: an outage is over without anybody having to guess.
    package func run() async throws {
        try await every(.seconds(1), "wrong passwords could not be counted") { try await settle() }
    }

    /// Writes what is kept. All who call meanwhile get the same outcome.
    /// - Throws: what the storage throws; then what it did not take is kept.
    package func settle() async throws {
        guard !isEmpty else { return }
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = state.withLock { state in
                state.waiting.append(continuation)
                return state.waiting.count == 1
            }
            // Not ended with the request of the one who began it.
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
        // One alone, to find out whether it can be done at all.
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
        // As of when it was: nobody waits anew. Where it is refused, others have counted as many,
        // and whoever comes has to wait anyway.
        _ = try await storage.countFailure(
            owed.amount, of: subject, other: owed.other, limit: owed.limit, by: .application, at: owed.failedAt)
        state.withLock { state in
            // More may have come meanwhile.
            state.owed[subject]?.amount -= owed.amount
            if let left = state.owed[subject]?.amount, left <= 0 { state.owed[subject] = nil }
        }
    }
}

/// What one failure is counted of.
struct Tally: Sendable {
    let subject: ThrottleSubject
    let limit: ThrottleLimit
    /// A digest of the account for a network, of the network for an account.
    let other: UInt32?
}
