public import Foundation

/// A user whose identity is proven, and how.
///
/// Only what proves it makes one: ``Login`` by a password, ``AccessTokens`` and a verifier
/// elsewhere by a token, and ``Login/vouch(for:provenBy:at:)`` on your own code's word.
public struct UserIdentity: Sendable, Hashable {
    /// The credentials that came with the request.
    public enum Presented: Sendable, Hashable {
        /// A password, with this very request.
        case password
        /// An access token of a session.
        case accessToken(Session.ID)
        /// A token of the original Flask server, with its expiry and the session that it has once
        /// it is traded.
        case flaskToken(Session.ID, expiresAt: Date)
        /// A personal token, with which a program acts for the user.
        case personalToken(ProgramToken.ID)
    }

    /// The user's id, for rows of your own to refer to. It never changes, and is never given to
    /// another user.
    public let userID: User.ID
    /// The user name as typed at registration.
    public let username: String
    /// The roles as the token carries them, or as they were when the password was given.
    public let roles: Set<String>
    /// The methods by which the user was identified, and when.
    public let authentication: Authentication
    /// The credentials that came with the request.
    public let presented: Presented
    /// The client that acts for the user, as an application that the user allowed to: `azp`; `nil`
    /// for the user alone.
    public let clientID: String?
    /// The scope of the client or of the personal token (RFC 6749 section 3.3); `nil` for
    /// everything.
    public let scope: Set<String>?

    /// The number of the user's password, counted from 1; `nil` for an access token of this server,
    /// and for an identity that an application vouches for.
    package let passwordVersion: Int?

    /// The roles by which revocation entries are found: their names on this server, their digests
    /// where another server's list hides the names (``RoleKey``).
    package let rolesInLog: Set<String>

    /// Claims of the adopter in the token, as the compact JSON of an object; `nil` for none.
    package let customClaims: String?

    package init(
        userID: User.ID, username: String, roles: Set<String>, authentication: Authentication, presented: Presented,
        clientID: String? = nil, scope: Set<String>? = nil, passwordVersion: Int? = nil,
        rolesInLog: Set<String>? = nil, customClaims: String? = nil
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
        self.customClaims = customClaims
    }

    /// The session of the token; `nil` for a user who came with a password or a personal token.
    public var sessionID: Session.ID? {
        switch presented {
        case .password, .personalToken: nil
        case .accessToken(let session), .flaskToken(let session, _): session
        }
    }

    /// The time at which the user last proved who they are, to the second.
    public var authenticatedAt: Date { authentication.at }

    /// The expiry of a token of the original Flask server; `nil` for other credentials.
    package var flaskTokenExpiresAt: Date? {
        if case .flaskToken(_, let expiresAt) = presented { expiresAt } else { nil }
    }
}

// MARK: - What proves it

extension UserIdentity {
    /// The user that an access token of this server stands for.
    /// - Parameter hidesRoles: whether it is checked against a list in which names of roles are
    ///   hidden.
    init(_ claims: AccessTokenClaims, hidesRoles: Bool) {
        let key = hidesRoles ? claims.roleKey : nil
        self.init(
            userID: claims.subject, username: claims.username, roles: Set(claims.roles),
            authentication: Authentication(
                claims.methods, at: Date(timeIntervalSince1970: TimeInterval(claims.authenticatedAt))),
            presented: .accessToken(claims.sessionID),
            rolesInLog: key.map { key in Set(claims.roles.map { key.digest(of: $0) }) },
            customClaims: claims.custom)
    }

    /// The user who gave that password, and proved what else `methods` say.
    init(
        _ stored: StoredCredentials, methods: [Authentication.Method] = .passwordAlone, authenticatedAt: Date,
        clientID: String? = nil, scope: Set<String>? = nil
    ) {
        self.init(
            userID: stored.user.id, username: stored.user.username, roles: stored.user.roles,
            authentication: Authentication(methods, at: authenticatedAt), presented: .password, clientID: clientID,
            scope: scope, passwordVersion: stored.passwordVersion)
    }

    /// The user who holds a token of the original Flask server. The time of the password behind it
    /// is not known: it is taken for so long ago that it is never recent enough.
    init(_ stored: StoredCredentials, flaskSession: Session.ID, tokenExpiresAt: Date) {
        self.init(
            userID: stored.user.id, username: stored.user.username, roles: stored.user.roles,
            authentication: Authentication([], at: Date(timeIntervalSince1970: 0)),
            presented: .flaskToken(flaskSession, expiresAt: tokenExpiresAt),
            passwordVersion: stored.passwordVersion)
    }

    /// The owner of a personal token, with the roles of now and the scope of the token. No sign-in
    /// is behind it: it is never recent, and never a second factor.
    init(_ owner: User, by token: StoredProgramToken) {
        self.init(
            userID: owner.id, username: owner.username, roles: owner.roles,
            authentication: Authentication([], at: Date(timeIntervalSince1970: 0)),
            presented: .personalToken(token.id), scope: token.scopes)
    }

    /// The user who holds a token of that session.
    init(_ user: User, in session: Session) {
        self.init(
            userID: user.id, username: user.username, roles: user.roles,
            authentication: session.authentication, presented: .accessToken(session.id),
            clientID: session.clientID, scope: session.scope)
    }
}
