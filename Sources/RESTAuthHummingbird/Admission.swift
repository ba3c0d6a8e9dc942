import Foundation
import HTTPTypes
import RESTAuth

extension CredentialVerifier {
    /// Identifies the maker of a request and checks the requirements. This is the only way from an
    /// `Authorization` field to an identity, for the built-in routes and for an ``Authenticator``.
    /// - Parameters:
    ///   - head: the request. A token in its query is refused, whatever else it has.
    ///   - accepted: the kinds of credentials that are taken; others throw `credentials_required`.
    ///   - requirements: all must hold. An empty list requires a signed-in user;
    ///     `Requirement.optional` admits a request without credentials.
    ///   - admitsPrograms: whether tokens for programs are admitted whatever their scope, and
    ///     service accounts by an empty list.
    ///   - ignoresQuery: whether the query is another application's, or read by the route itself.
    ///   - caller: the origin of the request, evaluated only when the credentials are a password.
    /// - Returns: the identity; `nil` for a request without credentials, where that is allowed.
    /// - Throws: `invalid_request`, `credentials_required`, and what ``identify(_:by:)`` and
    ///   `Requirement.check` throw.
    func admit(
        _ head: HTTPRequest, accepting accepted: AcceptedCredentials = .any, requiring requirements: [Requirement],
        admittingPrograms admitsPrograms: Bool = false, ignoringQuery ignoresQuery: Bool = false,
        at now: @Sendable () -> Date, by caller: @autoclosure () -> Caller
    ) async throws -> Identity? {
        if !ignoresQuery { try head.refuseTokenInQuery() }
        var identity: Identity?
        if let credentials = try AuthorizationHeader.credentials(in: head.headerFields) {
            guard accepted.contains(credentials) else { throw AuthError.credentialsRequired }
            identity = try await identify(credentials, by: caller())
        }
        try requirements.check(identity, admittingPrograms: admitsPrograms, at: now())
        return identity
    }
}

extension AcceptedCredentials {
    fileprivate func contains(_ credentials: Credentials) -> Bool {
        switch credentials {
        case .password: contains(.password)
        case .token: contains(.token)
        }
    }
}
