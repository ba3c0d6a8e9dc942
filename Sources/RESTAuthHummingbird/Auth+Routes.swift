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
    /// ``TrustedProxies`` middleware in front, which leaves in them what the proxies say and nothing
    /// else.
    public var believesForwardedFields = false

    /// Whether the refresh token is given and taken as a cookie, for browsers.
    public var refreshTokenInCookie = false

    /// Whether the refresh token is given in the body of the answer.
    public var refreshTokenInBody = true

    /// Origins beside the routes' own whose pages may call the routes; a star stands for all. Those
    /// that are named, and of the same site, may use the cookie as well.
    public var trustedOrigins: Set<String> = []

    /// Whether anybody is shown a user's name by the user's number, as by the ancestor; otherwise
    /// whoever is signed in.
    public var publicUsers = true

    /// Whether anybody may read the list of revocations; otherwise clients only.
    public var publicRevocations = true

    /// The largest body that is read, in bytes.
    public var bodyLimit = 65536

    public init() {}
}

extension Auth {
    /// Adds the routes of the wire contract below `routes`: users, tokens, sessions, keys, and what
    /// other services ask. Pages of other sites are refused there (``CrossSiteRefusal``).
    ///
    ///     auth.addRoutes(to: router)                       // /api/users ...
    ///     auth.addRoutes(to: router.group("accounts"))     // /accounts/api/users ...
    public func addRoutes<Context: RequestContext>(
        to routes: some RouterMethods<Context>, configuration: AuthRoutesConfiguration = .init()
    ) {
        let routes = routes.group().add(middleware: CrossSiteRefusal(configuration: configuration))
        let group = routes.group("api")
        UserRoutes(
            users: users, registration: registration, login: login, throttle: throttle, configuration: configuration
        ).add(to: group)
        ChallengeRoutes(registration: registration).add(to: group)
        TokenRoutes(login: login, sessions: sessions).add(to: group)
        let sessionRoutes = SessionRoutes(
            login: login, sessions: sessions, configuration: configuration,
            cookieLifetime: self.configuration.sessionInactivityTimeout)
        sessionRoutes.add(to: group)
        MeRoutes(auth: self, sessionRoutes: sessionRoutes, configuration: configuration).add(to: group)
        ResourceRoutes(login: login).add(to: group)
        VerifyRoutes(login: login, now: self.configuration.now).add(to: group)
        RevocationRoutes(
            revocations: RevocationList(auth: self), clients: clients, isPublic: configuration.publicRevocations
        ).add(to: group)
        OAuthRoutes(auth: self, configuration: configuration).add(to: routes)
        WellKnownRoutes(auth: self, configuration: configuration).add(to: routes)
    }

    /// Adds `/health/live` and `/health/ready`.
    public func addHealthRoutes<Context: RequestContext>(to routes: some RouterMethods<Context>) {
        HealthRoutes(auth: self).add(to: routes.group("health"))
    }
}
