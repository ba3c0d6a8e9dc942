public import Foundation

/// A user who has proven to be one, and how.
///
/// Only what proves it makes one: ``Login`` by a password, ``AccessTokens`` and a verifier
/// elsewhere by a token, and ``Login/vouch(for:provenBy:at:)`` on your own code's word.
public struct UserIdentity: Sendable, Hashable {
    /// What came with the request.
    public enum Presented: Sendable, Hashable {
        /// A password, with this very request.
        case password
        /// An access token of that session.
        case accessToken(Session.ID)
        /// A token of the original Flask server, of the session that it has once it is traded. It
        /// ends then.
        case flaskToken(Session.ID, expiresAt: Date)
    }

    /// The user's number: what rows of your own point at. It never changes, and is never given to
    /// another user.
    public let userID: User.ID
    /// As typed at registration.
    public let username: String
    /// As the token carries them, or as they were when the password was given.
    public let roles: Set<String>
    /// What was proven, and when.
    public let authentication: Authentication
    /// What came with the request.
    public let presented: Presented
    /// The client on whose behalf, as an application that the user allowed to act: `azp`; `nil` for
    /// the user alone.
    public let clientID: String?
    /// What the client may do (RFC 6749 section 3.3); `nil` for everything.
    public let scope: Set<String>?

    /// Which of the user's passwords was given, counted from 1; `nil` for a token of ours, and for
    /// an identity that an adopter vouches for.
    package let passwordVersion: Int?

    /// What the roles are called where it says which tokens are refused: by their names here, by
    /// what hides them elsewhere (``RoleKey``).
    package let rolesInLog: Set<String>

    package init(
        userID: User.ID, username: String, roles: Set<String>, authentication: Authentication, presented: Presented,
        clientID: String? = nil, scope: Set<String>? = nil, passwordVersion: Int? = nil,
        rolesInLog: Set<String>? = nil
    ) {
        self.userID = userID
        self.username = username
        self.roles = roles
        self.authentication = authentication
        self.presented = presented
        self.clientID = clientID
        self.scope = scope
        self.passwordVersion = passwordVersion
        self.rolesInLog = rolesInLog ?? roles
    }

    /// The session of the token; `nil` for who came by a password.
    public var sessionID: Session.ID? {
        switch presented {
        case .password: nil
        case .accessToken(let session), .flaskToken(let session, _): session
        }
    }

    /// When its user last proved who they are, to the second.
    public var authenticatedAt: Date { authentication.at }

    /// The end of a token of the original Flask server; `nil` for who came by anything else.
    package var flaskTokenExpiresAt: Date? {
        if case .flaskToken(_, let expiresAt) = presented { expiresAt } else { nil }
    }
}

// MARK: - What proves it

extension UserIdentity {
    /// Who a token of ours stands for.
    /// - Parameter hidesRoles: whether this is for a list in which names of roles are hidden.
    init(_ claims: AccessTokenClaims, hidesRoles: Bool) {
        let key = hidesRoles ? claims.roleKey : nil
        self.init(
            userID: claims.subject, username: claims.username, roles: Set(claims.roles),
            authentication: Authentication(
                claims.methods, at: Date(timeIntervalSince1970: TimeInterval(claims.authenticatedAt))),
            presented: .accessToken(claims.sessionID),
            rolesInLog: key.map { key in Set(claims.roles.map { key.digest(of: $0) }) })
    }

    /// Who gave that password, and proved what else `methods` say.
    init(_ stored: StoredCredentials, methods: [Authentication.Method] = .passwordAlone, authenticatedAt: Date) {
        self.init(
            userID: stored.user.id, username: stored.user.username, roles: stored.user.roles,
            authentication: Authentication(methods, at: authenticatedAt), presented: .password,
            passwordVersion: stored.passwordVersion)
    }

    /// Who holds a token of the original Flask server. When the password behind it was given nobody
    /// knows: so long ago that it is never recent enough.
    init(_ stored: StoredCredentials, flaskSession: Session.ID, tokenExpiresAt: Date) {
        self.init(
            userID: stored.user.id, username: stored.user.username, roles: stored.user.roles,
            authentication: Authentication([], at: Date(timeIntervalSince1970: 0)),
            presented: .flaskToken(flaskSession, expiresAt: tokenExpiresAt),
            passwordVersion: stored.passwordVersion)
    }

    /// Who holds a token of that session.
    init(_ user: User, in session: Session) {
        self.init(
            userID: user.id, username: user.username, roles: user.roles,
            authentication: session.authentication, presented: .accessToken(session.id),
            clientID: session.clientID, scope: session.scope)
    }
}
