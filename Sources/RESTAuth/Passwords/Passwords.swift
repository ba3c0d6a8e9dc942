import Foundation
import PasswordHashing

/// The door to passwords: hash a new one, verify one that was presented, set another.
public final class Passwords: Sendable {
    let storage: any Storage
    let policy: PasswordPolicy
    let cost: Argon2id
    let pool: HashingPool
    let now: @Sendable () -> Date
    /// The hash of a password nobody knows, at today's cost: what an unknown user's attempt is compared with.
    let decoy: String

    init(storage: any Storage, configuration: AuthConfiguration) throws {
        self.storage = storage
        policy = configuration.passwordPolicy
        cost = configuration.passwordCost
        now = configuration.now
        pool = HashingPool(
            threads: configuration.hashingThreads, capacity: configuration.hashingQueue, patience: configuration.hashingPatience)
        decoy = try cost.hash((0..<32).map { _ in UInt8.random(in: 1...255) })
    }

    /// The PHC string of a new password for that user.
    /// - Throws: `weak_password`, `overloaded`.
    func hash(_ password: Password, for name: Username) async throws -> String {
        try policy.check(password, for: name)
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

    /// Sets the password of a user, without asking for the present one: for an operator.
    /// - Throws: `user_not_found`, `validation_failed`, `weak_password`, `overloaded`.
    public func set(_ password: String, for user: User) async throws {
        let hash = try await hash(Password(password), for: Username(user.username))
        guard try await storage.setPasswordHash(hash, user: user.id, at: now()) else { throw AuthError.userNotFound }
        AuthEvent.passwordSet(userID: user.id).record()
    }
}
