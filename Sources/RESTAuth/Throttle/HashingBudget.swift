package import Foundation
import ServiceLifecycle
import Synchronization

/// What all wrong passwords together may cost, shared by all processes on one storage.
///
/// Each process adds up what it spent and writes it once a second, where it has spent anything,
/// else it looks: while nothing is wrong, nobody writes.
package final class HashingBudget: Service {
    private let storage: any Storage
    private let limit: ThrottleLimit
    private let now: @Sendable () -> Date

    private struct State {
        /// Milliseconds that are not written yet.
        var spent = 0
        var blockedUntil = Date.distantPast
    }

    private let state = Mutex(State())

    init(storage: any Storage, limit: ThrottleLimit, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.limit = limit
        self.now = now
    }

    /// Until when nothing more may be spent, as far as this process knows.
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
            let until =
                try await spent > 0
                ? write(spent) : storage.throttles(of: [.hashing]).first.flatMap { limit.blockedUntil($0, at: now()) }
            state.withLock { $0.blockedUntil = until ?? .distantPast }
        } catch {
            // For the next time.
            state.withLock { $0.spent += spent }
            throw error
        }
    }

    private func write(_ spent: Int) async throws -> Date? {
        switch try await storage.countFailure(spent, of: .hashing, other: nil, limit: limit, at: now()) {
        case .counted(let counter, _): limit.blockedUntil(counter, at: now())
        case .refused(let until): until
        }
    }
}
