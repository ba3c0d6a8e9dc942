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
    let auth: Auth

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("revocations", [.get: { request, _ in try await list(request) }])
    }

    private func list(_ request: Request) async throws -> Response {
        let since = request.uri.queryParameters.get("since") ?? "0"
        guard let number = decimalNumber(since) else {
            throw AuthError(.validationFailed, "since must be a number from 0 on", field: "since")
        }
        let (page, last) = try await auth.revocations(after: number)
        // A line is never changed, so first, last and number of them tell one page from another.
        let tag = "\"\(page.first?.number ?? number)-\(last)-\(page.count)\""
        let headers: HTTPFields = [.eTag: tag, .cacheControl: "no-cache"]
        if request.headers[values: .ifNoneMatch].contains(where: { $0.contains(tag) || $0 == "*" }) {
            return Response(status: .notModified, headers: headers)
        }
        var response = Response.json([
            "revocations": .array(page.map(\.json)), "last": .integer(Int(last)),
            "more": .bool(page.count == Auth.revocationPageSize),
        ])
        response.headers.append(contentsOf: headers)
        return response
    }
}
