public import Foundation

/// A user to import, whose name and hash have been checked.
public struct ImportableUser: Sendable {
    /// The id to keep, if it is free; `nil` for the next one.
    public let id: User.ID?
    public let legacyID: Int64?
    public let name: Username
    /// `nil` for a user without a password.
    public let passwordHash: String?
    public let createdAt: Date
    public let disabledAt: Date?
    public let roles: Set<String>
    public let profile: Profile

    /// The version of an imported password.
    static let passwordVersion = 1

    public init(
        id: User.ID?, legacyID: Int64? = nil, name: Username, passwordHash: String?, createdAt: Date,
        disabledAt: Date? = nil,
        roles: Set<String> = [], profile: Profile = Profile()
    ) {
        self.id = id
        self.legacyID = legacyID
        self.name = name
        self.passwordHash = passwordHash
        self.createdAt = createdAt
        self.disabledAt = disabledAt
        self.roles = roles
        self.profile = profile
    }
}

extension ImportableUser: Redacted {}

extension [ImportOutcome] {
    /// Number of users who were imported.
    package var importedCount: Int { count { if case .imported = $0 { true } else { false } } }
}

/// The outcome of storing one user.
public enum ImportOutcome: Sendable, Hashable {
    case imported(User.ID)
    /// A user has that name, compared without case, and was not changed.
    case nameTaken
    /// A user has that name and the given id, which is not the id to keep, and does not have the
    /// legacy id of the import.
    case nameOfAnotherID(User.ID)
    /// Another user had that name until lately.
    case nameReserved
    /// Another user has verified the same mail address.
    case emailTaken
    /// Another user has that ``ImportableUser/legacyID``.
    case legacyIDTaken
    /// The id was used before.
    case idTaken
}

/// A user to export, including secrets.
public struct ExportedUser: Sendable {
    public let credentials: StoredCredentials
    public let legacyID: Int64?
    public let profile: Profile

    public init(credentials: StoredCredentials, legacyID: Int64?, profile: Profile = Profile()) {
        self.credentials = credentials
        self.legacyID = legacyID
        self.profile = profile
    }
}

/// The promises about importing and exporting many users.
public protocol ImportStorage: Sendable {
    /// The greatest id that was ever used, or reserved by ``reserveUserIDs(_:)``; 0 for none.
    /// - Throws: `misconfigured` where ids may not be set, with what to do about it.
    func lastUserID() async throws -> User.ID

    /// Reserves ids for users who are imported later. No other user gets them, and users who
    /// register from then on get greater ones. Ids that were given before are skipped.
    /// - Returns: what ``lastUserID()`` was before, in the same transaction.
    @discardableResult
    func reserveUserIDs(_ ids: [User.ID]) async throws -> User.ID

    /// Stores users who do not exist yet, deletes the counters of wrong passwords for their names,
    /// and records the event with the number of stored users (``AuthEvent/counting(users:)``), in
    /// one transaction. When nobody is stored, no event is recorded.
    ///
    /// An id is kept when no row has it, and it is greater than `last` or was reserved; ids
    /// assigned later are greater than all of them. If there are several obstacles, the first in
    /// the order of ``ImportOutcome`` is returned, and nothing of that user is stored.
    /// - Parameters:
    ///   - users: users, no two with the same name, id, legacy id or verified address.
    ///   - last: the result of ``lastUserID()`` when the import began, or of
    ///     ``reserveUserIDs(_:)``; less for ids of which the caller knows that nobody had them.
    ///   - isTrial: whether to return the outcomes without storing anything.
    ///   - event: the event of the import, without the number of users.
    /// - Returns: the outcomes, in the order of the users.
    func importUsers(
        _ users: [ImportableUser], above last: User.ID, isTrial: Bool, recording event: AuthEvent
    ) async throws -> [ImportOutcome]

    /// The credentials of the user who was imported with that legacy id.
    func credentials(legacyID: Int64) async throws -> StoredCredentials?

    /// Number of stored users.
    func userCount() async throws -> Int

    /// Returns at most `limit` users with an id greater than `id`, in ascending order of id.
    func exportUsers(after id: User.ID, limit: Int) async throws -> [ExportedUser]
}
