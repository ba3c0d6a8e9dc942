/// The type that the header of an access token states, `typ`.
///
/// Both types are read, whichever is written, so changing it refuses no live token. That is safe as
/// long as the instance's keys sign access tokens and nothing else (RFC 8725 section 3.11).
public enum AccessTokenType: String, Sendable, Hashable, CaseIterable {
    /// A JWT access token (RFC 9068 section 2.1).
    case accessToken = "at+jwt"
    /// Any JWT, for services that require this type or know no other.
    case jwt = "JWT"
}
