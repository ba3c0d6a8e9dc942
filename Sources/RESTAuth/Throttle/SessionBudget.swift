/// The limits of sessions that each user, and each network, may start in an hour.
///
/// Counted in the memory of each process. The limit keeps the number of session rows small, and the
/// number of revocations when these sessions end.
final class SessionBudget: Sendable {
    /// The limit that was reached, and the time to wait.
    struct Refusal {
        /// The network whose limit was reached; `nil` for the limit of the user.
        let network: ClientNetwork?
        let wait: Duration
        /// The most sessions that may be started at once.
        let quota: Int
    }

    private let users: Allowances<User.ID>
    private let networks: Allowances<ClientNetwork>
    private let userBurst: Int
    private let networkBurst: Int

    /// - Parameter perHour: sessions of one user.
    init(perHour: Int) {
        let ofNetwork = ThrottleConfiguration.sessionsOfNetwork * perHour
        userBurst = min(perHour, ThrottleConfiguration.sessionsAtOnce)
        networkBurst = min(ofNetwork, ThrottleConfiguration.sessionsOfNetworkAtOnce)
        users = Allowances(perHour: perHour, burst: userBurst)
        networks = Allowances(perHour: ofNetwork, burst: networkBurst)
    }

    /// Counts one session of the user, of the network and of the larger blocks that it lies in, or
    /// none at all.
    func spend(by user: User.ID, from network: ClientNetwork?) -> Refusal? {
        if let wait = users.spend(user) { return Refusal(network: nil, wait: wait, quota: userBurst) }
        guard let network, let (block, wait) = networks.spendInBlocks(of: network) else { return nil }
        users.giveBack(user)
        return Refusal(network: block, wait: wait, quota: networkBurst * block.allowanceFactor)
    }
}
