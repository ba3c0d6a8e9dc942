extension Role {
    /// The beginning of roles that mean something to this server.
    package static let ownPrefix = "rest-auth:"

    /// Whether a role begins like those of this server, whatever its case: some programs compare
    /// without it.
    static func isOwn(_ role: String) -> Bool { WireText(role).lowercased.begins(with: "rest-auth:") }

    /// Checks that a caller may give these roles: those of this server are given only by a user who
    /// has them, by commands, and by the application.
    /// - Throws: `forbidden`, naming the first role that may not be given.
    package static func check(_ roles: Set<String>, givenBy caller: Caller) throws(AuthError) {
        let held: Set<String>
        switch caller.identity {
        case .operator?: return
        case nil where caller == .application: return
        case .user(let user)?: held = user.roles
        default: held = []
        }
        let lacking = roles.filter { isOwn($0) && !held.contains($0) }.min()
        guard let lacking else { return }
        throw AuthError(.forbidden, "the role \(lacking) is given only by who has it")
    }
}
