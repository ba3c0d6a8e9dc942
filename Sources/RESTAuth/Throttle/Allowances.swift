import Synchronization

/// A rate limit for each of many keys: units an hour, some of them at once, counted in bounded
/// memory (the generic cell rate algorithm of ITU-T I.371).
///
/// Each process counts separately, and a restart forgets. Suited to actions that write nothing to
/// the storage otherwise, and do harm only in large numbers.
package final class Allowances<Key: Hashable & Sendable>: Sendable {
    /// The time after which a spent unit is available again.
    private let interval: Duration
    /// The largest debt after a unit was spent.
    private let credit: Duration
    private let capacity: Int
    /// The time at which all units that a key has spent are available again.
    private let debts = Mutex<[Key: ContinuousClock.Instant]>([:])

    /// - Parameters:
    ///   - perHour: units that come back in an hour, at least 1.
    ///   - burst: units that may be spent at once, at least 1.
    ///   - capacity: the keys that are remembered, at least 2; beyond it, the half with the fewest
    ///     spent units is forgotten.
    package init(perHour: Int, burst: Int, capacity: Int = 100_000) {
        interval = .seconds(3600) / max(1, perHour)
        credit = interval * max(1, burst)
        self.capacity = max(2, capacity)
    }

    /// Spends one unit of a key.
    /// - Parameters:
    ///   - key: the key to charge.
    ///   - factor: multiplies the units of this key, in an hour and at once.
    ///   - now: the present time.
    /// - Returns: `nil` when a unit was spent; else the time until there is one.
    package func spend(_ key: Key, factor: Int = 1, at now: ContinuousClock.Instant = .now) -> Duration? {
        debts.withLock { debts in
            let owed = max(debts[key] ?? now, now) - now + interval / factor
            guard owed <= credit else { return owed - credit }
            if debts.count >= capacity, debts[key] == nil { Self.makeRoom(in: &debts, below: capacity, at: now) }
            debts[key] = now + owed
            return nil
        }
    }

    /// Gives back a unit whose request was refused for another reason.
    package func giveBack(_ key: Key, factor: Int = 1) {
        debts.withLock { debts in
            guard let paidBack = debts[key] else { return }
            debts[key] = paidBack - interval / factor
        }
    }

    /// Keeps the keys with the most spent units, so that nobody escapes a limit by filling the
    /// memory with other keys.
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
    /// Spends one unit of a network and of each larger block that it lies in, or none at all.
    /// - Returns: `nil` when a unit of each was spent; else the block that had none, and the time
    ///   until it has one.
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
