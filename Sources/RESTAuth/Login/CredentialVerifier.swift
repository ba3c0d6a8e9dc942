/// Verifies credentials: ``Login`` over a database, or a verifier elsewhere over published keys.
public protocol CredentialVerifier: Sendable {
    /// Identifies the holder of credentials.
    /// - Parameters:
    ///   - credentials: what a client presented.
    ///   - caller: the origin of the credentials; wrong passwords are counted by its network. It is
    ///     not evaluated for a token.
    /// - Throws: `invalid_credentials`, `invalid_token`, `rate_limited`, `overloaded`;
    ///   `credentials_required` for a kind of credentials that it cannot check.
    func identify(_ credentials: Credentials, by caller: @autoclosure () -> Caller) async throws -> Identity
}
