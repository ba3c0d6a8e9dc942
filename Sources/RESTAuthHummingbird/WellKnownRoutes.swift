import HTTPTypes
import Hummingbird
import RESTAuth

/// `/.well-known/jwks.json`: the keys that tokens are verified with (RFC 7517).
/// `/.well-known/oauth-authorization-server`: what there is (RFC 8414).
struct WellKnownRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration
    let hasOAuth: Bool

    func add(to routes: some RouterMethods<some RequestContext>) {
        let routes = routes.group(".well-known").add(middleware: ReadableByEveryPage())
        routes.resource("jwks.json", [.get: { _, _ in try keys() }])
        routes.resource("oauth-authorization-server", [.get: { request, _ in try metadata(request) }])
    }

    private func keys() throws -> Response {
        // Verifiers would keep a set of none.
        guard !auth.signingKeys.list().isEmpty else {
            throw AuthError(.storageUnavailable, "there is no signing key at the moment", retryAfter: 1)
        }
        var response = Response.json(auth.signingKeys.publishedSet)
        response.headers[.cacheControl] = "public, max-age=\(SigningKeys.publicationLifetime)"
        return response
    }

    private func metadata(_ request: Request) throws -> Response {
        let origin = try RequestOrigin(request, configuration: configuration)
        let path = WireText(request.uri.path.trimmingSlashes)
        let prefix = path.before(end: "/.well-known/oauth-authorization-server")?.string ?? ""
        func url(_ path: String) -> JSON { .string(origin.url(of: prefix + path)) }
        var members: [(String, JSON)] = [
            ("issuer", .string(auth.configuration.issuer)), ("jwks_uri", url("/.well-known/jwks.json")),
        ]
        if hasOAuth {
            let methods: JSON = ["client_secret_basic", "client_secret_post"]
            members += [
                ("introspection_endpoint", url("/oauth/introspect")),
                ("introspection_endpoint_auth_methods_supported", methods),
                ("revocation_endpoint", url("/oauth/revoke")), ("revocation_endpoint_auth_methods_supported", methods),
            ]
        }
        // There is no authorization endpoint: a password gives tokens at /api/tokens, which is no
        // grant of OAuth.
        members += [("response_types_supported", []), ("grant_types_supported", [])]
        var response = Response.json(.object(members.map(JSON.Member.init)))
        // Without a public URL the host is the one that this request named: nothing for a cache to
        // give to others.
        let isForAll = configuration.publicURL != nil
        response.headers[.cacheControl] = isForAll ? "public, max-age=\(SigningKeys.publicationLifetime)" : "no-store"
        return response
    }
}
