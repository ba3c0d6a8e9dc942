import Crypto

/// What an access token says (RFC 9068 section 2.2).
///
/// `client_id` is left out: no OAuth client took part. Times are seconds since 1970, whole.
struct AccessTokenClaims: Sendable, Hashable {
    /// `iss`, and `aud` as well.
    let issuer: String
    /// `sub`: a string on the wire, because RFC 7519 asks for one.
    let subject: User.ID
    /// `jti`: 128 random bits, so that two tokens of one second differ.
    let tokenID: String
    let issuedAt: Int
    let expiresAt: Int
    /// `auth_time`: when the password was given.
    let authenticatedAt: Int

    /// Seconds by which another node's clock may be ahead.
    static let clockSlack = 60

    static func freshID() -> String {
        SymmetricKey(size: .bits128).withUnsafeBytes { Base64.url.encode(Array($0)) }
    }

    /// Not expired, and not from a future that only a clock set back, or another issuer, could have seen.
    func isLive(at now: Double) -> Bool {
        Double(expiresAt) > now && Double(issuedAt) <= now + Double(Self.clockSlack)
    }
}

extension AccessTokenClaims {
    var json: JSON {
        [
            "iss": .string(issuer), "aud": .string(issuer), "sub": .string(String(subject)), "jti": .string(tokenID),
            "iat": .integer(issuedAt), "exp": .integer(expiresAt), "auth_time": .integer(authenticatedAt), "amr": ["pwd"],
        ]
    }

    /// `nil` unless every claim is there, of its exact type, and consistent with the others.
    init?(_ payload: JSON, issuer: String) {
        guard payload["iss"] == .string(issuer), payload["aud"] == .string(issuer),
            let subject = payload["sub"]?.string, let id = User.ID(subject), String(id) == subject,
            let tokenID = payload["jti"]?.string,
            let issuedAt = payload["iat"]?.integer, let expiresAt = payload["exp"]?.integer,
            let authenticatedAt = payload["auth_time"]?.integer,
            authenticatedAt <= issuedAt, issuedAt < expiresAt, issuedAt > 0,
            expiresAt - issuedAt <= AuthConfiguration.maximumTokenDuration,
            // We never make one, so whatever it says, it is not ours.
            payload["nbf"] == nil
        else { return nil }
        self.init(
            issuer: issuer, subject: id, tokenID: tokenID, issuedAt: issuedAt, expiresAt: expiresAt,
            authenticatedAt: authenticatedAt)
    }
}
