import HTTPTypes
import Hummingbird
import RESTAuth

extension AccessTokensRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.token, TokenRoutes(auth: auth).routes)]
    }
}

/// `GET /api/token` trades a password, or a live token where the renewal policy allows it, for a
/// fresh token.
struct TokenRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        [
            Route(.get, "/api/token", .user(auth), "issueToken") { user, request in
                let token = try await auth.sessions.token(for: user, by: request.caller)
                return Response.json(["token": .string(token.value), "duration": .integer(token.duration)]).notStored()
            }
        ]
    }
}
