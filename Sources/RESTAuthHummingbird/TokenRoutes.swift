import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/token` trades a password, or a live token where the renewal policy allows it, for a
/// fresh token.
struct TokenRoutes: Sendable {
    let login: Login
    let sessions: Sessions

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("token", [.get: { request, context in try await issue(request, context) }])
    }

    private func issue(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let token = try await sessions.token(
            for: login.user(of: request, in: context), by: context.caller(request))
        return Response.json(["token": .string(token.value), "duration": .integer(token.duration)]).notStored()
    }
}
