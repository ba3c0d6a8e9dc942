import PasswordHashing

/// The claims of an access token (RFC 9068 section 2.2).
///
/// `client_id` is the issuer: a token must name a client, and none of an operator's took part.
/// Times are whole seconds since 1970.
package struct AccessTokenClaims: Sendable, Hashable {
    /// `iss`, and `client_id` as well.
    package let issuer: String
    /// `aud`; an empty list stands for the issuer alone, which costs no memory for each token that
    /// is remembered.
    package let audience: [String]
    /// `sub`, which is a string in the token, because RFC 7519 asks for one.
    package let subject: User.ID
    /// `preferred_username`: as typed at registration.
    package let username: String
    /// `sid`.
    package let sessionID: Session.ID
    /// `roles`, sorted.
    package let roles: [String]
    /// `roles_key`, where there are roles: the key that hides their names in the list of
    /// revocations.
    package let roleKey: RoleKey?
    /// `jti`: 128 random bits, so that two tokens of one second differ.
    package let tokenID: String
    package let issuedAt: Int
    package let expiresAt: Int
    /// `auth_time`: the time at which the user last proved who they are.
    package let authenticatedAt: Int
    /// `amr`: the methods by which the user did; empty where they are not known. `acr` follows from
    /// it.
    package let methods: [Authentication.Method]
    /// Claims of the adopter, as the compact JSON of an object; `nil` for none.
    package let custom: String?

    /// Seconds by which another node's clock may be ahead.
    package static let clockSlack = 60

    package init(
        issuer: String, audience: [String] = [], subject: User.ID, username: String, sessionID: Session.ID,
        roles: [String],
        roleKey: RoleKey? = nil, tokenID: String, issuedAt: Int, expiresAt: Int, authenticatedAt: Int,
        methods: [Authentication.Method] = .passwordAlone, custom: String? = nil
    ) {
        self.issuer = issuer
        self.audience = audience
        self.subject = subject
        self.username = username
        self.sessionID = sessionID
        self.roles = roles
        self.roleKey = roles.isEmpty ? nil : roleKey
        self.tokenID = tokenID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.authenticatedAt = authenticatedAt
        self.methods = methods
        self.custom = custom
    }

    static func freshID() -> String { Base64.url.encode(Random.bytes(16)) }

    /// Whether the token has not expired, and is not from the future: one that is comes from before
    /// a clock was set back, or from another issuer.
    package func isLive(at now: Double) -> Bool {
        Double(expiresAt) > now && Double(issuedAt) <= now + Double(Self.clockSlack)
    }
}

extension AccessTokenClaims {
    package var json: JSON {
        let members: [(String, JSON)] =
            [
                ("iss", .string(issuer)), ("aud", audienceJSON), ("sub", .string(String(subject))),
                ("client_id", .string(issuer)),
                ("preferred_username", .string(username)), ("sid", .string(sessionID.description)),
                ("jti", .string(tokenID)),
                ("iat", .integer(issuedAt)), ("exp", .integer(expiresAt)), ("auth_time", .integer(authenticatedAt)),
            ] + methods.members + (roles.isEmpty ? [] : [("roles", .array(roles.map(JSON.string)))])
            + (roleKey.map { [("roles_key", .string($0.text))] } ?? []) + customMembers
        return .object(members.map(JSON.Member.init))
    }

    /// The members of ``custom``.
    package var customMembers: [(String, JSON)] {
        guard let custom, case .object(let members)? = JSON(custom.utf8) else { return [] }
        return members.map { ($0.name, $0.value) }
    }

    /// `aud`: a string for one audience, a list for several (RFC 7519 section 4.1.3).
    package var audienceJSON: JSON {
        audience.count > 1 ? .array(audience.map(JSON.string)) : .string(audience.first ?? issuer)
    }

    /// Whether the token names one of these audiences.
    package func isFor(_ audiences: [String]) -> Bool {
        let own = audience.isEmpty ? [issuer] : audience
        return own.contains { one in audiences.contains { $0.utf8.elementsEqual(one.utf8) } }
    }

    /// Reads what ``json`` wrote, for any audience; `nil` for anything else, down to the type of
    /// each member. A token that an earlier version signed may lack `client_id` or `acr`.
    package init?(_ payload: JSON, issuer: String) {
        guard payload["iss"] == .string(issuer), let audience = Self.audience(payload["aud"], issuer: issuer),
            (payload["client_id"] ?? .string(issuer)) == .string(issuer),
            let subject = payload["sub"]?.string, let id = User.ID(subject), String(id) == subject,
            let username = payload["preferred_username"]?.string, let tokenID = payload["jti"]?.string,
            let session = payload["sid"]?.string, let sessionID = Session.ID(session),
            let issuedAt = payload["iat"]?.integer, let expiresAt = payload["exp"]?.integer,
            let authenticatedAt = payload["auth_time"]?.integer,
            authenticatedAt <= issuedAt, issuedAt < expiresAt, issuedAt > 0,
            expiresAt - issuedAt <= AuthConfiguration.maximumTokenDuration,
            // `nbf` is never written here, so a token with it is of another issuer.
            payload["nbf"] == nil, let roles = Self.roles(payload["roles"]),
            let roleKey = Self.roleKey(payload["roles_key"], isExpected: !roles.isEmpty),
            let methods = Self.methods(payload["amr"]),
            (payload["acr"] ?? methods.contextClass.map(JSON.string)) == methods.contextClass.map(JSON.string)
        else { return nil }
        self.init(
            issuer: issuer, audience: audience, subject: id, username: username, sessionID: sessionID, roles: roles,
            roleKey: roleKey,
            tokenID: tokenID, issuedAt: issuedAt,
            expiresAt: expiresAt, authenticatedAt: authenticatedAt, methods: methods,
            custom: TokenClaims.text(fromPayload: payload))
    }

    /// The audience; `nil` for a list that could be a string, or names one twice, as none that was
    /// written here does.
    private static func audience(_ json: JSON?, issuer: String) -> [String]? {
        switch json {
        case .string(let one)? where one.utf8.elementsEqual(issuer.utf8): return []
        case .string(let one)? where !one.isEmpty: return [one]
        case .array(let elements)?:
            let names = elements.compactMap(\.string)
            let known = Set(names.map { WireText($0) }.filter { !$0.isEmpty })
            return known.count == elements.count && known.count > 1 ? names : nil
        default: return nil
        }
    }

    /// The key, which may be absent; `nil` for text that is no key, and for a key without roles.
    private static func roleKey(_ json: JSON?, isExpected: Bool) -> RoleKey?? {
        guard let json else { return .some(nil) }
        guard isExpected, let text = json.string, text.utf8.count == 43 else { return nil }
        return RoleKey(text)
    }

    private static func methods(_ json: JSON?) -> [Authentication.Method]? {
        guard let json else { return [] }
        if json == ["pwd"] { return .passwordAlone }
        guard case .array(let elements) = json, !elements.isEmpty else { return nil }
        let methods = elements.compactMap { $0.string.flatMap(Authentication.Method.init) }
        return methods.count == elements.count ? methods : nil
    }

    private static func roles(_ json: JSON?) -> [String]? {
        guard let json else { return [] }
        guard case .array(let elements) = json, !elements.isEmpty else { return nil }
        let roles = elements.compactMap(\.string)
        return roles.count == elements.count ? roles : nil
    }
}

extension [Authentication.Method] {
    /// `amr` and `acr`; neither of them where the methods are not known.
    package var members: [(String, JSON)] {
        guard let contextClass else { return [] }
        return [("amr", .array(map { .string($0.rawValue) })), ("acr", .string(contextClass))]
    }
}
