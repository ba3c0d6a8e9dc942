/// What the header of an access token says that it is, `typ`.
///
/// Both are read, whichever is written, so a change of it refuses no live token. That is safe as
/// long as the instance's keys sign access tokens and nothing else (RFC 8725 section 3.11).
public enum AccessTokenType: String, Sendable, Hashable, CaseIterable {
    /// A JWT access token (RFC 9068 section 2.1).
    case accessToken = "at+jwt"
    /// Any JWT, for services that insist on that word or know no other.
    case jwt = "JWT"
}
