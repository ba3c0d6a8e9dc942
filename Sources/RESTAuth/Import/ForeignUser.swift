public import Foundation

/// A user as another system has it: read, and not checked yet.
public struct ForeignUser: Sendable {
    /// Where it was read.
    public var place: ImportPlace
    /// That it should keep.
    public var id: User.ID?
    /// That tokens of the Flask server name it by.
    public var legacyID: Int64?
    public var username: String
    /// In whatever form the other system writes it; empty for who has none.
    public var passwordHash: String
    /// `nil` for now.
    public var createdAt: Date?
    public var isDisabled: Bool
    /// `nil` for now, where the user is disabled.
    public var disabledAt: Date?
    public var roles: Set<String>

    public init(
        place: ImportPlace, id: User.ID? = nil, legacyID: Int64? = nil, username: String, passwordHash: String,
        createdAt: Date? = nil,
        isDisabled: Bool = false, disabledAt: Date? = nil, roles: Set<String> = []
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
    }
}

/// The hash is nobody's to see.
extension ForeignUser: Redacted {
    public var description: String { "\(place)" }
}

/// Where in its source a user stands.
public enum ImportPlace: Sendable, Hashable {
    /// Of a file, counted from 1.
    case line(Int)
    /// In a file whose users do not stand in lines of their own, counted from 1.
    case number(Int)
    /// The row of a table that has this id.
    case id(Int64)
    /// Of a table, counted from 1, where the id cannot be read.
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

/// Where users come from: a file of another system's, or its database.
public protocol UserSource: Sendable {
    /// What stands next.
    /// - Parameter limit: how many users there may be at most; none are the end.
    /// - Throws: when nothing more can be read. What is wrong with one user only is said in its
    ///   place.
    func next(_ limit: Int) async throws -> ImportBatch
}

/// Some users of a source, in their order.
public struct ImportBatch: Sendable {
    public enum Entry: Sendable {
        case user(ForeignUser)
        /// There should be a user, with this id where that much can be read, and this is why none
        /// is.
        case unreadable(ImportPlace, id: User.ID? = nil, reason: String)
    }

    public var entries: [Entry]
    /// How much of ``total`` has been read, in whatever unit.
    public var done: Int
    /// 0 where nobody knows.
    public var total: Int

    public init(entries: [Entry], done: Int, total: Int) {
        self.entries = entries
        self.done = done
        self.total = total
    }
}

extension ForeignUser {
    /// A time as databases write it as text (RFC 3339, also with a blank in place of the T);
    /// without a zone it is UTC.
    package static func time(_ text: some Collection<UInt8>) -> Date? { Timestamp.date(text) }
}
