import HTTPTypes
import Hummingbird
import RESTAuth

/// The callers that a route is for.
package enum Audience: Sendable {
    case anyone
    /// Anyone; pages of every origin may read the answer, because it contains no user's data.
    case everyPage
    /// Another service, which authenticates with its client secret.
    case client
    /// A signed-in user.
    case user
}

/// The condition for using a route, and the proof of it that the handler is given.
package struct Access<Proof: Sendable>: Sendable {
    struct Admission: Sendable {
        let proof: Proof
        /// The proven identity; `nil` where the route proves none.
        var identity: Identity?
    }

    let audience: Audience
    /// Checks the request; throws to refuse it.
    let admit: @Sendable (RoutedRequest) async throws -> Admission
    /// Makes the same check without waiting, from what the process has in memory. `nil` is no
    /// refusal: ``admit`` has to decide.
    var remember: @Sendable (HTTPRequest) -> Proof? = { _ in nil }
    /// Whether the query decides what is required. A token in it is refused elsewhere: here it may
    /// be another application's.
    var readsQuery = false

    /// The same access for a handler that does not need the identity.
    var unnamed: Access<Void> {
        Access<Void>(
            audience: audience,
            admit: { Access<Void>.Admission(proof: (), identity: try await admit($0).identity) },
            remember: { remember($0).map { _ in () } }, readsQuery: readsQuery)
    }

    /// The same access for requests that pass `check`. It runs first, so a request that fails it is
    /// refused whoever makes it. Such an access never answers without waiting (``remember``):
    /// `check` needs a request that the router has taken.
    func after(_ check: @escaping @Sendable (RoutedRequest) throws -> Void) -> Access {
        Access(
            audience: audience,
            admit: { [audience, readsQuery] request in
                // Before the check, to which every parameter may be unknown.
                if audience == .user, !readsQuery { try request.http.head.refuseTokenInQuery() }
                try check(request)
                return try await admit(request)
            }, readsQuery: readsQuery)
    }
}

extension Access where Proof == Void {
    /// Admits everyone. Credentials in the body are checked by the door that the handler calls.
    package static var anyone: Access { open(.anyone) }

    /// Admits everyone, and lets pages of every origin read the answer.
    package static var everyPage: Access { open(.everyPage) }

    private static func open(_ audience: Audience) -> Access {
        Access(audience: audience, admit: { _ in Admission(proof: ()) }, remember: { _ in () })
    }
}

extension Access where Proof == UserIdentity {
    /// Admits a user who meets all `requirements`.
    /// - Parameters:
    ///   - auth: the core.
    ///   - scope: the scope by which a personal token is admitted; `nil` admits none.
    ///   - requirements: the requirements, of which one at least is about users.
    ///   - admitsEnrollment: whether a user is admitted by the password who has to add a second
    ///     factor before anything else: on routes for that alone.
    static func user(
        _ auth: Auth, scope: String? = nil, requiring requirements: [Requirement] = [.signedIn],
        admittingEnrollment admitsEnrollment: Bool = false
    ) -> Access {
        let requirements = requirements + (scope.map { [.scope($0)] } ?? [])
        return identified(
            auth, by: admitsEnrollment ? auth.login.admittingEnrollment : auth.login, as: \.user
        ) { _ in requirements }
    }
}

extension Access where Proof == Identity {
    /// Admits whoever has signed in, service accounts among them, and tokens for programs whatever
    /// their scope.
    static func anyProgram(_ auth: Auth) -> Access {
        identified(auth, by: auth.login, as: \.self, admittingPrograms: true) { _ in [] }
    }

    /// Admits a user, or a service account by requirements that admit programs.
    static func program(_ auth: Auth, requiring requirements: [Requirement]) -> Access {
        identified(auth, by: auth.login, as: \.self) { _ in requirements }
    }

    /// The same, with requirements that depend on the request's path or query.
    static func program(
        _ auth: Auth, requiring requirements: @escaping @Sendable (HTTPRequest) throws -> [Requirement]
    ) -> Access {
        identified(auth, by: auth.login, as: \.self, readsQuery: true, requirements)
    }
}

extension Access {
    private static func identified(
        _ auth: Auth, by verifier: any CredentialVerifier, as proof: @escaping @Sendable (Identity) -> Proof?,
        admittingPrograms admitsPrograms: Bool = false, readsQuery: Bool = false,
        _ requirements: @escaping @Sendable (HTTPRequest) throws -> [Requirement]
    ) -> Access {
        let (accessTokens, now) = (auth.accessTokens, auth.configuration.now)
        return Access(
            audience: .user,
            admit: { request in
                let identity = try await verifier.admit(
                    request.http.head, requiring: requirements(request.http.head),
                    admittingPrograms: admitsPrograms, ignoringQuery: readsQuery, at: now, by: request.caller)
                guard let identity, let proof = proof(identity) else { throw AuthError.credentialsRequired }
                return Admission(proof: proof, identity: identity)
            },
            remember: { head in
                guard readsQuery || !head.hasTokenInQuery,
                    case .token(let token)? = try? AuthorizationHeader.credentials(in: head.headerFields),
                    let identity = accessTokens.rememberedIdentity(of: token),
                    (try? requirements(head).check(identity, admittingPrograms: admitsPrograms, at: now())) != nil
                else { return nil }
                return proof(identity)
            }, readsQuery: readsQuery)
    }
}

extension Access where Proof == ClientIdentity {
    /// Admits a client that authenticates by HTTP Basic (RFC 6749 section 2.3.1).
    static func client(_ auth: Auth) -> Access {
        let clients = auth.clients
        return Access(audience: .client) { request in
            guard let client = try AuthorizationHeader.clientCredentials(in: request.http.headers) else {
                throw AuthError(.invalidClient, "a client signs in with its id and secret")
            }
            let identity = try await clients.authenticate(client.id, secret: client.secret)
            return Admission(proof: identity, identity: .client(identity))
        }
    }
}
