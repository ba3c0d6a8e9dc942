/// The ways to prove who one is that may follow the password, and who has which.
struct Factors: Sendable {
    let all: [Factor]

    /// The factors that the user has.
    func list(of user: User.ID) async throws -> [Factor] {
        var found: [Factor] = []
        for factor in all where try await factor.belongs(user) { found.append(factor) }
        return found
    }

    /// Whether the user has any: then the password alone proves too little.
    func belong(to user: User.ID) async throws -> Bool { try await !list(of: user).isEmpty }
}
