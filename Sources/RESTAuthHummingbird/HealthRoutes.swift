import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /health/live`: the process answers. `GET /health/ready`: so does the storage.
struct HealthRoutes: Sendable {
    let auth: Auth

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("live", [.get: { _, _ in .json(["status": "ok"]) }])
        routes.resource("ready", [.get: { _, _ in try await ready() }])
    }

    private func ready() async throws -> Response {
        try await auth.checkStorage()
        return .json(["status": "ok", "storage": "ok"])
    }
}
