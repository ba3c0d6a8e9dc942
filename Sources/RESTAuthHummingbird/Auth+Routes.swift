public import Hummingbird
public import RESTAuth

/// What the routes need to know beyond the core.
public struct AuthRoutesConfiguration: Sendable {
    /// The URL that clients reach the routes' prefix by, without a slash at the end; `nil` takes
    /// scheme and host from the request.
    public var publicURL: String?

    /// The scheme of a request when neither the public URL nor a proxy tells.
    public var scheme = "http"

    /// Whether `X-Forwarded-Proto` and `X-Forwarded-Host` are believed. Only with a
    /// ``TrustedProxies`` middleware in front, which leaves in them what the proxies say and
    /// nothing else.
    public var believesForwardedFields = false

    /// Whether the refresh token is given and taken as a cookie, for browsers.
    public var refreshTokenInCookie = false

    /// Whether the refresh token is given in the body of the answer.
    public var refreshTokenInBody = true

    /// Whether the cookie is `Secure`, which keeps it off what travels in the clear. Not so, it is
    /// still given with it to whoever does not come by `http://localhost`, or by another name of
    /// the own machine: for development with Safari, and with other clients that keep no such
    /// cookie there.
    public var refreshTokenCookieSecure = true

    /// Origins beside the routes' own whose pages may call the routes, each an ``OriginPattern``; a
    /// star stands for all. Those that are named, and of the same site, may use the cookie as well.
    public var trustedOrigins: Set<String> = [] {
        didSet { allowedOrigins = AllowedOrigins(trustedOrigins) }
    }

    private(set) var allowedOrigins = AllowedOrigins([])

    /// Whether anybody is shown a user's name by the user's number, as by the original Flask
    /// server; otherwise whoever is signed in.
    public var publicUsers = true

    /// Whether anybody may read the list of revocations; otherwise clients only.
    public var publicRevocations = true

    /// The largest body that is read, in bytes.
    public var bodyLimit = 65536

    public init() {}

    /// Whether that is a URL of the own machine, without TLS.
    package static func isLoopbackInTheClear(_ url: String) -> Bool {
        guard let parts = OriginParts(WireText(url)) else { return false }
        return parts.scheme.equals("http") && parts.hasHost && parts.isLoopback
    }
}

extension Auth {
    /// Adds the routes of the wire contract below `routes`: users, tokens, sessions, keys, and what
    /// other services ask. Pages of other sites are refused there (``CrossSiteRefusal``).
    ///
    ///     auth.addRoutes(to: router)                       // /api/users ...
    ///     auth.addRoutes(to: router.group("accounts"))     // /accounts/api/users ...
    /// - Parameters:
    ///   - routes: a router or a group of one.
    ///   - configuration: what they need to know.
    ///   - omitted: which of them not to add, whose paths are free then.
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
