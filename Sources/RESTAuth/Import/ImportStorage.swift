public import Foundation

/// A user on the way in, whose name and hash have been found good.
public struct ImportableUser: Sendable {
    /// To be kept where it is free; `nil` for the next.
    public let id: User.ID?
    public let legacyID: Int64?
    public let name: Username
    /// `nil` for who comes without a password.
    public let passwordHash: String?
    public let createdAt: Date
    public let disabledAt: Date?
    public let roles: Set<String>

    /// Of the password that a user comes with.
    static let passwordVersion = 1

    public init(
        id: User.ID?, legacyID: Int64? = nil, name: Username, passwordHash: String?, createdAt: Date,
        disabledAt: Date? = nil,
        roles: Set<String> = []
    ) {
        self.id = id
        self.legacyID = legacyID
        self.name = name
        self.passwordHash = passwordHash
        self.createdAt = createdAt
        self.disabledAt = disabledAt
        self.roles = roles
    }
}

/// What became of one.
public enum ImportOutcome: Sendable, Hashable {
    case imported(User.ID)
    /// There is a user of that name, whatever its case, who stays as they are.
    case nameTaken
    /// The user of that name has this id, which is not the one to be kept, and came with no legacy
    /// id that is.
    case nameOfAnotherID(User.ID)
    /// Another user has that ``ImportableUser/legacyID``.
    case legacyIDTaken
    /// The id was given before.
    case idTaken
}

/// A user on the way out.
public struct ExportedUser: Sendable {
    public let credentials: StoredCredentials
    public let legacyID: Int64?

    public init(credentials: StoredCredentials, legacyID: Int64?) {
        self.credentials = credentials
        self.legacyID = legacyID
    }
}

/// The promises about many users' rows at once.
public protocol ImportStorage: Sendable {
    /// The greatest id that was ever given, or kept by ``reserveUserIDs(_:)``; 0 for none.
    /// - Throws: `misconfigured` where ids may not be set, with what to do about it.
    func lastUserID() async throws -> User.ID

    /// Keeps ids for users of an import who come in later, or in a later import: nobody else is
    /// given them, and whoever registers from then on gets a greater one. Those that were given
    /// before, to whomever, are passed over.
    func reserveUserIDs(_ ids: [User.ID]) async throws

    /// Stores users who are not there yet, and ends the series of wrong passwords for their names,
    /// in one transaction.
    ///
    /// An id is kept when no row has it, and it is greater than `last` or was reserved; ids that
    /// are given afterwards are greater than all of them. What is in a user's way is told in the
    /// order of ``ImportOutcome``, and nothing of that user is stored then.
    /// - Parameters:
    ///   - users: no two with the same name, id or legacy id.
    ///   - last: what ``lastUserID()`` said when the import began.
    ///   - isTrial: whether to say only what would become of them, and store nothing.
    /// - Returns: the outcomes, in the order of the users.
    func importUsers(_ users: [ImportableUser], above last: User.ID, isTrial: Bool) async throws -> [ImportOutcome]

    /// The user who came with that id from the server that the tokens are of.
    func credentials(legacyID: Int64) async throws -> StoredCredentials?

    /// At most `limit` users with an id greater than `id`, in ascending order of id.
    func exportUsers(after id: User.ID, limit: Int) async throws -> [ExportedUser]
}
