import HTTPTypes
package import Hummingbird
import RESTAuth

/// What an answer says to the browser of a page that may read it (Fetch standard, section 3.2).
struct CrossOriginAnswer {
    /// As the browser said it, or a star for every page.
    let origin: String
    /// Never with a star.
    var allowsCookies = false
    /// Whether what is answered is everybody's: nothing is signed in to, and nothing changed.
    var isPublic = false

    /// Tells the browser that the page may read `response`, and which fields of it.
    func open(_ response: inout Response) {
        allow(in: &response)
        response.headers[.accessControlExposeHeaders] =
            "Location, Retry-After, WWW-Authenticate, ETag, RateLimit, RateLimit-Policy, Ignored-Fields"
    }

    /// The answer to the question that goes ahead of a request which no form could send.
    func preflight(_ request: Request) -> Response {
        var response = Response(status: .noContent)
        allow(in: &response)
        response.headers[.accessControlAllowMethods] = isPublic ? "GET, HEAD" : "GET, HEAD, POST, PUT, PATCH, DELETE"
        let fields = (isPublic ? [] : ["Authorization", "Content-Type"]) + askedFields(request)
        if !fields.isEmpty { response.headers[.accessControlAllowHeaders] = fields.joined(separator: ", ") }
        response.headers[.accessControlMaxAge] = "600"
        response.headers[.vary] = "Access-Control-Request-Headers"
        return response
    }

    private func allow(in response: inout Response) {
        response.headers[.accessControlAllowOrigin] = origin
        if allowsCookies { response.headers[.accessControlAllowCredentials] = "true" }
    }

    /// More names than that no page asks for, in bytes and in number.
    private static let (longestList, mostFields) = (4096, 100)

    /// The names that the page asks for, beside those that are allowed or refused anyway.
    ///
    /// Naming them all is no hole: a page whose requests are believed may say in a field what it
    /// could say in the body. A star is left out, which would stand for every name.
    private func askedFields(_ request: Request) -> [String] {
        let lists = request.headers[values: .accessControlRequestHeaders].map { WireText($0) }
        guard lists.reduce(0, { $0 + $1.bytes.count }) <= Self.longestList else { return [] }
        let names = lists.flatMap { $0.parts(at: ",") }
        guard names.count <= Self.mostFields else { return [] }
        return names.filter { name in
            name.isToken && !name.equals("*") && !name.isWord("authorization")
                && (isPublic || !name.isWord("content-type"))
        }.map(\.string)
    }
}

extension Request {
    /// What a proxy asks about a preflight is not one itself.
    var isPreflight: Bool {
        method == .options && headers.contains(.origin) && headers.contains(.accessControlRequestMethod)
            && !isAboutAnother
    }

    /// Whether it is for ``VerifyRoutes`` as the router reads paths, for which slashes in a row are
    /// one, below whatever prefix.
    private var isAboutAnother: Bool {
        let segments = WireText(head.path ?? "").before("?").before("#").parts(at: "/")
        return zip(segments, segments.dropFirst()).contains { $0.equals("api") && $1.equals("verify") }
    }
}

/// Lets every page read the answers of the routes after it: those that show nothing of anybody, and
/// that take no credentials.
package struct ReadableByEveryPage<Context: RequestContext>: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let answer = CrossOriginAnswer(origin: "*", isPublic: true)
        if request.isPreflight { return answer.preflight(request) }
        var response = try await next(request, context)
        // To who came without an origin as well: a browser may keep it for a page that has one.
        answer.open(&response)
        return response
    }
}
