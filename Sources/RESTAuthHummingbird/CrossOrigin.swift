import HTTPTypes
public import Hummingbird
import RESTAuth

/// Lets pages of the named origins call the routes after it (the CORS protocol of the Fetch
/// standard).
///
/// A preflight is answered here, without credentials, because browsers send none with it.
/// Credentials go in the `Authorization` field; cookies are allowed only where asked for, and only
/// to origins that are named.
public struct CrossOrigin<Context: RequestContext>: RouterMiddleware {
    private let origins: Set<WireText>
    private let allowsAll: Bool
    private let allowsCookies: Bool

    /// - Parameters:
    ///   - origins: exact origins such as `https://app.example.com`, or `*` for all.
    ///   - allowsCookies: whether pages of the named origins may send cookies. Never of those that
    ///     only the star allows.
    public init(origins: [String], allowsCookies: Bool = false) {
        self.origins = Set(origins.map { WireText($0) })
        allowsAll = self.origins.contains(WireText("*"))
        self.allowsCookies = allowsCookies
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin] else { return try await next(request, context) }
        let isNamed = origins.contains(WireText(origin))
        // A proxy that asks about a preflight must not take this answer for its own.
        let isPreflight =
            request.method == .options && request.headers.contains(.accessControlRequestMethod)
            && !WireText(request.head.path ?? "").isVerifyPath
        var response = isPreflight ? Response(status: .noContent) : try await next(request, context)
        response.headers.append(HTTPField(name: .vary, value: "Origin"))
        guard allowsAll || isNamed else { return response }
        response.headers[.accessControlAllowOrigin] = origin
        if allowsCookies, isNamed { response.headers[.accessControlAllowCredentials] = "true" }
        if isPreflight {
            response.headers[.accessControlAllowMethods] = "GET, HEAD, POST, PUT, PATCH, DELETE"
            response.headers[.accessControlAllowHeaders] = "Authorization, Content-Type"
            response.headers[.accessControlMaxAge] = "600"
        } else {
            response.headers[.accessControlExposeHeaders] = "Location, Retry-After, WWW-Authenticate"
        }
        return response
    }
}
