import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /health/live`: the process answers. `GET /health/ready`: so do the storage, the revocations
/// and the throttle.
struct HealthRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        [
            Route(.get, "/health/live", .everyPage, "showLiveness", atOnce: { _ in ImmediateAnswer(["status": "ok"]) }),
            Route(.get, "/health/ready", .everyPage, "showReadiness") { _, _ in try await showReadiness() },
        ]
    }

    private func showReadiness() async throws -> Response {
        let readiness = await auth.readiness()
        let parts: [(String, JSON)] = [
            ("storage", readiness.storage ? "ok" : "unavailable"),
            ("revocations", readiness.revocations ? "ok" : "unavailable"),
            ("throttle", readiness.throttle ? "ok" : "unavailable"),
        ]
        guard readiness.isReady else {
            throw Problem(
                .serviceUnavailable, code: AuthError.Code.storageUnavailable.rawValue, title: "Try again later",
                detail: "This node cannot do its work at the moment.", members: parts, headers: [.retryAfter: "1"])
        }
        return .json(.object(([("status", "ok")] + parts).map(JSON.Member.init)))
    }
}
