import Hummingbird
import RESTAuth

extension PersonalTokensRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.account, PersonalTokenRoutes(auth: auth, configuration: configuration).routes)]
    }
}

/// `/api/me/tokens`: the tokens that a user gives to programs.
struct PersonalTokenRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    private var answers: ProgramTokenAnswers { ProgramTokenAnswers(auth: auth, configuration: configuration) }

    var routes: [Route] {
        [
            Route(.get, "/api/me/tokens", .user(auth, scope: Scope.tokens), "listTokens") { user, _ in
                try await answers.list(auth.personalTokens.list(of: user.userID))
            },
            Route(.post, "/api/me/tokens", .user(auth), "createToken") { user, request in
                try await answers.create(request) { name, scopes, lifetime in
                    try await auth.personalTokens.create(
                        name, scopes: scopes, lifetime: lifetime, for: user, by: request.caller)
                }
            },
            Route(.get, "/api/me/tokens/{id}", .user(auth, scope: Scope.tokens), "showToken") { user, request in
                let id = try request.tokenID("id")
                return try await answers.show(id, among: auth.personalTokens.list(of: user.userID))
            },
            Route(.delete, "/api/me/tokens/{id}", .user(auth, scope: Scope.tokens), "deleteToken") { user, request in
                try await auth.personalTokens.delete(request.tokenID("id"), of: user.userID, by: request.caller)
                return .empty()
            },
            Route(.post, "/api/me/tokens/{id}/rotate", .user(auth, scope: Scope.tokens), "rotateToken") {
                user, request in
                let id = try request.tokenID("id")
                return try await answers.rotate(request) { overlap in
                    try await auth.personalTokens.rotate(id, overlap: overlap, of: user, by: request.caller)
                }
            },
        ]
    }
}
