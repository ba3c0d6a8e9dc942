import Foundation
import PasswordHashing

/// The door to passwords: hash a new one, verify one that was presented, set another.
public final class Passwords: Sendable {
    let storage: any Storage
    let policy: PasswordPolicy
    let cost: Argon2id
    let pool: HashingPool
    let revocations: Revocations
    let now: @Sendable () -> Date
    /// The hash of a password nobody knows, at today's cost: what an unknown user's attempt is compared with.
    let decoy: String

    init(storage: any Storage, revocations: Revocations, configuration: AuthConfiguration) throws {
        self.storage = storage
        self.revocations = revocations
        policy = configuration.passwordPolicy
        cost = configuration.passwordCost
        now = configuration.now
        pool = HashingPool(
            threads: configuration.hashingThreads, capacity: configuration.hashingQueue, patience: configuration.hashingPatience)
        decoy = try cost.hash((0..<32).map { _ in UInt8.random(in: 1...255) })
    }

    /// The PHC string of a new password for that user.
    /// - Throws: `weak_password`, `overloaded`.
    func hash(_ password: Password, for name: Username, field: String = "password") async throws -> String {
        try policy.check(password, for: name, field: field)
        return try await pool.run { [cost] in try cost.hash(password.bytes) }
    }

    /// Whether `password` is the one behind `hash`. Without a hash or without a possible password the same work is done and the answer
    /// is no.
    /// - Throws: `overloaded`.
    func verify(_ password: Password?, against hash: String?) async throws -> Bool {
        let bytes = password?.bytes ?? Array("x".utf8)
        let isVerified = try await pool.run { [decoy] in try Argon2id.verify(bytes, against: hash ?? decoy) }
        return isVerified && hash != nil && password != nil
    }

    /// Sets the password of a user, without asking for the present one, and ends all sessions: for an operator.
    /// - Throws: `user_not_found`, `validation_failed`, `weak_password`, `overloaded`.
    public func set(_ password: String, for user: User) async throws {
        let hash = try await hash(Password(password), for: Username(user.username))
        guard try await replace(with: hash, of: user, replacing: nil, keeping: nil) else { throw AuthError.userNotFound }
    }

    /// Changes the password of who is signed in, and ends every session but that of `identity`.
    ///
    /// Checked: the present password, the new one against the policy, and that no other change came between.
    /// - Throws: `current_password_invalid`, `validation_failed`, `weak_password`, `overloaded`.
    public func change(from present: String, to new: String, for identity: Identity) async throws {
        let (user, presentHash) = try await confirm(present, of: identity)
        let field = "new_password"
        let hash = try await hash(Password(new, field: field), for: Username(user.username), field: field)
        guard try await replace(with: hash, of: user, replacing: presentHash, keeping: identity.sessionID) else {
            throw Self.currentPasswordInvalid
        }
    }

    /// Makes sure that who is signed in knows the password.
    /// - Throws: `current_password_invalid`, `overloaded`.
    public func confirm(_ present: String, for identity: Identity) async throws {
        _ = try await confirm(present, of: identity)
    }

    private func confirm(_ present: String, of identity: Identity) async throws -> (user: User, hash: String) {
        let stored = try await storage.credentials(user: identity.userID)
        let isVerified = try await verify(try? Password(present), against: stored?.passwordHash)
        guard isVerified, let stored, !stored.user.isDisabled else {
            AuthEvent.loginFailed(username: identity.username).record()
            throw Self.currentPasswordInvalid
        }
        return (stored.user, stored.passwordHash)
    }

    private static let currentPasswordInvalid = AuthError(.currentPasswordInvalid, "the present password is not this one")

    private func replace(with hash: String, of user: User, replacing present: String?, keeping kept: Session.ID?) async throws -> Bool {
        guard
            let ended = try await storage.setPasswordHash(hash, user: user.id, replacing: present, keeping: kept, at: now())
        else { return false }
        AuthEvent.passwordSet(userID: user.id).record()
        revocations.applyEnded(ended)
        return true
    }
}
