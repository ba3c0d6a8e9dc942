import Crypto

/// What an access token says (RFC 9068 section 2.2).
///
/// `client_id` is left out: no OAuth client took part. Times are seconds since 1970, whole.
package struct AccessTokenClaims: Sendable, Hashable {
    /// `iss`, and `aud` as well.
    package let issuer: String
    /// `sub`: a string on the wire, because RFC 7519 asks for one.
    package let subject: User.ID
    /// `preferred_username`: as typed at registration.
    package let username: String
    /// `sid`.
    package let sessionID: Session.ID
    /// `roles`, sorted.
    package let roles: [String]
    /// `roles_key`, where there are roles: by it the list of revocations speaks of them.
    package let roleKey: RoleKey?
    /// `jti`: 128 random bits, so that two tokens of one second differ.
    package let tokenID: String
    package let issuedAt: Int
    package let expiresAt: Int
    /// `auth_time`: when the password was given.
    package let authenticatedAt: Int

    /// Seconds by which another node's clock may be ahead.
    package static let clockSlack = 60

    package init(
        issuer: String, subject: User.ID, username: String, sessionID: Session.ID, roles: [String],
        roleKey: RoleKey? = nil, tokenID: String, issuedAt: Int, expiresAt: Int, authenticatedAt: Int
    ) {
        self.issuer = issuer
        self.subject = subject
        self.username = username
        self.sessionID = sessionID
        self.roles = roles
        self.roleKey = roles.isEmpty ? nil : roleKey
        self.tokenID = tokenID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.authenticatedAt = authenticatedAt
    }

    static func freshID() -> String {
        SymmetricKey(size: .bits128).withUnsafeBytes { Base64.url.encode(Array($0)) }
    }

    /// Not expired, and not from a future that only a clock set back, or another issuer, could have
    /// seen.
    package func isLive(at now: Double) -> Bool {
        Double(expiresAt) > now && Double(issuedAt) <= now + Double(Self.clockSlack)
    }
}

extension AccessTokenClaims {
    package var json: JSON {
        let members: [(String, JSON)] =
            [
                ("iss", .string(issuer)), ("aud", .string(issuer)), ("sub", .string(String(subject))),
                ("preferred_username", .string(username)), ("sid", .string(sessionID.description)),
                ("jti", .string(tokenID)),
                ("iat", .integer(issuedAt)), ("exp", .integer(expiresAt)), ("auth_time", .integer(authenticatedAt)),
                ("amr", ["pwd"]),
            ] + (roles.isEmpty ? [] : [("roles", .array(roles.map(JSON.string)))])
            + (roleKey.map { [("roles_key", .string($0.text))] } ?? [])
        return .object(members.map(JSON.Member.init))
    }

    /// Reads what ``json`` wrote; `nil` for anything else, down to the last type.
    package init?(_ payload: JSON, issuer: String) {
        guard payload["iss"] == .string(issuer), payload["aud"] == .string(issuer),
            let subject = payload["sub"]?.string, let id = User.ID(subject), String(id) == subject,
            let username = payload["preferred_username"]?.string, let tokenID = payload["jti"]?.string,
            let session = payload["sid"]?.string, let sessionID = Session.ID(session),
            let issuedAt = payload["iat"]?.integer, let expiresAt = payload["exp"]?.integer,
            let authenticatedAt = payload["auth_time"]?.integer,
            authenticatedAt <= issuedAt, issuedAt < expiresAt, issuedAt > 0,
            expiresAt - issuedAt <= AuthConfiguration.maximumTokenDuration,
            // We never make one, so whatever it says, it is not ours.
            payload["nbf"] == nil, let roles = Self.roles(payload["roles"]),
            let roleKey = Self.roleKey(payload["roles_key"], isExpected: !roles.isEmpty)
        else { return nil }
        self.init(
            issuer: issuer, subject: id, username: username, sessionID: sessionID, roles: roles, roleKey: roleKey,
            tokenID: tokenID, issuedAt: issuedAt,
            expiresAt: expiresAt, authenticatedAt: authenticatedAt)
    }

    /// Outer `nil` for what is no key, or stands where none is.
    private static func roleKey(_ json: JSON?, isExpected: Bool) -> RoleKey?? {
        guard let json else { return .some(nil) }
        guard isExpected, let text = json.string, text.utf8.count == 43 else { return nil }
        return RoleKey(text)
    }

    private static func roles(_ json: JSON?) -> [String]? {
        guard let json else { return [] }
        guard case .array(let elements) = json, !elements.isEmpty else { return nil }
        let roles = elements.compactMap(\.string)
        return roles.count == elements.count ? roles : nil
    }
}
