/// Whoever can tell who stands behind credentials: ``Login`` over a database, or a verifier elsewhere over published keys.
public protocol CredentialVerifier: Sendable {
    /// - Throws: `invalid_credentials`, `invalid_token`, `overloaded`; `credentials_required` for a kind of credentials that it cannot check.
    func attempt(_ credentials: Credentials) async throws -> Identity
}
