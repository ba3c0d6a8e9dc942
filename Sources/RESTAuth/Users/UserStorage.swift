public import Foundation

/// A user with the stored password hash, for checking a password.
public struct StoredCredentials: Sendable {
    public let user: User
    /// The PHC string; `nil` for a user without a password.
    public let passwordHash: String?
    /// Number of passwords that the user has had, from 1.
    public let passwordVersion: Int

    public init(user: User, passwordHash: String?, passwordVersion: Int) {
        self.user = user
        self.passwordHash = passwordHash
        self.passwordVersion = passwordVersion
    }
}

extension StoredCredentials: Redacted {}

/// Storage of users, their passwords and their roles.
public protocol UserStorage: Sendable {
    /// Stores a new user and deletes the failed sign-ins counted for the name before it had a user,
    /// in one transaction, with the roles. Of concurrent registrations of one canonical name,
    /// exactly one returns: a unique constraint decides. The events are recorded as those of the
    /// new user (``AuthEvent/of(_:)``).
    /// - Parameters:
    ///   - name: the name.
    ///   - passwordHash: `nil` for a user without a password.
    ///   - roles: the roles that the user begins with.
    ///   - now: the time of the registration.
    ///   - event: is recorded with the user, and with it one of each role
    ///     (``AuthEvent/granting(_:)``).
    /// - Throws: ``AuthError/Code/userAlreadyExists``, ``AuthError/Code/nameReserved``;
    ///   `validation_failed` when ``Role/check(totalLength:field:)`` refuses all roles together.
    ///   Then nothing is stored.
    func insertUser(
        _ name: Username, passwordHash: String?, roles: Set<String>, at now: Date, recording event: AuthEvent
    ) async throws -> User

    func user(id: User.ID) async throws -> User?

    func credentials(canonicalUsername: String) async throws -> StoredCredentials?

    /// Lists at most `limit` users with an id greater than `id`, in ascending order of id.
    func users(after id: User.ID, limit: Int) async throws -> [User]

    /// Lists users that match, at most `limit`, in the order of the query.
    ///
    /// At most `window` entries of one index are examined: a page that does not find enough users
    /// among them ends there, and has a ``UserPage/next``. So it costs the same however many users
    /// there are. Page after page, every user who matches all the time is listed once.
    func users(matching query: UserQuery, limit: Int, window: Int) async throws -> UserPage

    /// The user with what an operator is shown of the account; `nil` when there is no such user.
    func account(of id: User.ID, at now: Date) async throws -> UserAccount?

    /// Replaces the password in one transaction: ends all of the user's sessions, deletes the
    /// counted failed sign-ins and the networks that the user is known in, and stores the session
    /// `beginning`, if any.
    /// - Parameters:
    ///   - hash: the hash of the new password.
    ///   - id: the id of the user.
    ///   - present: the hash that must still be the stored one; `nil` for an operator, who replaces
    ///     any, and may give a password to a user without one.
    ///   - version: the number that the present password must still have; `nil` for any.
    ///   - beginning: a new session of the user, who must not be disabled then; `nil` for none.
    ///   - now: the time of the change and of the revocation log entries.
    ///   - event: is recorded with the change, and with it the start of the new session
    ///     (``AuthEvent/starting(_:)``) and the end of each other one
    ///     (``AuthEvent/ending(_:of:)``).
    /// - Returns: the revocation log entries of the ended sessions; `nil` when nothing was changed,
    ///   because there is no such user or another password by now.
    func setPasswordHash(
        _ hash: String, user id: User.ID, replacing present: String?, version: Int?, beginning: NewSession?,
        at now: Date, recording event: AuthEvent
    ) async throws -> [Revocation]?

    func credentials(user id: User.ID) async throws -> StoredCredentials?

    /// Replaces the hash by another one of the same password, if `present` is still the stored
    /// hash. Nothing else of the user changes, and no session ends.
    /// - Returns: whether the hash was replaced.
    @discardableResult
    func upgradePasswordHash(
        _ hash: String, user id: User.ID, replacing present: String, recording event: AuthEvent
    ) async throws -> Bool

    /// Samples the hashes of at most `count` users, found at even distances from 0 to the greatest
    /// id, to tell which kinds of hashes there are, and roughly how many of each. No user is
    /// sampled twice, and users without a password are left out.
    func passwordHashes(sampling count: Int) async throws -> [String]

    /// Gives the user a role, even one that the user has already. If the revocation log refuses
    /// tokens with it, an entry that lifts this is written in the same transaction; otherwise no
    /// entry is written, because the log is public. The event is recorded when the user did not
    /// have the role.
    /// - Returns: whether the user exists, whether the role is new to the user, and the entry that
    ///   lifts the refusal.
    /// - Throws: `validation_failed` when ``Role/check(totalLength:field:)`` refuses all roles
    ///   together; then nothing is stored.
    func grantRole(
        _ role: String, user id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (exists: Bool, isNew: Bool, lifted: Revocation?)

    /// Takes a role away, even one that the user does not have, and writes a revocation log entry
    /// that refuses tokens with it, in one transaction. The event is recorded only if the user had
    /// the role.
    /// - Returns: the revocation log entry, and whether the user had the role; `nil` when there is
    ///   no such user.
    /// - Throws: ``AuthError/Code/lastOperator`` for the role ``Role/operator`` of the only enabled
    ///   user who has it, with `keepingOperator`. Of several that take it from each other at once,
    ///   one is refused.
    func revokeRole(
        _ role: String, user id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)?

    /// Disables the user and writes the revocation log entry, in one transaction. A user who is
    /// disabled already keeps the earlier time, and no event is recorded.
    /// - Returns: the revocation log entry, and whether the user was not disabled before; `nil`
    ///   when there is no such user.
    /// - Throws: ``AuthError/Code/lastOperator`` for the only enabled user with the role
    ///   ``Role/operator``, with `keepingOperator`.
    func disableUser(
        id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)?

    /// Enables the user and writes the revocation log entry that lifts the refusal, in one
    /// transaction. For a user who was not disabled no event is recorded.
    /// - Returns: the revocation log entry, and whether the user was disabled before; `nil` when
    ///   there is no such user.
    func enableUser(
        id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)?

    /// Deletes the user with everything that is stored under the name or the id, and writes the
    /// revocation log entry, in one transaction. The id is never reused, and the next user of the
    /// name starts without failed sign-ins.
    /// - Returns: the revocation log entry, or `nil` when there is no such user.
    /// - Throws: ``AuthError/Code/lastOperator`` as
    ///   ``disableUser(id:keepingOperator:at:recording:)``.
    func deleteUser(
        id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> Revocation?
}
