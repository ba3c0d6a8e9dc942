import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/token` trades a password, or a live token where the renewal policy allows it, for a fresh token.
struct TokenRoutes: Sendable {
    let login: Login
    let accessTokens: AccessTokens

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("token", [.get: { request, _ in try await issue(request) }])
    }

    private func issue(_ request: Request) async throws -> Response {
        let token = try accessTokens.issue(for: await login.identity(of: request))
        var response = Response.json(["token": .string(token.value), "duration": .integer(token.duration)])
        response.headers[.cacheControl] = "no-store"
        response.headers[.pragma] = "no-cache"
        return response
    }
}
