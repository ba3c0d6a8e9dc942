import HTTPTypes
import Hummingbird
import RESTAuth

/// `/.well-known/jwks.json`: the keys that verify tokens (RFC 7517).
/// `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`: the metadata
/// (RFC 8414, OpenID Connect Discovery 1.0), the same document in both.
///
/// An issuer with a path has its metadata in two places: behind its path, where OpenID Connect
/// looks, and with its path at the end (RFC 8414 section 3.1).
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
        // Verifiers would cache an empty set.
        guard !auth.signingKeys.list().isEmpty else {
            throw AuthError(.storageUnavailable, "there is no signing key at the moment", retryAfter: 1)
        }
        var response = Response.json(auth.signingKeys.publishedSet)
        response.headers[.cacheControl] = "public, max-age=\(SigningKeys.publicationLifetime)"
        return response
    }

    /// The part before `/.well-known` in the path of a metadata document of this issuer; `nil` for
    /// a path of another issuer.
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
            // no OAuth grant.
            ("response_types_supported", []), ("grant_types_supported", []),
            // There are no ID tokens either. Libraries read the signing algorithms here, and take
            // RS256 where they are missing.
            (
                "id_token_signing_alg_values_supported",
                .array(auth.signingKeys.publishedAlgorithms.map { .string($0.rawValue) })
            ),
            ("subject_types_supported", ["public"]),
        ]
        var response = Response.json(.object(members.map(JSON.Member.init)))
        // Without a public URL the host is the one that this request named, so no cache may give
        // the answer to others.
        let isForAll = configuration.publicURL != nil
        response.headers[.cacheControl] = isForAll ? "public, max-age=\(SigningKeys.publicationLifetime)" : "no-store"
        return response
    }
}
