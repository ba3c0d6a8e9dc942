import Synchronization

/// What each of many may spend in an hour, some of it at once: counted in memory, which stays
/// bounded whoever comes (the generic cell rate algorithm of ITU-T I.371).
///
/// Each process counts for itself, and a restart forgets: for what costs no write otherwise and
/// does harm in large numbers only.
package final class Allowances<Key: Hashable & Sendable>: Sendable {
    /// How long one unit takes to come back.
    private let interval: Duration
    /// How much of what is to come may be spent at once.
    private let advance: Duration
    private let capacity: Int
    /// Until when what each has spent is paid back.
    private let debts = Mutex<[Key: ContinuousClock.Instant]>([:])

    /// - Parameters:
    ///   - perHour: units that come back in an hour, at least 1.
    ///   - burst: units that may be spent at once, at least 1.
    ///   - capacity: how many are remembered, at least 2; beyond, half of them start anew.
    package init(perHour: Int, burst: Int, capacity: Int = 100_000) {
        interval = .seconds(3600) / max(1, perHour)
        advance = interval * (max(1, burst) - 1)
        self.capacity = max(2, capacity)
    }

    /// Spends one unit of what `key` may.
    /// - Returns: `nil` when there was one, else how long it takes until there is; then nothing is
    ///   spent.
    package func spend(_ key: Key, at now: ContinuousClock.Instant = .now) -> Duration? {
        debts.withLock { debts in
            let paidBack = max(debts[key] ?? now, now)
            let wait = paidBack - now - advance
            guard wait <= .zero else { return wait }
            if debts.count >= capacity, debts[key] == nil { Self.makeRoom(in: &debts, below: capacity, at: now) }
            debts[key] = paidBack + interval
            return nil
        }
    }

    private static func makeRoom(
        in debts: inout [Key: ContinuousClock.Instant], below limit: Int, at now: ContinuousClock.Instant
    ) {
        debts = debts.filter { $0.value > now }
        guard debts.count > limit / 2 else { return }
        for key in debts.keys.prefix(debts.count - limit / 2) { debts[key] = nil }
    }
}
