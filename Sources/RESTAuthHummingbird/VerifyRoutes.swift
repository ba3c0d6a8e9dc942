import HTTPTypes
import Hummingbird
import RESTAuth

/// `GET /api/verify`: who makes the request that a reverse proxy is about to pass on (nginx
/// `auth_request`, forward auth of Caddy and Traefik). 200 with the identity in the header, or the
/// 401 that the proxy gives its client.
struct VerifyRoutes: Sendable {
    let login: Login

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("verify", [.get: { request, context in try await show(request, context) }])
    }

    private func show(_ request: Request, _ context: some RequestContext) async throws -> Response {
        var response = Response.empty(.ok)
        response.headers.append(contentsOf: Self.fields(for: try await login.identity(of: request, in: context)))
        return response
    }

    /// `Remote-User` is the name as typed at registration, in UTF-8; `Remote-Groups` are the roles,
    /// with commas between.
    static func fields(for identity: Identity) -> HTTPFields {
        [
            .remoteUser: identity.username, .remoteUserID: String(identity.userID),
            .remoteGroups: identity.roles.sorted().joined(separator: ","),
        ]
    }
}

extension HTTPField.Name {
    static let remoteUser = Self("Remote-User")!
    static let remoteUserID = Self("Remote-User-Id")!
    static let remoteGroups = Self("Remote-Groups")!
}
