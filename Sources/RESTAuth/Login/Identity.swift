public import Foundation

/// Who made a request, and how that is known.
public struct Identity: Sendable, Hashable {
    public enum Method: Sendable, Hashable {
        case password
        case token
    }

    public let userID: User.ID
    /// As typed at registration.
    public let username: String
    public let method: Method
    /// When the password behind this was given, to the second.
    public let authenticatedAt: Date

    public init(userID: User.ID, username: String, method: Method, authenticatedAt: Date) {
        self.userID = userID
        self.username = username
        self.method = method
        self.authenticatedAt = authenticatedAt
    }
}
