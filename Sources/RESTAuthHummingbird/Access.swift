import HTTPTypes
import Hummingbird
import RESTAuth

/// Whom a route is for.
package enum Audience: Sendable {
    case anyone
    /// Anyone, and pages of every origin may read the answer: it shows nothing of anybody.
    case everyPage
    /// Another service, which shows its secret.
    case client
    /// A user, who is signed in.
    case user
}

/// Who may use a route, and what its handler is given as the proof of it.
package struct Access<Proof: Sendable>: Sendable {
    struct Admission: Sendable {
        let proof: Proof
        /// Who it is, where that is proven.
        var identity: Identity?
    }

    let audience: Audience
    /// Refuses by an error.
    let admit: @Sendable (RoutedRequest) async throws -> Admission
    /// The same without waiting, from what the process remembers; `nil` says nothing but that
    /// ``admit`` has to tell.
    var remember: @Sendable (HTTPRequest) -> Proof? = { _ in nil }
    /// Whether the query says what is required.
    var readsQuery = false

    /// The same for a handler that need not know who it is.
    var unnamed: Access<Void> {
        Access<Void>(
            audience: audience,
            admit: { Access<Void>.Admission(proof: (), identity: try await admit($0).identity) },
            remember: { remember($0).map { _ in () } }, readsQuery: readsQuery)
    }

    /// The same for requests that pass `check` alone; others are refused before it is asked who
    /// makes them. Nothing is answered without waiting: a request that no router has taken cannot
    /// be checked.
    func after(_ check: @escaping @Sendable (RoutedRequest) throws -> Void) -> Access {
        Access(
            audience: audience,
            admit: { request in
                try check(request)
                return try await admit(request)
            }, readsQuery: readsQuery)
    }
}

extension Access where Proof == Void {
    /// Whoever comes. What a request proves of itself in its body, the door behind the handler is
    /// told.
    package static var anyone: Access { open(.anyone) }

    /// Whoever comes, and pages of every origin.
    package static var everyPage: Access { open(.everyPage) }

    private static func open(_ audience: Audience) -> Access {
        Access(audience: audience, admit: { _ in Admission(proof: ()) }, remember: { _ in () })
    }
}

extension Access where Proof == UserIdentity {
    /// A user of whom all of that holds.
    static func user(_ auth: Auth, requiring requirements: [Requirement] = [.signedIn]) -> Access {
        user(auth, readsQuery: false) { _ in requirements }
    }

    /// The same where the request itself says what it requires, in its path or its query.
    static func user(
        _ auth: Auth, requiring requirements: @escaping @Sendable (HTTPRequest) throws -> [Requirement]
    ) -> Access {
        user(auth, readsQuery: true, requirements)
    }

    private static func user(
        _ auth: Auth, readsQuery: Bool, _ requirements: @escaping @Sendable (HTTPRequest) throws -> [Requirement]
    ) -> Access {
        let (login, accessTokens, now) = (auth.login, auth.accessTokens, auth.configuration.now)
        return Access(
            audience: .user,
            admit: { request in
                let identity = try await login.admit(
                    request.http.headers, requiring: requirements(request.http.head), at: now, by: request.caller)
                guard let user = identity?.user else { throw AuthError.credentialsRequired }
                return Admission(proof: user, identity: identity)
            },
            remember: { head in
                guard case .token(let token)? = try? AuthorizationHeader.credentials(in: head.headerFields),
                    let user = accessTokens.remembered(token),
                    (try? requirements(head).check(user, at: now)) != nil
                else { return nil }
                return user
            }, readsQuery: readsQuery)
    }
}

extension Access where Proof == ClientIdentity {
    /// A client that signs in by HTTP Basic (RFC 6749 section 2.3.1).
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
