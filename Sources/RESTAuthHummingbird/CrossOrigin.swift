import HTTPTypes
public import Hummingbird
import RESTAuth

/// Lets pages of the named origins call the routes after it (the CORS protocol of the Fetch
/// standard).
///
/// A preflight is answered here, without credentials, because browsers send none with it. Every
/// field that the page asks for is allowed: monitoring libraries add some to all requests of a page
/// (`traceparent`, `baggage`, `sentry-trace`). Credentials go in the `Authorization` field; cookies
/// are allowed only where configured, and only to origins that a pattern names.
public struct CrossOrigin<Context: RequestContext>: RouterMiddleware {
    private let origins: AllowedOrigins
    private let allowsCookies: Bool

    /// - Parameters:
    ///   - origins: each an ``OriginPattern``, or `*` for all. Text that is neither allows nobody;
    ///     ``OriginPattern/init(_:)`` throws what is wrong with it.
    ///   - allowsCookies: whether pages of the named origins may send cookies. Pages that only the
    ///     star allows never may.
    public init(origins: [String], allowsCookies: Bool = false) {
        self.origins = AllowedOrigins(origins)
        self.allowsCookies = allowsCookies
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let answer = answer(to: request)
        var response: Response
        if let answer, request.isPreflight {
            response = answer.preflight(request)
        } else {
            response = try await next(request, context)
            answer?.open(&response)
        }
        // Set on refusals too: they depend on the origin as well.
        response.headers[values: .vary] = ["Origin"] + response.headers[values: .vary]
        return response
    }

    private func answer(to request: Request) -> CrossOriginAnswer? {
        switch origins.standing(of: request.headers[values: .origin]) {
        case .named: CrossOriginAnswer(origin: request.headers[.origin] ?? "", allowsCookies: allowsCookies)
        case .any: CrossOriginAnswer(origin: "*")
        case .stranger, nil: nil
        }
    }
}
