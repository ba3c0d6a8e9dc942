/// The configured factors that may follow the password, and which of them a user has.
struct Factors: Sendable {
    let all: [Factor]

    /// The factors that the user has.
    func list(of user: User.ID) async throws -> [Factor] {
        var found: [Factor] = []
        for factor in all where try await factor.belongs(user) { found.append(factor) }
        return found
    }

    /// Whether the user has any factor: then the password alone does not complete a sign-in.
    func belong(to user: User.ID) async throws -> Bool { try await !list(of: user).isEmpty }
}
