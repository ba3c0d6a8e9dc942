import HTTPTypes
import RESTAuth

/// `GET /api/resource`: an example of a resource that only a signed-in user can see.
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
