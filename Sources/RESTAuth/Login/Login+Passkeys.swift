/// Signing in with a passkey, which is never held up by guesses: a signature cannot be guessed.
extension Login {
    /// Signs in by a passkey alone, which has verified its user.
    ///
    /// An unknown passkey, one of a disabled user and a wrong signature cost the same work and get
    /// the same answer. Nothing is counted.
    /// - Parameters:
    ///   - credential: the text of `AuthenticationResponseJSON`, in answer to
    ///     ``Passkeys/signInOptions(named:)``.
    ///   - caller: the origin of the answer.
    /// - Throws: `invalid_credentials`, `passkeys_disabled`.
    public func attempt(passkey credential: String, by caller: Caller = .application) async throws -> SignIn {
        guard let (owner, method) = try await passkeys.takeSignIn(credential, by: caller) else {
            AuthEvent.loginFailed(username: nil).record()
            throw AuthError.invalidCredentials
        }
        return await complete(owner, [method, .userPresence, .multipleFactors], by: caller)
    }

    /// Options for using a passkey as the second factor of a sign-in.
    /// - Parameters:
    ///   - ticket: the ``SignInTicket/value`` that the password gave.
    ///   - caller: the origin of the request, which must be of the network that the password came
    ///     from.
    /// - Throws: `ticket_expired`; `factor_not_found` for a user without passkeys;
    ///   `passkeys_disabled`.
    public func passkeyOptions(for ticket: String, by caller: Caller = .application) async throws -> PasskeyOptions {
        let (ticket, _) = try await redeemable(ticket, by: caller)
        return try await passkeys.options(of: ticket.userID, for: .secondFactor(ticket: ticket.use))
    }

    /// Continues a sign-in with a passkey. Each answer uses up one of the ticket's tries, a right
    /// one the ticket.
    func answer(
        passkey credential: String, of ticket: SignInTickets.Content, _ stored: StoredCredentials, by caller: Caller
    ) async throws -> SignIn {
        guard try await storage.spendOne(of: ticket.tries, until: ticket.expiresAt) else {
            throw AuthError.ticketExpired
        }
        let factor = try await passkeys.take(
            credential, of: ticket.userID, for: .secondFactor(ticket: ticket.use), by: caller)
        guard let factor else { throw wrongPasskey(of: stored.user) }
        guard try await storage.spendOne(of: [ticket.use], until: ticket.expiresAt) else {
            throw AuthError.ticketExpired
        }
        return await complete(stored, [.password, factor.method, .multipleFactors], by: caller)
    }

    /// Takes the answer of a passkey in a live session.
    /// - Throws: `invalid_code`.
    func take(
        passkey credential: String, toRaise stored: StoredSession, by caller: Caller
    ) async throws -> Authentication.Method {
        let factor = try await passkeys.take(
            credential, of: stored.user.id, for: .stepUp(stored.session.id), by: caller)
        guard let factor else { throw wrongPasskey(of: stored.user) }
        return factor.method
    }

    private func wrongPasskey(of user: User) -> AuthError {
        AuthEvent.loginFailed(username: (try? Username(whoever: user.username))?.canonical).record()
        return AuthError(
            .invalidCode, "this passkey is not right, or its options are not good any more", contextClass: "aal2")
    }

    /// Completes a sign-in that no throttle has admitted.
    private func complete(
        _ stored: StoredCredentials, _ methods: [Authentication.Method], by caller: Caller
    ) async -> SignIn {
        let identity = UserIdentity(stored, methods: methods, authenticatedAt: now())
        if let network = caller.network {
            let event = AuthEvent.networkRemembered(network, userID: identity.userID)
            await throttle.remember(
                network, of: identity.userID, recording: event.by(caller.nowKnown(as: identity), at: now()))
        }
        AuthEvent.loginSucceeded(userID: stored.user.id).record()
        return .complete(identity)
    }
}
