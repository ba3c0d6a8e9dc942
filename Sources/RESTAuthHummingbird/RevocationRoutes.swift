import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/revocations`: which live tokens are refused, for those who verify tokens without
/// asking.
///
/// Public, as lists of revoked certificates are: without it, whoever verifies alone would have to
/// be trusted with a secret. It names sessions by ids that open nothing, and users by the ids that
/// `GET /api/users/{id}` shows.
struct RevocationRoutes: Sendable {
    let revocations: RevocationList

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("revocations", [.get: { request, _ in try await list(request) }])
    }

    private func list(_ request: Request) async throws -> Response {
        let since = request.uri.queryParameters.get("since") ?? "0"
        guard let number = WireText(since).decimalNumber else {
            throw AuthError(.validationFailed, "since must be a number from 0 on", field: "since")
        }
        let page = try await revocations.page(after: number)
        let fields: HTTPFields = [.eTag: page.tag.text, .cacheControl: "no-cache", .vary: "Accept-Encoding"]
        guard !page.tag.isKnown(by: request.headers) else { return Response(status: .notModified, headers: fields) }
        let compressed = Gzip.isAccepted(by: request.headers) ? page.compressedBody : nil
        var response = Response.json(compressed ?? page.body)
        response.headers.append(contentsOf: fields)
        if compressed != nil { response.headers[.contentEncoding] = "gzip" }
        return response
    }
}
