import HTTPTypes
import Hummingbird
import RESTAuth

extension ServiceAccountsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        let routes = ServiceAccountRoutes(auth: auth, configuration: configuration)
        return [RouteGroup(.operator, routes.accounts + routes.tokens)]
    }
}

/// `/api/operator/service-accounts`: accounts of programs, and their tokens.
struct ServiceAccountRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    private static let path = "/api/operator/service-accounts"

    private var answers: ProgramTokenAnswers { ProgramTokenAnswers(auth: auth, configuration: configuration) }
    private var paged: Access<Identity> { .operator(auth, changing: false) }
    private var reading: Access<Identity> { paged.after { _ = try Query($0.http, known: []) } }
    private var changing: Access<Identity> {
        .operator(auth, changing: true).after { _ = try Query($0.http, known: []) }
    }

    var accounts: [Route] {
        [
            Route(.get, Self.path, paged, "listServiceAccounts") { _, request in try await list(request) },
            Route(.post, Self.path, changing, "addServiceAccount") { _, request in try await add(request) },
            Route(.get, "\(Self.path)/{id}", reading, "showServiceAccount") { _, request in
                try await .json(auth.serviceAccounts.find(request.segment("id")).json).notStored()
            },
            Route(.delete, "\(Self.path)/{id}", changing, "deleteServiceAccount") { _, request in
                try await auth.serviceAccounts.delete(request.segment("id"), by: request.caller)
                return .empty()
            },
        ]
    }

    var tokens: [Route] {
        [
            Route(.get, "\(Self.path)/{id}/tokens", reading, "listServiceTokens") { _, request in
                try await answers.list(auth.serviceAccounts.listTokens(of: request.segment("id")))
            },
            Route(.post, "\(Self.path)/{id}/tokens", changing, "createServiceToken") { _, request in
                let id = try request.segment("id")
                return try await answers.create(request) { name, scopes, lifetime in
                    try await auth.serviceAccounts.createToken(
                        name, scopes: scopes, lifetime: lifetime, of: id, by: request.caller)
                }
            },
            Route(.get, "\(Self.path)/{id}/tokens/{token}", reading, "showServiceToken") { _, request in
                let id = try request.tokenID("token")
                return try await answers.show(id, among: auth.serviceAccounts.listTokens(of: request.segment("id")))
            },
            Route(.delete, "\(Self.path)/{id}/tokens/{token}", changing, "deleteServiceToken") { _, request in
                try await auth.serviceAccounts.deleteToken(
                    request.tokenID("token"), of: request.segment("id"), by: request.caller)
                return .empty()
            },
            Route(.post, "\(Self.path)/{id}/tokens/{token}/rotate", changing, "rotateServiceToken") { _, request in
                let (id, token) = try (request.segment("id"), request.tokenID("token"))
                return try await answers.rotate(request) { overlap in
                    try await auth.serviceAccounts.rotateToken(token, overlap: overlap, of: id, by: request.caller)
                }
            },
        ]
    }

    private func list(_ request: RoutedRequest) async throws -> Response {
        let page = try Page(request.http) { $0 }
        let accounts = try await auth.serviceAccounts.list(after: page.after, limit: page.limit)
        return page.answer(accounts.map(\.json), last: accounts.last?.id).notStored()
    }

    private func add(_ request: RoutedRequest) async throws -> Response {
        let location = try RequestOrigin(request.http, configuration: configuration)
        let body = RequestBody(limit: configuration.bodyLimit)
        let fields = try await body.fields(request.http, known: ["id", "note", "owner_id"])
        return try await fields.named(in: request.http) {
            let account = try await auth.serviceAccounts.add(
                fields.requiredString("id"), owner: fields.optionalInteger("owner_id").map(User.ID.init),
                note: fields.optionalString("note"), by: request.caller)
            var response = Response.json(account.json, status: .created).notStored()
            response.headers[.location] = location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(account.id)")
            return response
        }
    }
}
