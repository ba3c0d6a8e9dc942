import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

extension ClientsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [
            RouteGroup(.oauth, OAuthRoutes(auth: auth, configuration: configuration).routes),
            RouteGroup(.operator, OperatorClientRoutes(auth: auth, configuration: configuration).routes),
        ]
    }
}

/// `POST /oauth/introspect` (RFC 7662) and `POST /oauth/revoke` (RFC 7009), for clients that an
/// operator made.
struct OAuthRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        let client = Access.clientForm(auth, bodyLimit: configuration.bodyLimit)
        return [
            Route(.post, "/oauth/introspect", client, "introspect") { sent, _ in try await introspect(sent.token()) },
            Route(.post, "/oauth/revoke", client, "revoke") { sent, request in
                try await revoke(sent.token(), by: request.caller)
            },
        ]
    }

    /// Describes a live token. Every other token is `"active": false`, and nothing more is said of
    /// it.
    private func introspect(_ token: String) async throws -> Response {
        var description: JSON?
        if ProgramToken.hasOutline(token.utf8) {
            description = try await programToken(token)
        } else {
            description = try await accessToken(token)
            if description == nil { description = try await refreshToken(token) }
        }
        return Response.json(description ?? ["active": false]).notStored()
    }

    /// Ends the token's session, and with it all tokens of the session, or deletes the token for
    /// programs. A token that is unknown or no longer live is no error.
    private func revoke(_ token: String, by caller: Caller) async throws -> Response {
        if ProgramToken.hasOutline(token.utf8) {
            try await auth.accessTokens.deleteProgramToken(Array(token.utf8), by: caller)
        } else {
            try await auth.sessions.end(presenting: token, by: caller)
        }
        return .empty(.ok).notStored()
    }

    private func accessToken(_ token: String) async throws -> JSON? {
        do {
            let claims = try await auth.accessTokens.claims(of: Array(token.utf8))
            let description: JSON = [
                "active": true, "token_type": "Bearer", "token_use": "access_token", "iss": .string(claims.issuer),
                "aud": claims.audienceJSON, "client_id": .string(claims.issuer),
                "sub": .string(String(claims.subject)), "username": .string(claims.username),
                "sid": .string(claims.sessionID.description), "roles": .array(claims.roles.map(JSON.string)),
                "jti": .string(claims.tokenID), "iat": .integer(claims.issuedAt), "exp": .integer(claims.expiresAt),
                "auth_time": .integer(claims.authenticatedAt),
            ]
            return description.adding(claims.methods.members + claims.customMembers)
        } catch let error as AuthError where error.code == .invalidToken {
            return nil
        }
    }

    private func programToken(_ token: String) async throws -> JSON? {
        do {
            return try await auth.accessTokens.verifyProgramToken(Array(token.utf8))
                .introspection(issuer: auth.configuration.issuer)
        } catch let error as AuthError where error.code == .invalidToken {
            return nil
        }
    }

    private func refreshToken(_ token: String) async throws -> JSON? {
        guard let stored = try await auth.sessions.session(ofRefreshToken: token) else { return nil }
        let session = stored.session
        let description: JSON = [
            // No `token_type`: a refresh token gives no access by itself.
            "active": true, "token_use": "refresh_token", "iss": .string(auth.configuration.issuer),
            "sub": .string(String(session.userID)),
            "username": .string(stored.user.username), "sid": .string(session.id.description),
            "iat": .integer(Int(session.lastUsedAt.timeIntervalSince1970)),
            "exp": .integer(Int(session.expiresAt.timeIntervalSince1970)),
            "auth_time": .integer(Int(session.authentication.at.timeIntervalSince1970)),
        ]
        return description.adding(session.authentication.methods.members)
    }
}

/// The form that an authenticated client has sent.
struct ClientForm: Sendable {
    let client: ClientIdentity
    private let form: FormBody

    fileprivate init(client: ClientIdentity, form: FormBody) {
        self.client = client
        self.form = form
    }

    /// The token in question. `token_type_hint` is not read: the kinds are told apart without it,
    /// so a wrong one does no harm.
    /// - Throws: `invalid_request` when there is no token.
    func token() throws(AuthError) -> String {
        guard let token = form["token"] else { throw AuthError(.invalidRequest, "missing argument: token") }
        return token
    }
}

extension Access where Proof == ClientForm {
    /// Admits a client that authenticates in the header or in the form itself.
    fileprivate static func clientForm(_ auth: Auth, bodyLimit: Int) -> Access {
        let clients = auth.clients
        return Access(audience: .client) { request in
            let form = try await RequestBody(limit: bodyLimit).form(request.http)
            let claimed = try clientCredentials(request.http, form)
            let client = try await clients.authenticate(claimed.id, secret: claimed.secret)
            return Admission(proof: ClientForm(client: client, form: form), identity: .client(client))
        }
    }

    /// The client's id and secret, from the header or the form.
    /// - Throws: `invalid_request` when both have them (RFC 6749 section 2.3); `invalid_client`
    ///   when neither does.
    private static func clientCredentials(_ request: Request, _ form: FormBody) throws -> (id: String, secret: String) {
        let inForm = form["client_id"].flatMap { id in form["client_secret"].map { (id, $0) } }
        guard let inHeader = try AuthorizationHeader.clientCredentials(in: request.headers) else {
            guard let inForm else { throw AuthError(.invalidClient, "a client signs in with its id and secret") }
            return inForm
        }
        guard form["client_secret"] == nil, WireText(form["client_id"] ?? inHeader.id) == WireText(inHeader.id) else {
            throw AuthError(.invalidRequest, "The client signs in twice.")
        }
        return inHeader
    }
}
