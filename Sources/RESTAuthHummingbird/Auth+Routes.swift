public import Hummingbird
public import RESTAuth

/// Configuration of the routes.
public struct AuthRoutesConfiguration: Sendable {
    /// The URL by which clients reach the routes' prefix, without a trailing slash; `nil` takes
    /// scheme and host from the request.
    public var publicURL: String?

    /// The scheme of URLs in answers when neither the public URL nor a proxy names one.
    public var scheme = "http"

    /// Whether `X-Forwarded-Proto` and `X-Forwarded-Host` are believed. Set it only behind a
    /// ``TrustedProxies`` middleware, which leaves in these fields only what the proxies say.
    public var believesForwardedFields = false

    /// Whether the refresh token is set and read as a cookie, for browsers.
    public var refreshTokenInCookie = false

    /// Whether the refresh token is in the body of the answer.
    public var refreshTokenInBody = true

    /// Whether the cookie always has the attribute `Secure`, which keeps it off connections without
    /// TLS. With `false` it still has it, except for a request to `http://localhost` or another
    /// loopback host that no proxy passed on: for development with Safari, and with other clients
    /// that keep no `Secure` cookie there.
    public var refreshTokenCookieSecure = true

    /// The other origins whose pages may call the routes, each an ``OriginPattern``; `*` stands for
    /// all. A page of an origin that a pattern names may use the cookie as well, if it is of the
    /// same site.
    public var trustedOrigins: Set<String> = [] {
        didSet { allowedOrigins = AllowedOrigins(trustedOrigins) }
    }

    private(set) var allowedOrigins = AllowedOrigins([])

    /// Whether anybody can read a user's name by id, as on the original Flask server; otherwise
    /// only signed-in users can.
    public var publicUsers = true

    /// Whether anybody may read the revocation list; otherwise only clients may.
    public var publicRevocations = true

    /// The largest request body that is read, in bytes.
    public var bodyLimit = 65536

    public init() {}

    /// Whether `url` is `http` on a loopback host (``HostName/isLoopback(_:)``).
    package static func isLoopbackInTheClear(_ url: String) -> Bool {
        guard let parts = OriginParts(WireText(url)) else { return false }
        return parts.scheme.equals("http") && parts.hasHost && parts.isLoopback
    }
}

extension Auth {
    /// Adds the routes of the wire contract below `routes`: users, tokens, sessions, keys, and the
    /// endpoints for other services. Requests from pages of other sites are refused there
    /// (``CrossSiteRefusal``).
    ///
    ///     auth.addRoutes(to: router)                       // /api/users ...
    ///     auth.addRoutes(to: router.group("accounts"))     // /accounts/api/users ...
    /// - Parameters:
    ///   - routes: a router or a group of one.
    ///   - configuration: the configuration of the routes.
    ///   - omitted: the routes not to add; their paths stay free.
    public func addRoutes<Context: RequestContext>(
        to routes: some RouterMethods<Context>, configuration: AuthRoutesConfiguration = .init(),
        leavingOut omitted: AuthRoutes = []
    ) {
        routeTable(configuration: configuration, leavingOut: omitted).add(to: routes)
    }

    /// Adds `/health/live` and `/health/ready`.
    public func addHealthRoutes<Context: RequestContext>(to routes: some RouterMethods<Context>) {
        healthRouteTable.add(to: routes)
    }

    package func routeTable(
        configuration: AuthRoutesConfiguration, leavingOut omitted: AuthRoutes = []
    ) -> RouteTable {
        let rooms = Rooms.all.compactMap { $0 as? any RoutedRoom.Type }
        let wellKnown = WellKnownRoutes(auth: self, configuration: configuration, hasOAuth: !omitted.contains(.oauth))
        let groups = rooms.flatMap { $0.routes(of: self, configuration) } + [RouteGroup(.wellKnown, wellKnown.routes)]
        return RouteTable(
            groups.filter { !omitted.contains($0.name) }.flatMap(\.routes),
            leavingFree: groups.filter { omitted.contains($0.name) }.flatMap(\.routes),
            refusingOtherSites: configuration)
    }

    package var healthRouteTable: RouteTable { RouteTable(HealthRoutes(auth: self).routes) }
}
