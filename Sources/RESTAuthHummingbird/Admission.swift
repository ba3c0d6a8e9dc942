import Foundation
import HTTPTypes
import RESTAuth

extension CredentialVerifier {
    /// Who makes a request, if that may be: the one way from its `Authorization` field to an
    /// identity, for the routes of the house and behind an ``Authenticator``.
    /// - Parameters:
    ///   - accepted: which credentials are taken.
    ///   - requirements: what must hold, all of them. None is not "nobody has to sign in", which is
    ///     `Requirement.optional`, but that nothing more is asked of who does.
    ///   - caller: who makes the request, made only where the credentials are a password.
    /// - Returns: `nil` for nobody, where that is allowed.
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
