public import Foundation

/// What a user's row looks like to the doors that check passwords.
public struct StoredCredentials: Sendable {
    public let user: User
    /// A PHC string; `nil` for a user without a password.
    public let passwordHash: String?
    /// Counts the passwords that the user has had, from 1.
    public let passwordVersion: Int

    public init(user: User, passwordHash: String?, passwordVersion: Int) {
        self.user = user
        self.passwordHash = passwordHash
        self.passwordVersion = passwordVersion
    }
}

extension StoredCredentials: Redacted {}

/// The promises about users' rows.
public protocol UserStorage: Sendable {
    /// Stores a new user, and ends the series of wrong passwords for the name, in one transaction:
    /// they were for nobody. The constraint on the canonical name decides between racing
    /// registrations: exactly one returns. The event is recorded as one of the new user
    /// (``AuthEvent/of(_:)``).
    /// - Throws: ``AuthError/Code/userAlreadyExists``.
    func insertUser(
        _ name: Username, passwordHash: String, at now: Date, recording event: AuthEvent
    ) async throws -> User

    func user(id: User.ID) async throws -> User?

    func credentials(canonicalUsername: String) async throws -> StoredCredentials?

    /// At most `limit` users with an id greater than `id`, in ascending order of id.
    func users(after id: User.ID, limit: Int) async throws -> [User]

    /// Replaces the password, ends all of the user's sessions and the series of wrong passwords,
    /// stores a session in their place where one is to begin, and forgets from where the user is
    /// known, in one transaction.
    /// - Parameters:
    ///   - hash: of the new password.
    ///   - id: of the user.
    ///   - present: the hash that must still be the stored one; `nil` for an operator, who replaces
    ///     any, and gives one to a user without.
    ///   - beginning: a new session of the user, who must not be disabled then; `nil` for none.
    ///   - now: the time of the change and of the lines.
    ///   - event: is recorded with the change, and beside it the start of the new session
    ///     (``AuthEvent/starting(_:)``) and the end of each other (``AuthEvent/ending(_:of:)``).
    /// - Returns: the lines for the sessions that were ended; `nil` when nothing was changed,
    ///   because there is no such user or the hash is another one by now.
    func setPasswordHash(
        _ hash: String, user id: User.ID, replacing present: String?, beginning: NewSession?, at now: Date,
        recording event: AuthEvent
    ) async throws -> [Revocation]?

    func credentials(user id: User.ID) async throws -> StoredCredentials?

    /// Replaces the hash by another of the same password, while it is still the one that was seen.
    /// Nothing else of the user changes, and no session ends.
    /// - Returns: whether it was.
    @discardableResult
    func upgradePasswordHash(
        _ hash: String, user id: User.ID, replacing present: String, recording event: AuthEvent
    ) async throws -> Bool

    /// The hashes of at most `count` users, none twice and without those who have none, found at
    /// even distances from 0 to the greatest id: which kinds there are, and about how many of each.
    func passwordHashes(sampling count: Int) async throws -> [String]

    /// Gives the user a role, also one that the user has. Where the log has a line by which tokens
    /// with it are refused, one that lifts it is written in the same transaction; otherwise none,
    /// because the log can be read by everyone. The event is recorded when the user did not have
    /// the role.
    /// - Returns: whether there is such a user, whether the role is new to them, and the line.
    /// - Throws: `validation_failed` when ``Role/check(totalLength:)`` does of all roles together;
    ///   then nothing is stored.
    func grantRole(
        _ role: String, user id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (exists: Bool, isNew: Bool, lifted: Revocation?)

    /// Takes a role away, also one that the user has not, and writes that tokens with it are
    /// refused, in one transaction. The event is recorded when the user had the role.
    /// - Returns: the entry of the revocation log, and whether anything changed; `nil` when there
    ///   is no such user.
    func revokeRole(
        _ role: String, user id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)?

    /// Disables the user and writes the revocation, in one transaction. A user who was disabled
    /// before stays so since then, and the event is not recorded.
    /// - Returns: the revocation, and whether anything changed; `nil` when there is no such user.
    func disableUser(
        id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)?

    /// Enables the user and writes that the revocation is lifted, in one transaction. Of a user who
    /// was not disabled the event is not recorded.
    /// - Returns: as of ``disableUser(id:at:recording:)``.
    func enableUser(
        id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)?

    /// Deletes the user with everything that is kept by the name or the id, and writes the
    /// revocation, in one transaction. The id is never given again, and who has the name next
    /// begins anew.
    func deleteUser(id: User.ID, at now: Date, recording event: AuthEvent) async throws -> Revocation?
}
