/// Rules for who may change the accounts of operators, and give roles of the server's own.
///
/// They bind everyone but commands and the application's own code. The roles of the caller are read
/// anew, so a role that was taken away a moment ago is good for nothing.
struct OperatorRules: Sendable {
    let storage: any Storage

    /// Checks that the caller may change this user. An operator is changed by the user alone, and
    /// by other operators.
    /// - Throws: `forbidden`.
    func checkChange(of id: User.ID, by caller: Caller) async throws {
        guard caller.isBoundByOperatorRules, caller.identity?.user?.userID != id,
            let user = try await storage.user(id: id), user.roles.contains(Role.operator)
        else { return }
        guard try await holds(Role.operator, caller.identity?.user?.userID) else {
            throw AuthError(.forbidden, "only an operator who has signed in may change an operator")
        }
    }

    /// Checks that the caller may forget what is counted for a user name, whether a user has it or
    /// not.
    /// - Throws: `forbidden`, for the name of an operator.
    func checkForgetting(ofName canonicalUsername: String, by caller: Caller) async throws {
        guard caller.isBoundByOperatorRules,
            let stored = try await storage.credentials(canonicalUsername: canonicalUsername)
        else { return }
        try await checkChange(of: stored.user.id, by: caller)
    }

    /// Checks that the caller may forget what is counted for more than one user. Otherwise a
    /// program could guess at operators for ever.
    /// - Throws: `forbidden` for a service account, and for a user who is no operator.
    func checkForgettingOfMany(by caller: Caller) async throws {
        guard caller.isBoundByOperatorRules else { return }
        guard caller.identity?.service == nil else {
            throw AuthError(.forbidden, "a service account forgets what is counted for one user only")
        }
        try await require(Role.operator, of: caller.identity?.user?.userID)
    }

    /// Checks that the caller may give a role, or take it away.
    /// - Throws: `forbidden`.
    func check(role: String, by caller: Caller) async throws {
        guard caller.isBoundByOperatorRules, Role.isOwn(role) else { return }
        try await require(role, of: caller.identity?.user?.userID)
    }

    /// Checks that a user has the role now, and is not disabled.
    /// - Throws: `forbidden`, also when there is no user.
    func require(_ role: String, of id: User.ID?) async throws {
        guard try await holds(role, id) else {
            throw AuthError(.forbidden, "this needs the role \(role), which you do not have")
        }
    }

    private func holds(_ role: String, _ id: User.ID?) async throws -> Bool {
        guard let id, let user = try await storage.user(id: id) else { return false }
        return !user.isDisabled && user.roles.contains(role)
    }
}

extension Caller {
    /// Whether the rules about operators hold for the caller: for all but commands and the
    /// application's own code.
    var isBoundByOperatorRules: Bool {
        if case .operator = identity { return false }
        return self != .application
    }
}
