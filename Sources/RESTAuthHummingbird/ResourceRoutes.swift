import HTTPTypes
import RESTAuth

/// `GET /api/resource`: an example of a resource that only a signed-in user, or a program, can see.
struct ResourceRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        [
            Route(
                .get, "/api/resource", .anyProgram(auth), "showResource",
                atOnce: { identity in
                    let name = identity.user?.username ?? identity.service?.id ?? ""
                    return ImmediateAnswer(["data": .string("Hello, \(name)!")])
                })
        ]
    }
}
