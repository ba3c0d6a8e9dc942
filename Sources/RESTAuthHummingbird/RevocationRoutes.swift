import HTTPTypes
import Hummingbird
import RESTAuth

extension RevocationsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.revocations, RevocationRoutes(auth: auth, isPublic: configuration.publicRevocations).routes)]
    }
}

/// `GET /api/revocations`: the list of revocations, for services that verify tokens by themselves.
///
/// Public unless configured otherwise, as lists of revoked certificates are: a service that
/// verifies by itself need not be given a secret. The list names sessions by ids that give no
/// access, users by the ids that `GET /api/users/{id}` shows, and roles in a form that only the
/// holder of a token with them can read.
struct RevocationRoutes: Sendable {
    let auth: Auth
    let isPublic: Bool

    var routes: [Route] {
        let readers: Access<Void> = isPublic ? .anyone : Access.client(auth).unnamed
        let revocations = RevocationList(auth: auth)
        return [
            Route(.get, "/api/revocations", readers, "listRevocations") { _, request in
                try await list(revocations, request.http)
            }
        ]
    }

    private func list(_ revocations: RevocationList, _ request: Request) async throws -> Response {
        let since = try Query(request, known: ["since"]).value("since") ?? "0"
        guard let number = WireText(since).decimalNumber else {
            throw AuthError(.validationFailed, "since must be a number from 0 on", field: "since")
        }
        let page = try await revocations.page(after: number)
        let fields: HTTPFields = [
            .eTag: page.tag.text, .cacheControl: isPublic ? "no-cache" : "private, no-cache", .vary: "Accept-Encoding",
        ]
        guard !page.tag.isKnown(by: request.headers) else { return Response(status: .notModified, headers: fields) }
        let compressed = Gzip.isAccepted(by: request.headers) ? page.compressedBody : nil
        var response = Response.json(compressed ?? page.body)
        response.headers.append(contentsOf: fields)
        if compressed != nil { response.headers[.contentEncoding] = "gzip" }
        return response
    }
}
