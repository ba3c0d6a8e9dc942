import HTTPTypes
import RESTAuth

/// `GET /api/resource`: what only someone signed in may see.
struct ResourceRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        [
            Route(
                .get, "/api/resource", .user(auth), "showResource",
                atOnce: { user in
                    ImmediateAnswer(["data": .string("Hello, \(user.username)!")])
                })
        ]
    }
}
