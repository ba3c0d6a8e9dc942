/// Whoever can tell who stands behind credentials: ``Login`` over a database, or a verifier
/// elsewhere over published keys.
public protocol CredentialVerifier: Sendable {
    /// - Parameters:
    ///   - credentials: what a client presented.
    ///   - caller: who presents them: wrong passwords are counted by the caller's network. A token
    ///     is judged without asking.
    /// - Throws: `invalid_credentials`, `invalid_token`, `rate_limited`, `overloaded`;
    ///   `credentials_required` for a kind of credentials that it cannot check.
    func identify(_ credentials: Credentials, by caller: @autoclosure () -> Caller) async throws -> Identity
}
