import Foundation
import Logging

/// Registers, finds, lists, disables, enables and deletes users, and grants and revokes roles.
public final class Users: Sendable {
    let storage: any Storage
    let passwords: Passwords
    let revocations: Revocations
    let names: NewNames
    let cursors: UserCursors
    let now: @Sendable () -> Date

    init(
        storage: any Storage, passwords: Passwords, revocations: Revocations, secrets: InstanceSecrets, names: NewNames,
        now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        cursors = UserCursors(secrets: secrets)
        self.passwords = passwords
        self.revocations = revocations
        self.names = names
        self.now = now
    }

    /// Registers a user, whatever ``RegistrationMode`` is configured: for an operator, and for your
    /// own code.
    ///
    /// Checked, cheapest first: the name (``Username``), the password against the policy. Stored:
    /// the name as typed, its canonical form, and the Argon2id hash. Failed sign-ins counted for
    /// the name are deleted, as the name had no user then. The user is on disk when this returns.
    /// - Throws: `validation_failed`, `weak_password`, `user_already_exists`, `name_reserved`,
    ///   `overloaded`.
    public func register(
        _ username: String, password: String, by caller: Caller = .application
    ) async throws -> User {
        try await add(username, password: password, by: caller)
    }

    /// Finds a user by id.
    /// - Throws: `user_not_found`.
    public func find(_ id: User.ID) async throws -> User {
        guard let user = try await storage.user(id: id) else { throw AuthError.userNotFound }
        return user
    }

    /// Finds a user for a caller who may look up a limited number of ids an hour
    /// (``ThrottleConfiguration/userLookupsPerHour``).
    /// - Throws: `rate_limited`, `user_not_found`.
    package func lookUp(_ id: User.ID, by caller: Caller) async throws -> User {
        try passwords.throttle.countLookup(of: id, by: caller)
        return try await find(id)
    }

    /// Finds a user by name, regardless of case.
    /// - Throws: `user_not_found`, also for a text that is not a valid name.
    public func find(named username: String) async throws -> User {
        guard let name = try? Username(whoever: username),
            let stored = try await storage.credentials(canonicalUsername: name.canonical)
        else { throw AuthError.userNotFound }
        return stored.user
    }

    /// Lists at most `limit` users (1 to 1000) with an id greater than `id`, in ascending order of
    /// id.
    public func list(after id: User.ID = 0, limit: Int = 100) async throws -> [User] {
        try await storage.users(after: id, limit: min(max(limit, 1), 1000))
    }

    /// Disables the user: refuses the password and all live tokens from now on.
    ///
    /// This process refuses the next request; other processes that share the storage do so within
    /// ``AuthConfiguration/revocationBound``.
    /// - Throws: `user_not_found`; `last_operator`, and `forbidden` for an operator whom the caller
    ///   may not change, unless the caller is a command or your own code.
    public func disable(_ id: User.ID, by caller: Caller = .application) async throws {
        try await rules.checkChange(of: id, by: caller)
        let now = now()
        let event = AuthEvent.userDisabled(userID: id).by(caller, at: now)
        try apply(
            await storage.disableUser(
                id: id, keepingOperator: caller.isBoundByOperatorRules, at: now, recording: event), event)
    }

    /// Lets a disabled user sign in again. Tokens that have not expired are accepted again too.
    /// - Throws: `user_not_found`, `forbidden`.
    public func enable(_ id: User.ID, by caller: Caller = .application) async throws {
        try await rules.checkChange(of: id, by: caller)
        let now = now()
        let event = AuthEvent.userEnabled(userID: id).by(caller, at: now)
        try apply(await storage.enableUser(id: id, at: now, recording: event), event)
    }

    /// Deletes the user for good, with the counted failed sign-ins, and refuses the live tokens as
    /// ``disable(_:by:)`` does.
    /// - Throws: as ``disable(_:by:)``.
    public func delete(_ id: User.ID, by caller: Caller = .application) async throws {
        try await rules.checkChange(of: id, by: caller)
        let now = now()
        let event = AuthEvent.userDeleted(userID: id).by(caller, at: now)
        let revocation = try await storage.deleteUser(
            id: id, keepingOperator: caller.isBoundByOperatorRules, at: now, recording: event)
        try apply(revocation.map { ($0, true) }, event)
    }

    /// Deletes the account of the signed-in user, as ``delete(_:by:)`` does.
    ///
    /// A user who has a second factor must have given it lately (``Factors/requireRecent(_:)``). An
    /// identity proven by a token has to confirm the password. One proven by the password need not,
    /// but a password that is given again is checked.
    /// - Parameters:
    ///   - identity: the signed-in user.
    ///   - password: the present password, if it was given for confirmation.
    ///   - caller: the caller; the networks of callers take turns in having passwords hashed.
    /// - Throws: `insufficient_user_authentication`; `validation_failed` when the password is
    ///   missing; `current_password_invalid`, `rate_limited`, `overloaded`, `last_operator`;
    ///   `invalid_token` where the user was deleted meanwhile.
    public func deleteAccount(
        of identity: UserIdentity, confirming password: String?, by caller: Caller = .application
    ) async throws {
        try await passwords.factors.requireRecent(identity)
        if let password {
            try await passwords.confirm(password, for: identity, by: caller)
        } else if identity.presented != .password {
            throw AuthError(.validationFailed, "missing argument: password", field: "password")
        }
        do {
            try await delete(identity.userID, by: caller)
        } catch let error as AuthError where error.code == .userNotFound {
            throw AuthError.invalidToken
        }
    }

    // MARK: Roles

    /// Gives the user a role, which tokens issued from then on carry.
    /// - Throws: `validation_failed` for an invalid ``Role`` and for too many of them,
    ///   `user_not_found`; `forbidden` for a role of the server's own that the caller does not
    ///   have, and for an operator whom the caller may not change.
    public func grant(_ role: String, to id: User.ID, by caller: Caller = .application) async throws {
        try Role.check(role)
        try await rules.check(role: role, by: caller)
        try await rules.checkChange(of: id, by: caller)
        let now = now()
        let event = AuthEvent.roleGranted(role, userID: id).by(caller, at: now)
        let outcome = try await storage.grantRole(role, user: id, at: now, recording: event)
        guard outcome.exists else { throw AuthError.userNotFound }
        revocations.apply(outcome.lifted.map { [$0] } ?? [])
        if outcome.isNew { event.record() }
    }

    /// Takes a role away. Tokens that carry it are refused, as those of a disabled user are; the
    /// session's next token does not have it.
    /// - Throws: `validation_failed` for an invalid ``Role``, `user_not_found`; `last_operator`,
    ///   `forbidden`.
    public func revoke(_ role: String, from id: User.ID, by caller: Caller = .application) async throws {
        try Role.check(role)
        try await rules.check(role: role, by: caller)
        try await rules.checkChange(of: id, by: caller)
        let now = now()
        let event = AuthEvent.roleRevoked(role, userID: id).by(caller, at: now)
        try apply(
            await storage.revokeRole(
                role, user: id, keepingOperator: caller.isBoundByOperatorRules, at: now, recording: event), event)
    }

    private func apply(_ outcome: (revocation: Revocation, isNew: Bool)?, _ event: AuthEvent) throws(AuthError) {
        guard let outcome else { throw .userNotFound }
        revocations.apply([outcome.revocation])
        if outcome.isNew { event.record() }
    }
}
