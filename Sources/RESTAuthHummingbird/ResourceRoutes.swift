import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/resource`: what only someone signed in may see.
struct ResourceRoutes: Sendable {
    let login: Login

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("resource", [.get: { request, _ in try await show(request) }])
    }

    private func show(_ request: Request) async throws -> Response {
        .json(Self.greeting(for: try await login.identity(of: request)))
    }

    static func greeting(for identity: Identity) -> JSON {
        ["data": .string("Hello, \(identity.username)!")]
    }
}
