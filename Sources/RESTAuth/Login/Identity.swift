public import Foundation

/// Who made a request, and how that is known.
public struct Identity: Sendable, Hashable {
    /// What was presented.
    public enum Method: Sendable, Hashable {
        /// A password, with this very request.
        case password
        /// An access token, or one of the Flask server that the user came from.
        case token
    }

    /// The user's number: what rows of your own point at. It never changes, and is never given to
    /// another user.
    public let userID: User.ID
    /// As typed at registration.
    public let username: String
    /// How it is known.
    public let method: Method
    /// When the password behind this was given, to the second.
    public let authenticatedAt: Date

    /// The session of the token; `nil` for who came by a password.
    public let sessionID: Session.ID?
    /// As the token carries them, or as they were when the password was given.
    public let roles: Set<String>

    /// Which of the user's passwords was given, counted from 1; `nil` for a token of ours, and for
    /// an identity that an adopter vouches for.
    package let passwordVersion: Int?

    /// The end of a token of the Flask server that the user came from; `nil` for who came by
    /// anything else.
    package let legacyTokenExpiresAt: Date?

    /// What the roles are called where it says which tokens are refused: by their names here, by
    /// what hides them elsewhere (``RoleKey``).
    package let rolesInLog: Set<String>

    /// Someone that your own code vouches for: who comes by the routes is given one by
    /// ``Login/attempt(_:from:)``.
    public init(
        userID: User.ID, username: String, method: Method, authenticatedAt: Date, sessionID: Session.ID? = nil,
        roles: Set<String> = []
    ) {
        self.init(
            userID: userID, username: username, method: method, authenticatedAt: authenticatedAt, sessionID: sessionID,
            roles: roles,
            passwordVersion: nil)
    }

    private init(
        userID: User.ID, username: String, method: Method, authenticatedAt: Date, sessionID: Session.ID?,
        roles: Set<String>,
        passwordVersion: Int?, legacyTokenExpiresAt: Date? = nil, rolesInLog: Set<String>? = nil
    ) {
        self.userID = userID
        self.username = username
        self.method = method
        self.authenticatedAt = authenticatedAt
        self.sessionID = sessionID
        self.roles = roles
        self.passwordVersion = passwordVersion
        self.legacyTokenExpiresAt = legacyTokenExpiresAt
        self.rolesInLog = rolesInLog ?? roles
    }

    /// Who a token of ours stands for.
    /// - Parameter hidesRoles: whether this is for a list in which names of roles are hidden.
    init(_ claims: AccessTokenClaims, hidesRoles: Bool) {
        let key = hidesRoles ? claims.roleKey : nil
        self.init(
            userID: claims.subject, username: claims.username, method: .token,
            authenticatedAt: Date(timeIntervalSince1970: TimeInterval(claims.authenticatedAt)),
            sessionID: claims.sessionID, roles: Set(claims.roles), passwordVersion: nil,
            rolesInLog: key.map { key in Set(claims.roles.map { key.digest(of: $0) }) })
    }

    /// Who gave that password.
    init(_ stored: StoredCredentials, authenticatedAt: Date) {
        self.init(
            userID: stored.user.id, username: stored.user.username, method: .password, authenticatedAt: authenticatedAt,
            sessionID: nil,
            roles: stored.user.roles, passwordVersion: stored.passwordVersion)
    }

    /// Who holds a token of the Flask server that the user came from. When the password behind it
    /// was given nobody knows: so long ago that it is never recent enough. The session is the one
    /// that the token has once it is traded.
    init(_ stored: StoredCredentials, legacySession: Session.ID, tokenExpiresAt: Date) {
        self.init(
            userID: stored.user.id, username: stored.user.username, method: .token,
            authenticatedAt: Date(timeIntervalSince1970: 0),
            sessionID: legacySession, roles: stored.user.roles, passwordVersion: stored.passwordVersion,
            legacyTokenExpiresAt: tokenExpiresAt)
    }

    /// Who holds a token of that session.
    init(_ user: User, in session: Session) {
        self.init(
            userID: user.id, username: user.username, method: .token, authenticatedAt: session.createdAt,
            sessionID: session.id,
            roles: user.roles)
    }
}
