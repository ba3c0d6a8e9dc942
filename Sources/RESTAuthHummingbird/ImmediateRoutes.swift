package import HTTPTypes
package import RESTAuth

/// What can be answered on the spot: a remembered token needs neither the database nor another
/// thread.
///
/// A server may ask this before its router. `nil` says nothing about the request, only that the
/// router has to answer it.
package struct ImmediateRoutes: Sendable {
    private let accessTokens: AccessTokens

    package init(auth: Auth) {
        accessTokens = auth.accessTokens
    }

    /// A 200, without the fields that all answers have.
    package struct Answer: Sendable {
        /// The route's pattern.
        package let route: String
        package var fields: HTTPFields
        package var body: [UInt8] = []
    }

    package func answer(to request: HTTPRequest) -> Answer? {
        guard request.method == .get, request.path == "/api/resource" || request.path == "/api/verify",
            case .token(let token)? = try? AuthorizationHeader.credentials(in: request.headerFields),
            let identity = accessTokens.remembered(token)
        else { return nil }
        if request.path == "/api/verify" {
            return Answer(route: "/api/verify", fields: VerifyRoutes.fields(for: identity))
        }
        return Answer(
            route: "/api/resource", fields: [.contentType: "application/json"],
            body: ResourceRoutes.greeting(for: identity).bytes)
    }
}
