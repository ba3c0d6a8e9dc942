extension Passwords {
    /// Makes a link by which the user can set a password, once, within a day.
    ///
    /// Whoever has the link can do that, and sign in then, with a second factor if the user has
    /// one.
    /// - Throws: `user_not_found`; `forbidden` for an operator whom the caller may not change.
    public func makeLink(for id: User.ID, by caller: Caller = .application) async throws -> PasswordLink {
        try await OperatorRules(storage: storage).checkChange(of: id, by: caller)
        guard let stored = try await storage.credentials(user: id) else { throw AuthError.userNotFound }
        let now = now()
        let event = AuthEvent.passwordLinkMade(userID: id).by(caller, at: now)
        try await storage.append(event)
        event.record()
        return links.next(for: stored, at: now)
    }

    /// Sets the password of the user that a link was made for, and ends all sessions.
    ///
    /// A token that is not good counts as a wrong password from the caller's network. A password
    /// that is refused does not use the link up.
    /// - Throws: `link_invalid`, `validation_failed`, `weak_password`, `rate_limited`,
    ///   `overloaded`.
    public func reset(to new: String, with token: String, by caller: Caller = .application) async throws {
        let field = "new_password"
        let password = try Password(new, field: field)
        try await throttle.admitting(Guess(name: nil, by: caller)) { guess in
            guard let claim = links.claim(of: token, at: now()),
                let stored = try await storage.credentials(user: claim.userID), links.isGood(claim, for: stored)
            else {
                try await throttle.fail(guess, cost: .zero)
                AuthEvent.passwordLinkRefused.record()
                throw AuthError.linkInvalid
            }
            _ = try await throttle.disclose(guess)
            let hash = try await hash(
                password, for: Username(whoever: stored.user.username), field: field, from: caller.network)
            let isReplaced = try await replace(
                with: hash, of: stored.user, replacing: nil, version: claim.passwordVersion, beginning: nil,
                by: caller, as: .passwordReset(userID: stored.user.id))
            guard isReplaced else { throw AuthError.linkInvalid }
        }
    }
}

extension AuthEvent {
    static func passwordLinkMade(userID: User.ID) -> Self { Self(.passwordLinkMade, user: userID) }

    static let passwordLinkRefused = Self(.passwordLinkRefused)

    static func passwordReset(userID: User.ID) -> Self { Self(.passwordReset, user: userID) }
}
