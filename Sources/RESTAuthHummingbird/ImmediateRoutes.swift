package import HTTPTypes
package import RESTAuth

/// What can be answered on the spot: that the process lives, and a remembered token, need neither
/// the database nor another thread.
///
/// A server may ask this before its router. `nil` says nothing about the request, only that the
/// router has to answer it.
package struct ImmediateRoutes: Sendable {
    private let accessTokens: AccessTokens

    package init(auth: Auth) {
        accessTokens = auth.accessTokens
    }

    /// A 200 that nobody may keep, without the fields that all answers have.
    package struct Answer: Sendable {
        /// The route's pattern.
        package let route: String
        package let fields: HTTPFields
        package let body: [UInt8]

        fileprivate init(route: String, fields: HTTPFields, body: [UInt8] = []) {
            self.route = route
            var fields = fields
            fields[.cacheControl] = "no-store"
            self.fields = fields
            self.body = body
        }
    }

    package func answer(to request: HTTPRequest) -> Answer? {
        // Who may ask, and read the answer, is for the router's middleware to say.
        guard request.method == .get, !request.headerFields.contains(.origin),
            !request.headerFields.contains(.secFetchSite), let path = request.path.map({ WireText($0) })
        else { return nil }
        if path.equals("/health/live") {
            return Answer(
                route: "/health/live", fields: [.contentType: "application/json"], body: HealthRoutes.alive.bytes)
        }
        guard path.equals("/api/resource") || path.equals("/api/verify"),
            case .token(let token)? = try? AuthorizationHeader.credentials(in: request.headerFields),
            let identity = accessTokens.remembered(token)
        else { return nil }
        if path.equals("/api/verify") {
            return Answer(route: "/api/verify", fields: VerifyRoutes.fields(for: identity))
        }
        return Answer(
            route: "/api/resource", fields: [.contentType: "application/json"],
            body: ResourceRoutes.greeting(for: identity).bytes)
    }
}
