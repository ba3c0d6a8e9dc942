public import Foundation

/// What a user's row looks like to the doors that check passwords.
public struct StoredCredentials: Sendable {
    public let user: User
    /// A PHC string.
    public let passwordHash: String

    public init(user: User, passwordHash: String) {
        self.user = user
        self.passwordHash = passwordHash
    }
}

/// The promises about users' rows.
public protocol UserStorage: Sendable {
    /// Stores a new user. The constraint on the canonical name decides between racing registrations: exactly one returns.
    /// - Throws: ``AuthError/Code/userAlreadyExists``.
    func insertUser(_ name: Username, passwordHash: String, at now: Date) async throws -> User

    func user(id: User.ID) async throws -> User?

    func credentials(canonicalUsername: String) async throws -> StoredCredentials?

    /// At most `limit` users with an id greater than `id`, in ascending order of id.
    func users(after id: User.ID, limit: Int) async throws -> [User]

    /// - Returns: whether there was such a user.
    func setPasswordHash(_ hash: String, user id: User.ID, at now: Date) async throws -> Bool

    /// Disables the user and writes the revocation, in one transaction. A user who was disabled before stays so since then.
    /// - Returns: the revocation, or `nil` when there is no such user.
    func disableUser(id: User.ID, at now: Date) async throws -> Revocation?

    /// Enables the user and writes that the revocation is lifted, in one transaction.
    func enableUser(id: User.ID, at now: Date) async throws -> Revocation?

    /// Deletes the user and writes the revocation, in one transaction. The id is never given again.
    func deleteUser(id: User.ID, at now: Date) async throws -> Revocation?
}
