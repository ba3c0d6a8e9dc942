import HTTPTypes
import Hummingbird
import RESTAuth

/// `/.well-known/jwks.json`: the keys that tokens are verified with (RFC 7517).
/// `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`: what there is
/// (RFC 8414, OpenID Connect Discovery 1.0), in the same words.
///
/// An issuer with a path has them in two places: behind its path, where OpenID Connect looks for
/// them, and with its path behind them (RFC 8414 section 3.1).
struct WellKnownRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration
    let hasOAuth: Bool

    var routes: [Route] {
        let keys = Route(.get, "/.well-known/jwks.json", .everyPage, "showKeys") { _, _ in try showKeys() }
        let metadata = [
            ("oauth-authorization-server", "showMetadata"), ("oauth-authorization-server/**", "showMetadataOfPath"),
            ("openid-configuration", "showProviderMetadata"),
            ("openid-configuration/**", "showProviderMetadataOfPath"),
        ].map { path, name in
            Route(.get, "/.well-known/\(path)", .everyPage, name) { _, request in try showMetadata(request.http) }
        }
        return [keys] + metadata
    }

    private func showKeys() throws -> Response {
        // Verifiers would keep a set of none.
        guard !auth.signingKeys.list().isEmpty else {
            throw AuthError(.storageUnavailable, "there is no signing key at the moment", retryAfter: 1)
        }
        var response = Response.json(auth.signingKeys.publishedSet)
        response.headers[.cacheControl] = "public, max-age=\(SigningKeys.publicationLifetime)"
        return response
    }

    /// What stands before `/.well-known` in the path of a metadata document of this issuer; `nil`
    /// for that of another.
    private func prefix(of path: String) -> String? {
        let (path, issuerPath) = (WireText(path), RequestOrigin.path(ofURL: auth.configuration.issuer).trimmingSlashes)
        for end in [issuerPath, ""] {
            guard let rest = path.before(end: WireText(end)) else { continue }
            let prefix =
                rest.before(end: "/.well-known/oauth-authorization-server")
                ?? rest.before(end: "/.well-known/openid-configuration")
            if let prefix { return prefix.string }
        }
        return nil
    }

    private func showMetadata(_ request: Request) throws -> Response {
        let origin = try RequestOrigin(request, configuration: configuration)
        guard let prefix = prefix(of: request.uri.path.trimmingSlashes) else { throw Problem.notFound }
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
        members += [
            // There is no authorization endpoint: a password gives tokens at /api/tokens, which is
            // no grant of OAuth.
            ("response_types_supported", []), ("grant_types_supported", []),
            // There are no ID tokens either. Libraries take from here how tokens are signed, and
            // RS256 where it is not said.
            (
                "id_token_signing_alg_values_supported",
                .array(auth.signingKeys.publishedAlgorithms.map { .string($0.rawValue) })
            ),
            ("subject_types_supported", ["public"]),
        ]
        var response = Response.json(.object(members.map(JSON.Member.init)))
        // Without a public URL the host is the one that this request named: nothing for a cache to
        // give to others.
        let isForAll = configuration.publicURL != nil
        response.headers[.cacheControl] = isForAll ? "public, max-age=\(SigningKeys.publicationLifetime)" : "no-store"
        return response
    }
}
