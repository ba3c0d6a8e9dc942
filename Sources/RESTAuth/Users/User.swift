public import Foundation

/// A registered user, without anything secret.
public struct User: Sendable, Hashable, Identifiable {
    /// Counts up from 1 in the order of registration; never given twice, also not after a deletion.
    public typealias ID = Int64

    public let id: ID
    /// The name as it was typed at registration.
    public let username: String
    public let createdAt: Date
    /// When the user was disabled; `nil` for a user who may sign in.
    public let disabledAt: Date?

    public var isDisabled: Bool { disabledAt != nil }

    public init(id: ID, username: String, createdAt: Date, disabledAt: Date?) {
        self.id = id
        self.username = username
        self.createdAt = createdAt
        self.disabledAt = disabledAt
    }
}
