import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// `POST /oauth/introspect` (RFC 7662) and `POST /oauth/revoke` (RFC 7009), for clients that an
/// operator made.
struct OAuthRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    func add(to routes: some RouterMethods<some RequestContext>) {
        let routes = routes.group("oauth")
        routes.resource("introspect", [.post: { request, _ in try await introspect(request) }])
        routes.resource(
            "revoke", [.post: { request, context in try await revoke(request, by: context.caller(request)) }])
    }

    /// What is not good, for whatever reason, is inactive and nothing more is said of it.
    private func introspect(_ request: Request) async throws -> Response {
        let token = try await token(from: request)
        var description = try await accessToken(token)
        if description == nil { description = try await refreshToken(token) }
        return Response.json(description ?? ["active": false]).notStored()
    }

    /// Ends the token's session, and with it every other token of it. A token that is unknown or no
    /// good any more is no error.
    private func revoke(_ request: Request, by caller: Caller) async throws -> Response {
        try await auth.sessions.end(presenting: token(from: request), by: caller)
        return .empty(.ok).notStored()
    }

    /// The token in question, once the client is known. `token_type_hint` is not needed to tell the
    /// kinds apart, so a wrong one does no harm.
    private func token(from request: Request) async throws -> String {
        let form = try await RequestBody(limit: configuration.bodyLimit).form(request)
        let client = try clientCredentials(request, form)
        try await auth.clients.authenticate(client.id, secret: client.secret)
        guard let token = form["token"] else { throw AuthError(.invalidRequest, "missing argument: token") }
        return token
    }

    /// In the header or in the form, not in both (RFC 6749 section 2.3).
    private func clientCredentials(_ request: Request, _ form: FormBody) throws -> (id: String, secret: String) {
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

    private func accessToken(_ token: String) async throws -> JSON? {
        do {
            let claims = try await auth.accessTokens.claims(of: Array(token.utf8))
            return [
                "active": true, "token_type": "Bearer", "token_use": "access_token", "iss": .string(claims.issuer),
                "aud": claims.audienceJSON, "client_id": .string(claims.issuer),
                "sub": .string(String(claims.subject)), "username": .string(claims.username),
                "sid": .string(claims.sessionID.description), "roles": .array(claims.roles.map(JSON.string)),
                "jti": .string(claims.tokenID), "iat": .integer(claims.issuedAt), "exp": .integer(claims.expiresAt),
                "auth_time": .integer(claims.authenticatedAt),
            ]
        } catch let error as AuthError where error.code == .invalidToken {
            return nil
        }
    }

    private func refreshToken(_ token: String) async throws -> JSON? {
        guard let stored = try await auth.sessions.session(ofRefreshToken: token) else { return nil }
        let session = stored.session
        return [
            // No `token_type`: it opens nothing by itself.
            "active": true, "token_use": "refresh_token", "iss": .string(auth.configuration.issuer),
            "sub": .string(String(session.userID)),
            "username": .string(stored.user.username), "sid": .string(session.id.description),
            "iat": .integer(Int(session.lastUsedAt.timeIntervalSince1970)),
            "exp": .integer(Int(session.expiresAt.timeIntervalSince1970)),
            "auth_time": .integer(Int(session.createdAt.timeIntervalSince1970)),
        ]
    }
}
