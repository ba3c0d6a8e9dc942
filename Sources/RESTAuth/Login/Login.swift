import Foundation

/// The door for credentials: the one place that decides whether they sign someone in.
public final class Login: CredentialVerifier {
    let storage: any Storage
    let passwords: Passwords
    let accessTokens: AccessTokens
    let now: @Sendable () -> Date

    init(storage: any Storage, passwords: Passwords, accessTokens: AccessTokens, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.passwords = passwords
        self.accessTokens = accessTokens
        self.now = now
    }

    /// Checks a user name and a password.
    ///
    /// Unknown, impossible and disabled users cost the same hash as a wrong password and get the same answer.
    /// - Throws: `invalid_credentials`, `overloaded`.
    public func attempt(_ username: String, password: String) async throws -> Identity {
        let name = try? Username(username)
        let stored: StoredCredentials? =
            if let name { try await storage.credentials(canonicalUsername: name.canonical) } else { nil }
        let isVerified = try await passwords.verify(try? Password(password), against: stored?.passwordHash)
        guard isVerified, let stored, !stored.user.isDisabled else {
            AuthEvent.loginFailed(username: name?.canonical).record()
            throw AuthError.invalidCredentials
        }
        AuthEvent.loginSucceeded(userID: stored.user.id).record()
        return Identity(stored, authenticatedAt: now())
    }

    /// Checks what came in an HTTP `Authorization` field: as a token where it looks like one, else as a name and a password.
    /// - Throws: `invalid_credentials`, `invalid_token`, `overloaded`.
    public func attempt(_ credentials: Credentials) async throws -> Identity {
        switch credentials {
        case .token(let token): try await accessTokens.verify(token)
        case .password(let username, let password): try await attempt(username, password: password)
        }
    }
}
