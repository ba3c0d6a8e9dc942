import Foundation

extension Users {
    /// Lists users that match, at most `limit` of them (1 to 100).
    ///
    /// A page examines a bounded number of entries, so it may have fewer users, even none, and end
    /// before the list does.
    /// - Parameters:
    ///   - query: the selection and the order.
    ///   - cursor: the `next` of the page before.
    ///   - limit: number of users at most.
    /// - Returns: the users, and the cursor of the next page; `nil` at the end of the list.
    /// - Throws: `validation_failed` for a cursor of another list, and for a role that is none.
    public func list(
        matching query: UserQuery, after cursor: String? = nil, limit: Int = 25
    ) async throws -> (users: [User], next: String?) {
        var query = query
        if let role = query.role { try Role.check(role) }
        if let cursor {
            guard let place = cursors.place(of: cursor, in: query) else {
                throw AuthError(
                    .validationFailed, "after is not a cursor of this list, with this selection and order",
                    field: "after")
            }
            query.after = place
        }
        let page = try await storage.users(
            matching: query, limit: min(max(limit, 1), 100), window: UserQuery.window)
        return (page.users, page.next.map { cursors.text(of: $0, in: query) })
    }

    /// Finds a user by id, with what an operator is shown.
    /// - Throws: `user_not_found`.
    public func account(of id: User.ID) async throws -> UserAccount {
        guard let account = try await storage.account(of: id, at: now()) else { throw AuthError.userNotFound }
        return account
    }

    /// Adds a user with roles, for an operator; without a password, which a link can give
    /// (``Passwords/makeLink(for:by:)``).
    ///
    /// Everything is checked first; then the user is stored with the roles, in one transaction.
    /// - Throws: `validation_failed`, `weak_password`, `user_already_exists`, `overloaded`;
    ///   `forbidden` for a role that the caller may not give.
    public func add(
        _ username: String, password: String?, roles: Set<String> = [], by caller: Caller = .application
    ) async throws -> User {
        let name = try names.username(username)
        for role in roles.sorted() {
            try Role.check(role, field: "roles")
            try await rules.check(role: role, by: caller)
        }
        try Role.check(totalLength: roles.reduce(0) { $0 + $1.utf8.count }, field: "roles")
        let hash: String? =
            if let password {
                try await passwords.hash(Password(password), for: name, from: caller.network)
            } else { nil }
        let now = now()
        let event = AuthEvent.registered().by(caller, at: now)
        let user = try await storage.insertUser(name, passwordHash: hash, roles: roles, at: now, recording: event)
        event.of(user.id).record()
        for role in roles.sorted() { event.of(user.id).granting(role).record() }
        passwords.throttle.forgetUncounted(of: name, id: user.id)
        return user
    }

    /// Checks that a signed-in user may change something as an operator: has the role now, and has
    /// given a second factor lately, if there is one.
    /// - Throws: `forbidden`, `insufficient_user_authentication`.
    package func confirmOperator(_ user: UserIdentity) async throws {
        try await rules.require(Role.operator, of: user.userID)
        try await passwords.factors.requireRecent(user)
    }

    var rules: OperatorRules { OperatorRules(storage: storage) }
}
