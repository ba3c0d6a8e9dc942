public import Foundation

/// A selection of users, and the order in which they are listed.
public struct UserQuery: Sendable, Hashable {
    /// The order of a list.
    public enum Order: String, Sendable, CaseIterable {
        /// By ascending id.
        case id
        /// By descending id.
        case newestID = "-id"
        /// By the bytes of the canonical name.
        case username
        /// By the time of the registration, the earliest first; by id where it is the same.
        case oldest = "created_at"
        /// By the time of the registration, the latest first; by descending id where it is the
        /// same.
        case newest = "-created_at"
    }

    /// Beginning of the canonical name; `nil` for all names.
    public private(set) var prefix: String?
    /// A role that the user has.
    public var role: String?
    /// Whether the user is disabled; `nil` for both.
    public var isDisabled: Bool?
    /// The time after which the user was registered.
    public var createdAfter: Date?
    /// The order, which is by name where there is a prefix.
    public private(set) var order: Order
    /// The place after which the page begins; `nil` for the first page.
    public var after: UserPlace?

    /// Selects all users, in that order; the other properties make the selection smaller.
    public init(order: Order = .id) { self.order = order }

    /// Selects the users whose names begin with a text, whatever its case, in the order of the
    /// names.
    /// - Throws: `validation_failed` for a text that no name can begin with.
    public init(prefix text: String) throws(AuthError) {
        prefix = try Username.canonicalPrefix(text)
        order = .username
    }
}

/// A place in a list of users, of the kind that its order has.
public enum UserPlace: Sendable, Hashable {
    /// The id of the last user examined for a page, in the orders by id.
    case id(User.ID)
    /// The canonical name of the last user examined for a page, in the order by name.
    case name(String)
    /// The time of the registration of the last user examined for a page, and the user's id, in the
    /// orders by time.
    case time(Date, User.ID)
}

/// A page of a list of users.
public struct UserPage: Sendable, Hashable {
    /// Users that match, at most as many as were asked for, and perhaps none.
    public let users: [User]
    /// The place after which the next page begins; `nil` at the end of the list.
    public let next: UserPlace?

    public init(users: [User], next: UserPlace?) {
        self.users = users
        self.next = next
    }
}

extension Username {
    /// The canonical form of the beginning of a name. It may be empty.
    /// - Throws: `validation_failed` for a text that no name begins with.
    static func canonicalPrefix(_ text: String) throws(AuthError) -> String {
        guard text.utf8.count <= maximumBytes,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }),
            let form = canonicalForm(of: text)
        else {
            throw AuthError(
                .validationFailed, "q is the beginning of a user name: at most \(maximumBytes) octets of UTF-8",
                field: "q")
        }
        return form
    }
}
