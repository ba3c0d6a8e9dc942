/// How many sessions each user, and each network, may start in an hour.
///
/// Counted in the memory of each process: starting a session writes a row anyhow, and what is to be
/// kept small is how many rows, and how many lines of the revocation log when they end.
final class SessionBudget: Sendable {
    /// Who has none left, and until when.
    struct Refusal {
        /// `nil` for the user.
        let network: ClientNetwork?
        let wait: Duration
        /// How many may be started at once.
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

    /// Spends one session of the user, and of the network with all blocks that it lies in, or of
    /// none of them.
    func spend(by user: User.ID, from network: ClientNetwork?) -> Refusal? {
        if let wait = users.spend(user) { return Refusal(network: nil, wait: wait, quota: userBurst) }
        guard let network, let (block, wait) = networks.spendInBlocks(of: network) else { return nil }
        users.giveBack(user)
        return Refusal(network: block, wait: wait, quota: networkBurst * block.allowanceFactor)
    }
}
