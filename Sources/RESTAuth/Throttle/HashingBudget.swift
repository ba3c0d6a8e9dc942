import Foundation
import ServiceLifecycle
import Synchronization

/// What all wrong passwords together may cost, shared by all processes on one storage.
///
/// Each process adds up what it spent and writes it once a second, where it has spent anything: while nothing is wrong, nobody writes.
final class HashingBudget: Service {
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
    var blockedUntil: Date { state.withLock { $0.blockedUntil } }

    func spend(_ duration: Duration) {
        let milliseconds = Int(duration / .milliseconds(1))
        state.withLock { $0.spent += max(1, milliseconds) }
    }

    /// Runs until graceful shutdown.
    func run() async throws {
        try await every(.seconds(1), "what wrong passwords cost could not be counted") { try await settle() }
    }

    func settle() async throws {
        let spent = state.withLock { state in
            defer { state.spent = 0 }
            return state.spent
        }
        guard spent > 0 else { return }
        let until: Date? =
            switch try await storage.countFailure(spent, of: .hashing, other: nil, limit: limit, at: now()) {
            case .counted(let counter): limit.blockedUntil(counter)
            case .refused(let until): until
            }
        state.withLock { $0.blockedUntil = until ?? .distantPast }
    }
}
