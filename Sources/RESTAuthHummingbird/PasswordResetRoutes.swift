import Hummingbird
import RESTAuth

/// `PUT /api/tokens/reset`: sets the password of the user that a link was made for.
struct PasswordResetRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        [Route(.put, "/api/tokens/reset", .anyone, "resetPassword") { _, request in try await reset(request) }]
    }

    private func reset(_ request: RoutedRequest) async throws -> Response {
        let body = RequestBody(limit: configuration.bodyLimit)
        let fields = try await body.fields(request.http, known: ["token", "new_password"])
        return try await fields.named(in: request.http) {
            let (token, password) = try (fields.requiredString("token"), fields.requiredString("new_password"))
            try await auth.passwords.reset(to: password, with: token, by: request.caller)
            return .empty()
        }
    }
}
