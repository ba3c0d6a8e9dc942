public import Foundation

/// A registered user, without the password hash.
public struct User: Sendable, Hashable, Identifiable {
    /// Id of a user: counted up from 1 in the order of registration, and never reused, even after a
    /// deletion.
    public typealias ID = Int64

    /// The id, for rows of your own to refer to.
    public let id: ID
    /// The name as it was typed at registration.
    public let username: String
    /// Time of the registration, here or on the server that the user was imported from.
    public let createdAt: Date
    /// Time when the user was disabled; `nil` for a user who may sign in.
    public let disabledAt: Date?

    /// Permissions of the user, as roles that the adopter names (see ``Role``).
    public let roles: Set<String>

    /// Whether the user's password and tokens are refused.
    public var isDisabled: Bool { disabledAt != nil }

    public init(id: ID, username: String, createdAt: Date, disabledAt: Date?, roles: Set<String> = []) {
        self.id = id
        self.username = username
        self.createdAt = createdAt
        self.disabledAt = disabledAt
        self.roles = roles
    }
}
