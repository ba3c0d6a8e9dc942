import HTTPTypes
public import Hummingbird
import RESTAuth

/// Refuses what says that a page of another site has made it, before anything of it is read,
/// counted or stored: 403 `cross_site_request`.
///
/// Every page can make its visitors' browsers send a request here, and what comes of it would be
/// theirs: an account, a wrong password that is counted, a session that ends. So whatever does not
/// come from a page of this origin, or of one that is named in
/// ``AuthRoutesConfiguration/trustedOrigins``, may look at what is public, and nothing else. The
/// routes of ``RESTAuth/Auth/addRoutes(to:configuration:leavingOut:)`` have this around them. Put
/// it around routes of your own as well that change something or ask who comes.
///
/// What says nothing of a page is no browser's.
public struct CrossSiteRefusal<Context: RequestContext>: RouterMiddleware {
    private let configuration: AuthRoutesConfiguration

    public init(configuration: AuthRoutesConfiguration = .init()) {
        self.configuration = configuration
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard Self.matters(request), !RequestInitiator(request, configuration).mayCall else {
            return try await next(request, context)
        }
        return Problem.crossSite("Pages of other sites may not do this.", request, configuration)
            .response(from: request, context: context)
    }

    /// Whether anything comes of it. A link has no credentials, unless they stand before the host,
    /// and a preflight has none.
    private static func matters(_ request: Request) -> Bool {
        switch request.method {
        case .get, .head, .options: request.headers.contains(.authorization)
        default: true
        }
    }
}

extension Problem {
    /// With the URL that stands for the own site, which may be another one than a page was got by.
    static func crossSite(_ detail: String, _ request: Request, _ configuration: AuthRoutesConfiguration) -> Problem {
        let own = try? RequestOrigin(request, configuration: configuration)
        let hint = own.map { " This server takes itself for \($0.url(of: ""))." } ?? ""
        return Problem(.forbidden, code: "cross_site_request", detail: detail + hint)
    }
}

/// The page that has made a request, as the browser tells: by `Sec-Fetch-Site` (Fetch Metadata
/// Request Headers), which no page can change, and by `Origin` (RFC 6454), which older ones send
/// alone.
struct RequestInitiator {
    private let site: Site
    private let origin: Origin

    private enum Site {
        /// No such field.
        case unsaid
        /// The user, by the address bar or a bookmark.
        case none
        case sameOrigin, sameSite, crossSite
        /// What is not understood, and more than one.
        case unknown
    }

    private enum Origin {
        case unsaid, ours
        /// Named in the configuration.
        case trusted
        /// Every one is, by a star.
        case any
        case other
    }

    init(_ request: Request, _ configuration: AuthRoutesConfiguration) {
        site = Self.site(request.headers[values: .secFetchSite].map { WireText($0) })
        origin = Self.origin(request, configuration)
    }

    /// Whether that is a page of ours or of a named origin, or no page at all.
    var mayCall: Bool {
        switch (site, origin) {
        case (.unknown, _): false
        case (.none, _), (.sameOrigin, _): true
        case (_, .ours): site != .crossSite
        case (_, .trusted), (_, .any): true
        case (_, .other): false
        case (_, .unsaid): site == .unsaid
        }
    }

    /// Whether it may use a cookie of ours: of those, only what is of the same site, and what a
    /// star allows is not named. What the browser itself calls of the same origin is that, whatever
    /// host and scheme a proxy in between has made of it.
    var mayUseCookie: Bool {
        switch (site, origin) {
        case (.sameOrigin, _): true
        case (.unknown, _), (.crossSite, _), (_, .any), (_, .other): false
        case (_, .ours), (_, .trusted): true
        case (_, .unsaid): site != .sameSite
        }
    }

    private static func site(_ values: [WireText]) -> Site {
        guard let value = values.first else { return .unsaid }
        guard values.count == 1 else { return .unknown }
        if value.equals("same-origin") { return .sameOrigin }
        if value.equals("same-site") { return .sameSite }
        if value.equals("cross-site") { return .crossSite }
        return value.equals("none") ? .none : .unknown
    }

    private static func origin(_ request: Request, _ configuration: AuthRoutesConfiguration) -> Origin {
        let values = request.headers[values: .origin]
        guard let standing = configuration.allowedOrigins.standing(of: values), let value = values.first else {
            return .unsaid
        }
        if standing == .named { return .trusted }
        let own = values.count == 1 ? try? RequestOrigin(request, configuration: configuration) : nil
        if own?.isOrigin(WireText(value)) == true { return .ours }
        return standing == .any ? .any : .other
    }
}

extension HTTPField.Name {
    static let secFetchSite = Self("Sec-Fetch-Site")!
}
