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

    /// The session of the token; `nil` for who came by a password.
    public let sessionID: Session.ID?
    /// As the token carries them, or as they were when the password was given.
    public let roles: Set<String>

    public init(
        userID: User.ID, username: String, method: Method, authenticatedAt: Date, sessionID: Session.ID? = nil, roles: Set<String> = []
    ) {
        self.userID = userID
        self.username = username
        self.method = method
        self.authenticatedAt = authenticatedAt
        self.sessionID = sessionID
        self.roles = roles
    }

    init(user: User, method: Method, authenticatedAt: Date, sessionID: Session.ID? = nil) {
        self.init(
            userID: user.id, username: user.username, method: method, authenticatedAt: authenticatedAt, sessionID: sessionID,
            roles: user.roles)
    }
}
