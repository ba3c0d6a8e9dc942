public import Foundation

/// The door for credentials: the one place that decides whether they sign someone in.
public final class Login: CredentialVerifier {
    let storage: any Storage
    let passwords: Passwords
    let accessTokens: AccessTokens
    let throttle: Throttle
    /// The factors that may have to follow the password.
    private let factors: Factors
    private let tickets: SignInTickets
    let now: @Sendable () -> Date

    init(
        storage: any Storage, passwords: Passwords, accessTokens: AccessTokens, throttle: Throttle,
        secrets: InstanceSecrets, factors: Factors, now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.factors = factors
        tickets = SignInTickets(secrets: secrets)
        self.passwords = passwords
        self.accessTokens = accessTokens
        self.throttle = throttle
        self.now = now
    }

    // MARK: Signing in

    /// Signs in by a user name and a password. A token is verified as by ``identify(_:by:)``, and
    /// starts no new sign-in.
    /// - Throws: what ``attempt(_:password:by:)`` throws; `invalid_token`.
    public func attempt(_ credentials: Credentials, by caller: Caller = .application) async throws -> SignIn {
        switch credentials {
        case .token(let token): .complete(try await accessTokens.verify(token))
        case .password(let username, let password): try await attempt(username, password: password, by: caller)
        }
    }

    /// Checks a user name and a password.
    ///
    /// Unknown, impossible and disabled users cost the same work as a wrong password and get the
    /// same answer. Wrong passwords are counted, and after too many the next guess has to wait
    /// (``Throttle``). When no factor has to follow, a right password whose hash is of another kind
    /// or of less than the present cost is hashed anew.
    /// - Parameters:
    ///   - username: the name, in upper or lower case.
    ///   - password: the password as typed.
    ///   - caller: the origin of the guess; without an address guesses are counted by account only.
    /// - Throws: `invalid_credentials`, `rate_limited`, `overloaded`.
    public func attempt(
        _ username: String, password: String, by caller: Caller = .application
    ) async throws -> SignIn {
        let name = try? Username(whoever: username)
        let (stored, isOutdated, signIn) = try await throttle.admitting(Guess(name: name, by: caller)) { guess in
            let stored: StoredCredentials? =
                if let name { try await storage.credentials(canonicalUsername: name.canonical) } else { nil }
            let verdict = try await passwords.verify(
                try? Password(password), against: stored?.passwordHash, as: name, from: caller.network)
            guard verdict.isRight, let stored, !stored.user.isDisabled else {
                try await throttle.fail(guess, cost: verdict.cost)
                AuthEvent.loginFailed(username: stored == nil ? nil : name?.canonical).record()
                throw AuthError.invalidCredentials
            }
            let others = try await factors.list(of: stored.user.id)
            guard others.isEmpty else {
                _ = try await throttle.disclose(guess)
                AuthEvent.loginContinued(userID: stored.user.id).record()
                let ticket = tickets.next(for: stored, from: caller.network, at: now())
                return (stored, verdict.isOutdated, SignIn.continues(ticket, with: others.map(\.description)))
            }
            return (stored, verdict.isOutdated, try await complete(stored, .passwordAlone, guess))
        }
        if isOutdated, case .complete(let identity) = signIn {
            await passwords.upgrade(password, of: stored, by: caller.nowKnown(as: identity))
        }
        return signIn
    }

    /// Continues a sign-in: checks an answer to one of the user's factors.
    ///
    /// Each answer uses up one of the ticket's tries, a right one the ticket. A wrong one is
    /// counted as a wrong password is, by account and by network.
    /// - Parameters:
    ///   - answer: the answer, such as a code.
    ///   - name: the name of the factor.
    ///   - ticket: the ``SignInTicket/value`` that the password gave.
    ///   - caller: the origin of the answer, which must be of the network that the password came
    ///     from.
    /// - Throws: `ticket_expired` for a ticket that is not valid, or not any more;
    ///   `factor_not_found` for a factor that the user does not have; `invalid_code` for a wrong
    ///   answer; `rate_limited`.
    public func answer(
        _ answer: String, to name: String, of ticket: String, by caller: Caller = .application
    ) async throws -> SignIn {
        guard let ticket = tickets.content(of: ticket, from: caller.network, at: now()),
            let stored = try await storage.credentials(user: ticket.userID), !stored.user.isDisabled,
            stored.passwordVersion == ticket.passwordVersion,
            try await !storage.isChallengeSpent(digest: ticket.use)
        else { throw AuthError.ticketExpired }
        let others = try await factors.list(of: ticket.userID)
        guard let factor = others.first(where: { $0.description.isNamed(name) }) else {
            throw AuthError(.factorNotFound, "there is no such factor")
        }
        let username = try? Username(whoever: stored.user.username)
        return try await throttle.admitting(Guess(name: username, by: caller)) { guess in
            guard try await storage.spendOne(of: ticket.tries, until: ticket.expiresAt) else {
                throw AuthError.ticketExpired
            }
            guard try await factor.isRight(answer, ticket.userID) else {
                try await throttle.fail(guess, cost: .zero)
                AuthEvent.loginFailed(username: username?.canonical).record()
                throw AuthError(.invalidCode, "this code is not right, or not any more")
            }
            guard try await storage.spendOne(of: [ticket.use], until: ticket.expiresAt) else {
                throw AuthError.ticketExpired
            }
            return try await complete(stored, [.password, factor.description.method, .multipleFactors], guess)
        }
    }

    private func complete(
        _ stored: StoredCredentials, _ methods: [Authentication.Method], _ guess: AdmittedGuess
    ) async throws -> SignIn {
        let identity = UserIdentity(stored, methods: methods, authenticatedAt: now())
        try await throttle.succeed(guess, as: identity)
        AuthEvent.loginSucceeded(userID: stored.user.id).record()
        return .complete(identity)
    }

    // MARK: Identifying

    /// Identifies a user by name and password, when no factor has to follow.
    /// - Throws: `mfa_required` when one has to; what ``attempt(_:password:by:)`` throws.
    public func identify(
        _ username: String, password: String, by caller: Caller = .application
    ) async throws -> UserIdentity {
        try await attempt(username, password: password, by: caller).completed()
    }

    /// Identifies the holder of the credentials in an HTTP `Authorization` field: a token, or a
    /// user name and a password.
    /// - Throws: `invalid_credentials`, `invalid_token`, `mfa_required`, `rate_limited`,
    ///   `overloaded`.
    public func identify(
        _ credentials: Credentials, by caller: @autoclosure () -> Caller = .application
    ) async throws -> Identity {
        switch credentials {
        case .token(let token): .user(try await accessTokens.verify(token))
        case .password(let username, let password):
            .user(try await identify(username, password: password, by: caller()))
        }
    }

    /// Vouches for a user whom your own code has identified, for instance by a sign-in at another
    /// system. The identity can start sessions as one by password can.
    /// - Parameters:
    ///   - user: the user as stored.
    ///   - methods: the methods by which the user was identified.
    ///   - date: the time of that, to the second.
    public func vouch(
        for user: User, provenBy methods: [Authentication.Method] = [.password], at date: Date
    ) -> UserIdentity {
        UserIdentity(
            userID: user.id, username: user.username, roles: user.roles,
            authentication: Authentication(methods, at: date), presented: .password)
    }
}
