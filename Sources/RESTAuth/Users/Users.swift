import Foundation
import Logging

/// The door to users: register, find, list, disable, enable, delete.
public final class Users: Sendable {
    let storage: any Storage
    let passwords: Passwords
    let revocations: Revocations
    let now: @Sendable () -> Date

    init(storage: any Storage, passwords: Passwords, revocations: Revocations, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.passwords = passwords
        self.revocations = revocations
        self.now = now
    }

    /// Registers a user, whoever may register by ``Registration``: for an operator, and for your
    /// own code.
    ///
    /// Checked, cheapest first: the name (``Username``), the password against the policy. Stored:
    /// the name as typed, its canonical form, and the Argon2id hash. Wrong passwords for the name
    /// are forgotten: they were for nobody. The user is on disk when this returns.
    /// - Throws: `validation_failed`, `weak_password`, `user_already_exists`, `overloaded`.
    public func register(
        _ username: String, password: String, by caller: Caller = .application
    ) async throws -> User {
        let name = try Username(username)
        let hash = try await passwords.hash(Password(password), for: name)
        let now = now()
        let event = AuthEvent.registered().by(caller, at: now)
        let user = try await storage.insertUser(name, passwordHash: hash, at: now, recording: event)
        event.of(user.id).record()
        passwords.throttle.forgetUncounted(of: name, id: user.id)
        return user
    }

    /// - Throws: `user_not_found`.
    public func find(_ id: User.ID) async throws -> User {
        guard let user = try await storage.user(id: id) else { throw AuthError.userNotFound }
        return user
    }

    /// Finds a user by name, whatever its case.
    /// - Throws: `user_not_found`, also for what could not be a name.
    public func find(named username: String) async throws -> User {
        guard let name = try? Username(whoever: username),
            let stored = try await storage.credentials(canonicalUsername: name.canonical)
        else { throw AuthError.userNotFound }
        return stored.user
    }

    /// At most `limit` users (1 to 1000) with an id greater than `id`, in ascending order of id.
    public func list(after id: User.ID = 0, limit: Int = 100) async throws -> [User] {
        try await storage.users(after: id, limit: min(max(limit, 1), 1000))
    }

    /// Refuses the user from now on: passwords and live tokens alike.
    ///
    /// In this process the next request is refused; in others that share the storage within
    /// ``AuthConfiguration/revocationBound``.
    /// - Throws: `user_not_found`.
    public func disable(_ id: User.ID, by caller: Caller = .application) async throws {
        let now = now()
        let event = AuthEvent.userDisabled(userID: id).by(caller, at: now)
        try apply(await storage.disableUser(id: id, at: now, recording: event), event)
    }

    /// Lets a disabled user sign in again. Tokens that have not expired work again too.
    /// - Throws: `user_not_found`.
    public func enable(_ id: User.ID, by caller: Caller = .application) async throws {
        let now = now()
        let event = AuthEvent.userEnabled(userID: id).by(caller, at: now)
        try apply(await storage.enableUser(id: id, at: now, recording: event), event)
    }

    /// Deletes the user for good, with what was counted of wrong passwords, and refuses the live
    /// tokens, as ``disable(_:by:)`` does.
    /// - Throws: `user_not_found`.
    public func delete(_ id: User.ID, by caller: Caller = .application) async throws {
        let now = now()
        let event = AuthEvent.userDeleted(userID: id).by(caller, at: now)
        try apply(await storage.deleteUser(id: id, at: now, recording: event).map { ($0, true) }, event)
    }

    /// Deletes the account of who is signed in, as ``delete(_:by:)`` does.
    ///
    /// Who came by a token has to know the password as well. Who came by the password has given it
    /// already, and may not take it back.
    /// - Parameters:
    ///   - identity: who is signed in.
    ///   - password: the present one, if it was given once more.
    ///   - caller: by whose network a wrong one is hashed in turn.
    /// - Throws: `validation_failed` when it is missing, `current_password_invalid`,
    ///   `rate_limited`, `overloaded`, `user_not_found`.
    public func deleteAccount(
        of identity: UserIdentity, confirming password: String?, by caller: Caller = .application
    ) async throws {
        if let password {
            try await passwords.confirm(password, for: identity, by: caller)
        } else if identity.presented != .password {
            throw AuthError(.validationFailed, "missing argument: password", field: "password")
        }
        try await delete(identity.userID, by: caller)
    }

    // MARK: Roles

    /// Gives the user a role. Tokens carry it from the next one on.
    /// - Throws: `validation_failed` for what is no ``Role`` and for too many of them,
    ///   `user_not_found`.
    public func grant(_ role: String, to id: User.ID, by caller: Caller = .application) async throws {
        try Role.check(role)
        let now = now()
        let event = AuthEvent.roleGranted(role, userID: id).by(caller, at: now)
        let outcome = try await storage.grantRole(role, user: id, at: now, recording: event)
        guard outcome.exists else { throw AuthError.userNotFound }
        revocations.apply(outcome.lifted.map { [$0] } ?? [])
        if outcome.isNew { event.record() }
    }

    /// Takes a role away. Tokens that carry it are refused, as those of a disabled user are; the
    /// session's next one is without it.
    /// - Throws: `validation_failed` for what is no ``Role``, `user_not_found`.
    public func revoke(_ role: String, from id: User.ID, by caller: Caller = .application) async throws {
        try Role.check(role)
        let now = now()
        let event = AuthEvent.roleRevoked(role, userID: id).by(caller, at: now)
        try apply(await storage.revokeRole(role, user: id, at: now, recording: event), event)
    }

    private func apply(_ outcome: (revocation: Revocation, isNew: Bool)?, _ event: AuthEvent) throws(AuthError) {
        guard let outcome else { throw .userNotFound }
        revocations.apply([outcome.revocation])
        if outcome.isNew { event.record() }
    }
}
