import HTTPTypes
public import Hummingbird
import RESTAuth

/// Refuses requests that a page of another site has made, before anything of them is read, counted
/// or stored: 403 `cross_site_request`.
///
/// Any page can make its visitors' browsers send requests here, and the consequences are the
/// visitors': an account, a counted wrong password, an ended session. So a page that is neither of
/// this origin nor of one named in ``AuthRoutesConfiguration/trustedOrigins`` may read what is
/// public, and nothing else. The routes of
/// ``RESTAuth/Auth/addRoutes(to:configuration:leavingOut:)`` have this middleware around them. Put
/// it around your own routes that change something or need an identity.
///
/// A request that says nothing of a page does not come from a browser, and is not refused.
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

    /// Whether the request can have an effect: GET, HEAD and OPTIONS only with credentials. A link
    /// has none, unless they are written before its host, and a preflight has none.
    private static func matters(_ request: Request) -> Bool {
        switch request.method {
        case .get, .head, .options: request.headers.contains(.authorization)
        default: true
        }
    }
}

extension Problem {
    /// The refusal of a page of another site. Its detail names the URL that this server takes for
    /// its own, which may differ from the one by which the page was loaded.
    static func crossSite(_ detail: String, _ request: Request, _ configuration: AuthRoutesConfiguration) -> Problem {
        let own = try? RequestOrigin(request, configuration: configuration)
        let hint = own.map { " This server takes itself for \($0.url(of: ""))." } ?? ""
        return Problem(.forbidden, code: "cross_site_request", detail: detail + hint)
    }
}

/// The page that has made a request, as the browser tells: by `Sec-Fetch-Site` (Fetch Metadata
/// Request Headers), which no page can change, and by `Origin` (RFC 6454), which is all that older
/// browsers send.
struct RequestInitiator {
    private let site: Site
    private let origin: Origin

    private enum Site {
        /// The field is missing.
        case unsaid
        /// The user made the request, by the address bar or a bookmark.
        case none
        case sameOrigin, sameSite, crossSite
        /// A value that is not understood, or more than one field.
        case unknown
    }

    private enum Origin {
        case unsaid, ours
        /// Named by a pattern in the configuration.
        case trusted
        /// Allowed only by the star.
        case any
        case other
    }

    init(_ request: Request, _ configuration: AuthRoutesConfiguration) {
        site = Self.site(request.headers[values: .secFetchSite].map { WireText($0) })
        origin = Self.origin(request, configuration)
    }

    /// Whether the page is of this origin or of an allowed one, or no page made the request.
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

    /// Whether the page may use this server's cookie: its origin must be this server's or named by
    /// a pattern, and the browser must not say that it is of another site; the star is not enough.
    /// A page that the browser reports as of the same origin always may, whatever host and scheme a
    /// proxy in between has made of it. A request that no page made may, too.
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
