import Synchronization

/// How many different users are looked up by number from one network: numbers count up, so whoever
/// asks for one after the other has all names.
///
/// The same user again costs nothing. Counted in memory, by each process for itself.
final class UserLookups: Sendable {
    /// How many may be looked up at once.
    let burst: Int
    private let allowances: Allowances<ClientNetwork>
    /// Hashes of network and user, of what has been counted.
    private let counted = Mutex<Set<Int>>([])

    /// The most that may be looked up at once.
    private static let maximumBurst = 1000
    /// How many hashes are kept; beyond, all are forgotten and count again.
    private static let capacity = 200_000

    init(perHour: Int) {
        burst = min(Self.maximumBurst, perHour)
        allowances = Allowances(perHour: perHour, burst: burst)
    }

    /// - Returns: `nil` when the network may look this user up, else how long until it may.
    func refusal(of user: User.ID, from network: ClientNetwork) -> Duration? {
        var hasher = Hasher()
        hasher.combine(network)
        hasher.combine(user)
        let hash = hasher.finalize()
        return counted.withLock { counted in
            if counted.contains(hash) { return nil }
            if let (_, wait) = allowances.spendInBlocks(of: network) { return wait }
            if counted.count >= Self.capacity { counted = [] }
            counted.insert(hash)
            return nil
        }
    }
}
