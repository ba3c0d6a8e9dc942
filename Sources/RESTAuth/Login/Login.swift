public import Foundation

/// The door for credentials: the one place that decides whether they sign someone in.
public final class Login: CredentialVerifier {
    let storage: any Storage
    let passwords: Passwords
    let accessTokens: AccessTokens
    let throttle: Throttle
    /// The factors that may have to follow the password.
    let factors: Factors
    let passkeys: Passkeys
    private let trustedDevices: TrustedDevices
    /// Whether a verified mail address stands for the name of its user.
    let acceptsAddresses: Bool
    private let tickets: SignInTickets
    let now: @Sendable () -> Date

    init(
        storage: any Storage, passwords: Passwords, accessTokens: AccessTokens, throttle: Throttle,
        secrets: InstanceSecrets, factors: Factors, passkeys: Passkeys, trustedDevices: TrustedDevices,
        acceptsAddresses: Bool, now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.factors = factors
        self.passkeys = passkeys
        self.trustedDevices = trustedDevices
        self.acceptsAddresses = acceptsAddresses
        tickets = SignInTickets(secrets: secrets)
        self.passwords = passwords
        self.accessTokens = accessTokens
        self.throttle = throttle
        self.now = now
    }

    // MARK: Signing in

    /// Signs in by a user name and a password. An access token is verified as by
    /// ``identify(_:by:)``, and starts no new sign-in.
    /// - Throws: what ``attempt(_:password:device:by:)`` throws; `invalid_token`;
    ///   `insufficient_scope` for a personal token, `forbidden` for one of a service account.
    public func attempt(_ credentials: Credentials, by caller: Caller = .application) async throws -> SignIn {
        switch credentials {
        case .token(let token): .complete(try await person(with: token))
        case .password(let username, let password, let code):
            try await attempt(username, password: password, code: code, admitsEnrollment: false, by: caller)
        }
    }

    private func person(with token: [UInt8]) async throws -> UserIdentity {
        guard let user = try await accessTokens.identify(token).user else { throw AuthError.usersOnly }
        try user.requirePerson()
        return user
    }

    /// Checks a user name and a password, and then the code of a second factor, if it is asked for
    /// and there is one.
    private func attempt(
        _ username: String, password: String, code: String?, admitsEnrollment: Bool, by caller: Caller
    ) async throws -> SignIn {
        let signIn = try await attempt(
            username, password: password, admitsEnrollment: admitsEnrollment, by: caller)
        guard let code, case .continues(let ticket, _) = signIn else { return signIn }
        return try await answer(.code(code), of: ticket.value, by: caller)
    }

    /// Checks a user name and a password.
    ///
    /// Unknown, impossible and disabled users cost the same work as a wrong password and get the
    /// same answer. Wrong passwords are counted, and after too many the next guess has to wait
    /// (``Throttle``). When no factor has to follow, a right password whose hash is of another kind
    /// or of less than the present cost is hashed anew.
    ///
    /// On a device that the user trusts no factor has to follow, and guesses from elsewhere do not
    /// hold the sign-in up.
    /// - Parameters:
    ///   - username: the name, in upper or lower case; or a verified mail address, where
    ///     ``AuthConfiguration/signInByEmail`` says so.
    ///   - password: the password as typed.
    ///   - device: the token of a trusted device. One that is not good, or not any more, or of
    ///     another user, is as good as none; so is every one of a user after too many wrong
    ///     passwords with them.
    ///   - caller: the origin of the guess; without an address guesses are counted by account only.
    /// - Throws: `invalid_credentials`, `rate_limited`, `overloaded`; `mfa_enrollment_required` for
    ///   a user who has to add a factor before anything else.
    public func attempt(
        _ username: String, password: String, device: String? = nil, by caller: Caller = .application
    ) async throws -> SignIn {
        try await attempt(username, password: password, device: device, admitsEnrollment: false, by: caller)
    }

    /// - Parameter admitsEnrollment: whether a user is admitted who has to add a factor first.
    private func attempt(
        _ username: String, password: String, device: String? = nil, admitsEnrollment: Bool, by caller: Caller
    ) async throws -> SignIn {
        let name = try await account(typed: username)
        let truster = try await user(named: name, trusting: device)
        let (stored, isOutdated, signIn) = try await throttle.admitting(
            Guess(name: name, by: caller, on: truster.map { .device(of: $0) })
        ) { guess in
            let stored: StoredCredentials? =
                if let name { try await storage.credentials(canonicalUsername: name.canonical) } else { nil }
            let verdict = try await passwords.verify(
                try? Password(password), against: stored?.passwordHash, as: name, from: caller.network)
            guard verdict.isRight, let stored, !stored.user.isDisabled else {
                try await throttle.fail(guess, cost: verdict.cost)
                AuthEvent.loginFailed(username: stored == nil ? nil : name?.canonical).record()
                throw AuthError.invalidCredentials
            }
            let others = try await factors.descriptions(of: stored.user.id)
            if !others.isEmpty, let device, truster == stored.user.id,
                try await trustedDevices.use(device, of: stored.user.id)
            {
                return (stored, verdict.isOutdated, try await complete(stored, [.password, .risk], guess))
            }
            guard others.isEmpty else {
                _ = try await throttle.disclose(guess)
                AuthEvent.loginContinued(userID: stored.user.id).record()
                let ticket = tickets.next(for: stored, from: caller.network, at: now())
                return (stored, verdict.isOutdated, SignIn.continues(ticket, with: others))
            }
            if !admitsEnrollment { try await requireEnrollment(of: stored.user, guess) }
            return (stored, verdict.isOutdated, try await complete(stored, .passwordAlone, guess))
        }
        if isOutdated, case .complete(let identity) = signIn {
            await passwords.upgrade(password, of: stored, by: caller.nowKnown(as: identity))
        }
        return signIn
    }

    /// The user of that name, if the token is of a device that this user trusts.
    ///
    /// After too many wrong passwords with tokens of the user's devices none of them stands for
    /// anything: the user signs in as without one, and whoever has stolen one gains nothing.
    ///
    /// A name that nobody has, or that a disabled user has, costs the same queries as any other.
    private func user(named name: Username?, trusting device: String?) async throws -> User.ID? {
        guard let name, let device else { return nil }
        let user = try await storage.credentials(canonicalUsername: name.canonical)?.user
        // No user has the id 0.
        let found = try await trustedDevices.find(device, of: user?.id ?? 0)
        guard user?.isDisabled == false, let owner = found?.userID else { return nil }
        return try await throttle.isBlocked(.device(of: owner)) ? nil : owner
    }

    /// Continues a sign-in: checks the answer to one of the user's factors. The form of a code
    /// tells of which.
    ///
    /// Each answer uses up one of the ticket's tries, a right one the ticket. A wrong code is
    /// counted as a wrong password is, by account and by network, and by the factor that it has the
    /// form of.
    /// - Parameters:
    ///   - response: the code of an authenticator app, a recovery code, or the answer of a passkey.
    ///   - ticket: the ``SignInTicket/value`` that the password gave.
    ///   - caller: the origin of the answer, which must be of the network that the password came
    ///     from.
    /// - Throws: `ticket_expired` for a ticket that is not valid, or not any more;
    ///   `invalid_code` for a wrong answer; `rate_limited`.
    public func answer(
        _ response: FactorResponse, of ticket: String, by caller: Caller = .application
    ) async throws -> SignIn {
        let (ticket, stored) = try await redeemable(ticket, by: caller)
        switch response {
        case .code: return try await answer(code: response, of: ticket, stored, by: caller)
        case .credential(let text): return try await answer(passkey: text, of: ticket, stored, by: caller)
        }
    }

    /// The content of a ticket that can go on, and its user.
    /// - Throws: `ticket_expired`.
    func redeemable(
        _ ticket: String, by caller: Caller
    ) async throws -> (SignInTickets.Content, StoredCredentials) {
        guard let ticket = tickets.content(of: ticket, from: caller.network, at: now()),
            let stored = try await storage.credentials(user: ticket.userID), !stored.user.isDisabled,
            stored.passwordVersion == ticket.passwordVersion,
            try await !storage.isChallengeSpent(digest: ticket.use)
        else { throw AuthError.ticketExpired }
        return (ticket, stored)
    }

    private func answer(
        code response: FactorResponse, of ticket: SignInTickets.Content, _ stored: StoredCredentials,
        by caller: Caller
    ) async throws -> SignIn {
        let username = try? Username(whoever: stored.user.username)
        let counter = response.counter(of: ticket.userID)
        return try await throttle.admitting(Guess(name: username, by: caller, at: counter)) { guess in
            guard try await storage.spendOne(of: ticket.tries, until: ticket.expiresAt) else {
                throw AuthError.ticketExpired
            }
            // Whoever knows the password and the code is the user.
            let identity = UserIdentity(stored, authenticatedAt: now())
            let factor = try await take(
                response, of: stored.user, as: guess,
                spending: SpentChallenge(digest: ticket.use, expiresAt: ticket.expiresAt),
                by: caller.nowKnown(as: identity))
            // A recovery code has spent the ticket already.
            if factor.kind != .recoveryCodes {
                guard try await storage.spendOne(of: [ticket.use], until: ticket.expiresAt) else {
                    throw AuthError.ticketExpired
                }
            }
            return try await complete(stored, [.password, factor.method, .multipleFactors], guess)
        }
    }

    /// Takes an answer to a factor, and counts a wrong one.
    /// - Parameters:
    ///   - response: the answer.
    ///   - user: the user whose factor it is.
    ///   - guess: what a wrong one is counted by.
    ///   - signIn: the sign-in that a recovery code spends together with itself.
    ///   - caller: the actor of a right one.
    /// - Throws: `invalid_code`, `rate_limited`; `ticket_expired` when the sign-in was spent
    ///   before.
    func take(
        _ response: FactorResponse, of user: User, as guess: AdmittedGuess, spending signIn: SpentChallenge? = nil,
        by caller: Caller
    ) async throws -> FactorDescription {
        if let factor = try await factors.take(response, of: user.id, spending: signIn, by: caller) { return factor }
        try await throttle.fail(guess, cost: .zero)
        AuthEvent.loginFailed(username: guess.guess.name?.canonical).record()
        throw AuthError.invalidCode
    }

    /// Refuses a user who has to add a factor first: as the request for a factor does, it tells
    /// that the password was right, and counts as neither success nor failure.
    private func requireEnrollment(of user: User, _ guess: AdmittedGuess) async throws {
        do {
            _ = try await factors.requireEnrollment(of: user)
        } catch let error as AuthError where error.code == .mfaEnrollmentRequired {
            _ = try await throttle.disclose(guess)
            AuthEvent.loginContinued(userID: user.id).record()
            throw error
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
    /// - Throws: `mfa_required` when one has to; what ``attempt(_:password:device:by:)`` throws.
    public func identify(
        _ username: String, password: String, by caller: Caller = .application
    ) async throws -> UserIdentity {
        try await attempt(username, password: password, by: caller).completed()
    }

    /// Identifies the holder of the credentials in an HTTP `Authorization` field: a token, or a
    /// user name and a password. A token for programs has a scope, which the caller has to check
    /// (``Identity/scope``).
    /// - Throws: `invalid_credentials`, `invalid_token`, `mfa_required`, `mfa_enrollment_required`,
    ///   `rate_limited`, `overloaded`.
    public func identify(
        _ credentials: Credentials, by caller: @autoclosure () -> Caller = .application
    ) async throws -> Identity {
        try await identify(credentials, admitsEnrollment: false, by: caller())
    }

    /// - Parameter admitsEnrollment: whether a user is admitted who has to add a factor first.
    func identify(
        _ credentials: Credentials, admitsEnrollment: Bool, by caller: @autoclosure () -> Caller
    ) async throws -> Identity {
        switch credentials {
        case .token(let token): try await accessTokens.identify(token)
        case .password(let username, let password, let code):
            .user(
                try await attempt(
                    username, password: password, code: code, admitsEnrollment: admitsEnrollment, by: caller()
                ).completed())
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
