import Synchronization

/// What each of many may spend in an hour, some of it at once: counted in memory, which stays
/// bounded whoever comes (the generic cell rate algorithm of ITU-T I.371).
///
/// Each process counts for itself, and a restart forgets: for what costs no write otherwise and
/// does harm in large numbers only.
package final class Allowances<Key: Hashable & Sendable>: Sendable {
    /// How long one unit takes to come back.
    private let interval: Duration
    /// How much may be owed when a unit has been spent.
    private let credit: Duration
    private let capacity: Int
    /// Until when what each has spent is paid back.
    private let debts = Mutex<[Key: ContinuousClock.Instant]>([:])

    /// - Parameters:
    ///   - perHour: units that come back in an hour, at least 1.
    ///   - burst: units that may be spent at once, at least 1.
    ///   - capacity: how many are remembered, at least 2; beyond, the half that owes least starts
    ///     anew.
    package init(perHour: Int, burst: Int, capacity: Int = 100_000) {
        interval = .seconds(3600) / max(1, perHour)
        credit = interval * max(1, burst)
        self.capacity = max(2, capacity)
    }

    /// Spends one unit of what `key` may.
    /// - Parameters:
    ///   - key: who spends.
    ///   - factor: how many times as much this one may, in an hour and at once.
    ///   - now: the time.
    /// - Returns: `nil` when there was one, else how long it takes until there is; then nothing is
    ///   spent.
    package func spend(_ key: Key, factor: Int = 1, at now: ContinuousClock.Instant = .now) -> Duration? {
        debts.withLock { debts in
            let owed = max(debts[key] ?? now, now) - now + interval / factor
            guard owed <= credit else { return owed - credit }
            if debts.count >= capacity, debts[key] == nil { Self.makeRoom(in: &debts, below: capacity, at: now) }
            debts[key] = now + owed
            return nil
        }
    }

    /// Gives a unit back that was spent for nothing.
    package func giveBack(_ key: Key, factor: Int = 1) {
        debts.withLock { debts in
            guard let paidBack = debts[key] else { return }
            debts[key] = paidBack - interval / factor
        }
    }

    /// Who owes much stays, so that nobody is rid of a debt by bringing many who owe little.
    private static func makeRoom(
        in debts: inout [Key: ContinuousClock.Instant], below limit: Int, at now: ContinuousClock.Instant
    ) {
        debts = debts.filter { $0.value > now }
        guard debts.count > limit / 2 else { return }
        let kept = debts.sorted { $0.value > $1.value }.prefix(limit / 2)
        debts = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
}

extension Allowances<ClientNetwork> {
    /// Spends one unit of what a network may, and of what each block may that it lies in, or none
    /// at all.
    /// - Returns: `nil` when there was one of each, else where there was none, and how long it
    ///   takes until there is.
    func spendInBlocks(of network: ClientNetwork) -> (block: ClientNetwork, wait: Duration)? {
        var spent: [ClientNetwork] = []
        for block in network.blocks {
            if let wait = spend(block, factor: block.allowanceFactor) {
                for block in spent { giveBack(block, factor: block.allowanceFactor) }
                return (block, wait)
            }
            spent.append(block)
        }
        return nil
    }
}
