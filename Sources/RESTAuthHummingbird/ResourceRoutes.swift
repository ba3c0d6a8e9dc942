import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/resource`: what only someone signed in may see.
struct ResourceRoutes: Sendable {
    let auth: Auth

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("resource", [.get: { request, _ in try await show(request) }])
    }

    private func show(_ request: Request) async throws -> Response {
        let identity = try await auth.requireIdentity(request)
        return .json(["data": .string("Hello, \(identity.username)!")])
    }
}
