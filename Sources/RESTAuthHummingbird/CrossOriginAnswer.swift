import HTTPTypes
package import Hummingbird
import RESTAuth

/// The fields of an answer that let a page's browser show it to the page (Fetch standard, section
/// 3.2).
struct CrossOriginAnswer {
    /// The allowed origin as the browser sent it, or a star for every page.
    let origin: String
    /// Whether the page may send cookies; never with a star.
    var allowsCookies = false
    /// Whether the routes only show public data: they take no credentials and change nothing.
    var isPublic = false

    /// Lets the page read `response`, and those of its fields that are named here.
    func open(_ response: inout Response) {
        allow(in: &response)
        response.headers[.accessControlExposeHeaders] =
            "Location, Retry-After, WWW-Authenticate, ETag, RateLimit, RateLimit-Policy, Ignored-Fields"
    }

    /// Answers a preflight, which a browser sends before a request that no form could send.
    func preflight(_ request: Request) -> Response {
        var response = Response(status: .noContent)
        allow(in: &response)
        response.headers[.accessControlAllowMethods] = isPublic ? "GET, HEAD" : "GET, HEAD, POST, PUT, PATCH, DELETE"
        let fields = (isPublic ? [] : ["Authorization", "Content-Type", "X-OTP"]) + askedFields(request)
        if !fields.isEmpty { response.headers[.accessControlAllowHeaders] = fields.joined(separator: ", ") }
        response.headers[.accessControlMaxAge] = "600"
        response.headers[.vary] = "Access-Control-Request-Headers"
        return response
    }

    private func allow(in response: inout Response) {
        response.headers[.accessControlAllowOrigin] = origin
        if allowsCookies { response.headers[.accessControlAllowCredentials] = "true" }
    }

    /// The longest list of field names that is read, in bytes and in number; a longer one is
    /// ignored.
    private static let (longestList, mostFields) = (4096, 100)

    /// The field names that the page asks for, without those that are always allowed or refused.
    ///
    /// Allowing all of them is safe: a page that may call can say in a field what it could say in
    /// the body. A star is left out, because it would stand for every name.
    private func askedFields(_ request: Request) -> [String] {
        let lists = request.headers[values: .accessControlRequestHeaders].map { WireText($0) }
        guard lists.reduce(0, { $0 + $1.bytes.count }) <= Self.longestList else { return [] }
        let names = lists.flatMap { $0.parts(at: ",") }
        guard names.count <= Self.mostFields else { return [] }
        return names.filter { name in
            name.isToken && !name.equals("*") && !name.isWord("authorization")
                && (isPublic || !name.isWord("content-type") && !name.isWord("x-otp"))
        }.map(\.string)
    }
}

extension Request {
    /// Whether this is a preflight. A proxy's question about a client's preflight is none.
    var isPreflight: Bool {
        method == .options && headers.contains(.origin) && headers.contains(.accessControlRequestMethod)
            && !isAboutAnother
    }

    /// Whether the path is one of ``VerifyRoutes``, below any prefix, as the router reads paths:
    /// several slashes in a row count as one.
    private var isAboutAnother: Bool {
        let segments = WireText(head.path ?? "").before("?").before("#").parts(at: "/")
        return zip(segments, segments.dropFirst()).contains { $0.equals("api") && $1.equals("verify") }
    }
}

/// Lets every page read the answers of the routes after it, which contain no user's data and take
/// no credentials.
package struct ReadableByEveryPage<Context: RequestContext>: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let answer = CrossOriginAnswer(origin: "*", isPublic: true)
        if request.isPreflight { return answer.preflight(request) }
        var response = try await next(request, context)
        // Also without an `Origin`: a browser may cache the answer for a page that has one.
        answer.open(&response)
        return response
    }
}
