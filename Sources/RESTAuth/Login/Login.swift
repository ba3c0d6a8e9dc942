public import Foundation

/// The door for credentials: the one place that decides whether they sign someone in.
public final class Login: CredentialVerifier {
    let storage: any Storage
    let passwords: Passwords
    let accessTokens: AccessTokens
    let throttle: Throttle
    let now: @Sendable () -> Date

    init(
        storage: any Storage, passwords: Passwords, accessTokens: AccessTokens, throttle: Throttle,
        now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.passwords = passwords
        self.accessTokens = accessTokens
        self.throttle = throttle
        self.now = now
    }

    /// Checks a user name and a password.
    ///
    /// Unknown, impossible and disabled users cost the same work as a wrong password and get the
    /// same answer. What is wrong is counted, and who is wrong too often has to wait
    /// (``Throttle``). A right password whose hash is of another kind or of less than today's cost
    /// is hashed anew.
    /// - Parameters:
    ///   - username: in any case.
    ///   - password: as typed.
    ///   - caller: who presents them; without an address guesses are counted for accounts only.
    /// - Throws: `invalid_credentials`, `rate_limited`, `overloaded`.
    public func identify(
        _ username: String, password: String, by caller: Caller = .application
    ) async throws -> UserIdentity {
        let name = try? Username(whoever: username)
        let (stored, isOutdated) = try await throttle.admitting(Guess(name: name, network: caller.network)) { guess in
            let stored: StoredCredentials? =
                if let name { try await storage.credentials(canonicalUsername: name.canonical) } else { nil }
            let verdict = try await passwords.verify(
                try? Password(password), against: stored?.passwordHash, as: name, from: caller.network)
            guard verdict.isRight, let stored, !stored.user.isDisabled else {
                try await throttle.fail(guess, cost: verdict.cost)
                AuthEvent.loginFailed(username: stored == nil ? nil : name?.canonical).record()
                throw AuthError.invalidCredentials
            }
            try await throttle.succeed(guess, user: stored.user.id)
            return (stored, verdict.isOutdated)
        }
        if isOutdated { await passwords.upgrade(password, of: stored, from: caller.network) }
        AuthEvent.loginSucceeded(userID: stored.user.id).record()
        return UserIdentity(stored, authenticatedAt: now())
    }

    /// Checks what came in an HTTP `Authorization` field: as a token where it looks like one, else
    /// as a name and a password.
    /// - Throws: `invalid_credentials`, `invalid_token`, `rate_limited`, `overloaded`.
    public func identify(
        _ credentials: Credentials, by caller: @autoclosure () -> Caller = .application
    ) async throws -> Identity {
        switch credentials {
        case .token(let token): .user(try await accessTokens.verify(token))
        case .password(let username, let password):
            .user(try await identify(username, password: password, by: caller()))
        }
    }

    /// Who your own code has made sure of by means of its own, as a sign-in by another system: it
    /// can start sessions as who gave a password can.
    /// - Parameters:
    ///   - user: as stored.
    ///   - methods: what was proven.
    ///   - date: when, to the second.
    public func vouch(
        for user: User, provenBy methods: [Authentication.Method] = [.password], at date: Date
    ) -> UserIdentity {
        UserIdentity(
            userID: user.id, username: user.username, roles: user.roles,
            authentication: Authentication(methods, at: date), presented: .password)
    }
}
