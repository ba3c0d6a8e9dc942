import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// `/api/operator/clients` and below: the programs that may ask about tokens.
struct OperatorClientRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        let changer = Access.operator(auth, changing: true)
        return [
            Route(.get, "/api/operator/clients", .operator(auth, changing: false), "listClients") { _, request in
                let page = try Page(request.http) { $0 }
                return try page.answer(try await auth.clients.list(), key: \.id, \.json)
            },
            Route(.post, "/api/operator/clients", changer, "addClient") { _, request in try await add(request) },
            Route(.get, "/api/operator/clients/{id}", .operator(auth, changing: false), "showClient") { _, request in
                _ = try Query(request.http, known: [])
                return .json(try await auth.clients.find(request.segment("id")).json).notStored()
            },
            Route(.delete, "/api/operator/clients/{id}", changer, "deleteClient") { _, request in
                try await auth.clients.delete(request.segment("id"), by: request.caller)
                return .empty()
            },
        ]
    }

    private func add(_ request: RoutedRequest) async throws -> Response {
        let fields = try await RequestBody(limit: configuration.bodyLimit).fields(request.http, known: ["client_id"])
        return try await fields.named(in: request.http) {
            let location = try RequestOrigin(request.http, configuration: configuration)
            let id = try fields.requiredString("client_id")
            let secret = try await auth.clients.add(id, by: request.caller)
            var response = Response.json(
                ["client_id": .string(id), "client_secret": .string(secret.value)], status: .created
            ).notStored()
            response.headers[.location] = location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(id)")
            return response
        }
    }
}

extension Client {
    fileprivate var json: JSON {
        ["client_id": .string(id), "created_at": .string(createdAt.ISO8601Format())]
    }
}
