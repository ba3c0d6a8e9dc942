import Synchronization

/// The limit of different users that one network may look up by id. Ids are consecutive, so a
/// client that asks for one after the other would learn all names.
///
/// Looking the same user up again is not counted. Each process counts separately, in memory.
final class UserLookups: Sendable {
    /// The most users that may be looked up at once.
    let burst: Int
    private let allowances: Allowances<ClientNetwork>
    /// Hashes of the pairs of network and user that have been counted.
    private let counted = Mutex<Set<Int>>([])

    /// The most users that any network may look up at once.
    private static let maximumBurst = 1000
    /// The most hashes that are kept; beyond it, all are forgotten and counted again.
    private static let capacity = 200_000

    init(perHour: Int) {
        burst = min(Self.maximumBurst, perHour)
        allowances = Allowances(perHour: perHour, burst: burst)
    }

    /// - Returns: `nil` when the network may look this user up, else the time until it may.
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
