public import Foundation

/// A user read from another system, and not checked yet.
public struct ForeignUser: Sendable {
    /// The place in the source.
    public var place: ImportPlace
    /// The id that the user should keep.
    public var id: User.ID?
    /// The id by which tokens of the original Flask server identify the user.
    public var legacyID: Int64?
    public var username: String
    /// The hash in any supported form of another system; empty for a user without one.
    public var passwordHash: String
    /// `nil` for the time of the import.
    public var createdAt: Date?
    public var isDisabled: Bool
    /// `nil` for the time of the import, where the user is disabled.
    public var disabledAt: Date?
    public var roles: Set<String>
    /// A profile that keeps the rules for profiles.
    public var profile: Profile

    public init(
        place: ImportPlace, id: User.ID? = nil, legacyID: Int64? = nil, username: String, passwordHash: String,
        createdAt: Date? = nil,
        isDisabled: Bool = false, disabledAt: Date? = nil, roles: Set<String> = [],
        profile: Profile = Profile()
    ) {
        self.place = place
        self.id = id
        self.legacyID = legacyID
        self.username = username
        self.passwordHash = passwordHash
        self.createdAt = createdAt
        self.isDisabled = isDisabled || disabledAt != nil
        self.disabledAt = disabledAt
        self.roles = roles
        self.profile = profile
    }
}

/// Redacted, because it contains the hash.
extension ForeignUser: Redacted {
    public var description: String { "\(place)" }
}

/// The place of a user in the source.
public enum ImportPlace: Sendable, Hashable {
    /// The number of a line, counted from 1.
    case line(Int)
    /// The position in a file that does not have one user a line, counted from 1.
    case number(Int)
    /// The row of a table that has this id.
    case id(Int64)
    /// The position of a row whose id cannot be read, counted from 1.
    case row(Int)
}

extension ImportPlace: CustomStringConvertible {
    public var description: String {
        switch self {
        case .line(let number): "line \(number)"
        case .number(let number): "user \(number)"
        case .id(let id): "id \(id)"
        case .row(let number): "row \(number)"
        }
    }
}

/// A source of users: a file of another system, or its database.
public protocol UserSource: Sendable {
    /// Returns the next users.
    /// - Parameter limit: the most users to return; an empty batch is the end.
    /// - Throws: when reading cannot continue. A fault of a single user is returned as an
    ///   unreadable entry.
    func next(_ limit: Int) async throws -> ImportBatch
}

/// Some users of a source, in the order of the source.
public struct ImportBatch: Sendable {
    public enum Entry: Sendable {
        case user(ForeignUser)
        /// An entry that is not a valid user, with its id if that can be read, and the reason.
        case unreadable(ImportPlace, id: User.ID? = nil, reason: String)
    }

    public var entries: [Entry]
    /// The part of ``total`` that has been read, in the unit of the source.
    public var done: Int
    /// The size of the source; 0 when it is not known.
    public var total: Int

    public init(entries: [Entry], done: Int, total: Int) {
        self.entries = entries
        self.done = done
        self.total = total
    }
}

extension ForeignUser {
    /// Parses a time as databases write it as text (RFC 3339, also with a blank in place of the T);
    /// without a zone it is UTC.
    package static func time(_ text: some Collection<UInt8>) -> Date? { Timestamp.date(text) }
}
