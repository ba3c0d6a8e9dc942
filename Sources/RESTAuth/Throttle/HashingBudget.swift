package import Foundation
import ServiceLifecycle
import Synchronization

/// The hashing time that all wrong passwords together may cost, shared by all processes on one
/// storage.
///
/// Each process adds up the time that it spent and writes it once a second. A process that spent
/// none only reads, so nothing is written while no password is wrong.
package final class HashingBudget: Service {
    private let storage: any Storage
    private let limit: ThrottleLimit
    private let now: @Sendable () -> Date

    private struct State {
        /// Milliseconds that were spent and are not written yet.
        var spent = 0
        var blockedUntil = Date.distantPast
        /// The counter as it was last read from the storage.
        var counter: ThrottleCounter?
    }

    private let state = Mutex(State())

    init(storage: any Storage, limit: ThrottleLimit, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.limit = limit
        self.now = now
    }

    /// The time until which nothing more may be spent, as far as this process knows.
    package var blockedUntil: Date { state.withLock { $0.blockedUntil } }

    package func spend(_ duration: Duration) {
        let milliseconds = Int(duration / .milliseconds(1))
        state.withLock { $0.spent += max(1, milliseconds) }
    }

    /// Runs until graceful shutdown.
    func run() async throws {
        try await every(.seconds(1), "what wrong passwords cost could not be counted") { try await settle() }
    }

    package func settle() async throws {
        let spent = state.withLock { state in
            defer { state.spent = 0 }
            return state.spent
        }
        do {
            let counter = try await spent > 0 ? write(spent) : storage.throttles(of: [.hashing]).first
            let until = blockedUntil(by: counter)
            state.withLock { ($0.counter, $0.blockedUntil) = (counter, until) }
        } catch {
            state.withLock { state in
                // Kept for the next write.
                state.spent += spent
                let counter = counted(
                    limit.counting(state.spent, of: .hashing, other: nil, on: state.counter, at: now()))
                state.blockedUntil = max(state.blockedUntil, blockedUntil(by: counter))
            }
            throw error
        }
    }

    private func write(_ spent: Int) async throws -> ThrottleCounter? {
        counted(
            try await storage.countFailure(spent, of: .hashing, other: nil, limit: limit, by: .application, at: now()))
    }

    /// The counter after an amount was added; hashing that was done is never refused.
    private func counted(_ outcome: ThrottleLimit.Outcome) -> ThrottleCounter? {
        if case .counted(let counter, _) = outcome { counter } else { nil }
    }

    private func blockedUntil(by counter: ThrottleCounter?) -> Date {
        counter.flatMap { limit.blockedUntil($0, at: now()) } ?? .distantPast
    }
}
