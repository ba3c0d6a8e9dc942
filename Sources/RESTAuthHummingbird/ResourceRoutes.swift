import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/resource`: what only someone signed in may see.
struct ResourceRoutes: Sendable {
    let login: Login

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("resource", [.get: { request, context in try await show(request, context) }])
    }

    private func show(_ request: Request, _ context: some RequestContext) async throws -> Response {
        .json(Self.greeting(for: try await login.user(of: request, in: context)))
    }

    static func greeting(for identity: UserIdentity) -> JSON {
        ["data": .string("Hello, \(identity.username)!")]
    }
}
