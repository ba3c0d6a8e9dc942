extension Throttle {
    /// The counters of wrong passwords and codes of a user, from wherever they came.
    public func counters(of user: User) async throws -> [ThrottleCounter] {
        guard let name = try? Username(whoever: user.username) else { return [] }
        let own: [ThrottleSubject] = [
            .account(name), .confirmation(by: user.id), .device(of: user.id), .oneTimeCode(of: user.id),
            .recoveryCode(of: user.id),
        ]
        let counters = try await storage.throttles(of: own)
        // No client is of this network, and its text comes before that of every other.
        guard let first = ClientNetwork("0.0.0.0") else { return counters }
        let known = try await storage.throttles(after: .account(name, from: first), limit: Self.mostNetworks)
        return counters
            + known.filter {
                $0.subject.kind == .known && $0.subject.username?.utf8.elementsEqual(name.canonical.utf8) == true
            }
    }

    /// Number of networks that are shown at most.
    private static let mostNetworks = 20
}
