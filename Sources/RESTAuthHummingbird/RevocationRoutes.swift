import HTTPTypes
import Hummingbird
import RESTAuth

extension RevocationsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.revocations, RevocationRoutes(auth: auth, isPublic: configuration.publicRevocations).routes)]
    }
}

/// `GET /api/revocations`: which live tokens are refused, for those who verify tokens without
/// asking.
///
/// Public unless configured otherwise, as lists of revoked certificates are: whoever verifies alone
/// need not be trusted with a secret. It names sessions by ids that open nothing, users by the ids
/// that `GET /api/users/{id}` shows, and roles only to who has a token that gives them.
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
        let since = request.uri.queryParameters.get("since") ?? "0"
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
