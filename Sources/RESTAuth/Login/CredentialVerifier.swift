/// Whoever can tell who stands behind credentials: ``Login`` over a database, or a verifier
/// elsewhere over published keys.
public protocol CredentialVerifier: Sendable {
    /// - Parameters:
    ///   - credentials: what a client presented.
    ///   - address: the client's IP address, where it is known: wrong passwords are counted by it.
    /// - Throws: `invalid_credentials`, `invalid_token`, `rate_limited`, `overloaded`;
    ///   `credentials_required` for a kind of credentials that it cannot check.
    func attempt(_ credentials: Credentials, from address: String?) async throws -> Identity
}
