import Foundation
import HTTPTypes
import RESTAuth

extension CredentialVerifier {
    /// Identifies the maker of a request and checks the requirements. This is the only way from an
    /// `Authorization` field to an identity, for the built-in routes and for an ``Authenticator``.
    /// - Parameters:
    ///   - accepted: the kinds of credentials that are taken; others throw `credentials_required`.
    ///   - requirements: all must hold. An empty list requires a signed-in user;
    ///     `Requirement.optional` admits a request without credentials.
    ///   - caller: the origin of the request, evaluated only when the credentials are a password.
    /// - Returns: the identity; `nil` for a request without credentials, where that is allowed.
    /// - Throws: `invalid_request`, `credentials_required`, and what ``identify(_:by:)`` and
    ///   `Requirement.check` throw.
    func admit(
        _ fields: HTTPFields, accepting accepted: AcceptedCredentials = .any, requiring requirements: [Requirement],
        at now: @Sendable () -> Date, by caller: @autoclosure () -> Caller
    ) async throws -> Identity? {
        var identity: Identity?
        if let credentials = try AuthorizationHeader.credentials(in: fields) {
            guard accepted.contains(credentials) else { throw AuthError.credentialsRequired }
            identity = try await identify(credentials, by: caller())
        }
        try requirements.check(identity?.user, at: now)
        return identity
    }
}

extension [Requirement] {
    /// Checks that all requirements hold; an empty list requires a signed-in user.
    /// - Throws: what `Requirement.check` throws.
    func check(_ user: UserIdentity?, at now: () -> Date) throws(AuthError) {
        guard !isEmpty else { return try Requirement.signedIn.check(user, at: now()) }
        for requirement in self { try requirement.check(user, at: now()) }
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
