import Hummingbird
import RESTAuth

extension SigningKeysRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.operator, OperatorKeyRoutes(auth: auth, configuration: configuration).routes)]
    }
}

/// `/api/operator/keys` and below: the keys that sign tokens.
struct OperatorKeyRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        let changer = Access.operator(auth, changing: true)
        return [
            Route(.get, "/api/operator/keys", .operator(auth, changing: false), "listKeys") { _, request in
                let page = try Page(request.http) { $0 }
                return try page.answer(auth.signingKeys.list(), key: \.id, \.json)
            },
            Route(.post, "/api/operator/keys/rotate", changer, "rotateKeys") { _, request in
                try await rotate(request)
            },
            Route(.delete, "/api/operator/keys/{id}", changer, "revokeKey") { _, request in
                try await auth.signingKeys.revoke(request.segment("id"), by: request.caller)
                return .empty()
            },
        ]
    }

    private func rotate(_ request: RoutedRequest) async throws -> Response {
        let fields = try await RequestBody(limit: configuration.bodyLimit).fieldsIfPresent(
            request.http, known: ["now"])
        return try await fields.named(in: request.http) {
            let lead = try fields.optionalBool("now") == true ? SigningKeys.shortestLead : SigningKeys.publicationLead
            return .json(try await auth.signingKeys.rotate(lead: lead, by: request.caller).json)
        }
    }
}
