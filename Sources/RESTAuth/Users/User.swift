public import Foundation

/// A registered user, without anything secret.
public struct User: Sendable, Hashable, Identifiable {
    /// Counts up from 1 in the order of registration; never given twice, also not after a deletion.
    public typealias ID = Int64

    /// What rows of your own point at.
    public let id: ID
    /// The name as it was typed at registration.
    public let username: String
    /// When the user was registered, or was on the server that the user came from.
    public let createdAt: Date
    /// When the user was disabled; `nil` for a user who may sign in.
    public let disabledAt: Date?

    /// What the user may do beyond being signed in, in words of the adopter's (see ``Role``).
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
