package import HTTPTypes
package import RESTAuth

/// What can be answered on the spot: a remembered token needs neither the database nor another thread.
///
/// A server may ask this before its router. `nil` says nothing about the request, only that the router has to answer it.
package struct ImmediateRoutes: Sendable {
    private let accessTokens: AccessTokens

    package init(auth: Auth) {
        accessTokens = auth.accessTokens
    }

    /// The route's pattern and the body of a 200.
    package func answer(to request: HTTPRequest) -> (route: String, json: JSON)? {
        guard request.method == .get, request.path == "/api/resource",
            case .token(let token)? = try? AuthorizationHeader.credentials(in: request.headerFields),
            let identity = accessTokens.remembered(token)
        else { return nil }
        return ("/api/resource", ResourceRoutes.greeting(for: identity))
    }
}
