import HTTPTypes
import Hummingbird

/// One path and what it does for each method; what HTTP itself asks of a path comes with it.
///
/// `HEAD` is answered wherever `GET` is, `OPTIONS` says what is allowed, every other method gets 405 with `Allow`.
extension RouterMethods {
    typealias Handler = @Sendable (Request, Context) async throws -> Response

    func resource(_ path: RouterPath, _ handlers: [HTTPRequest.Method: Handler]) {
        var handlers = handlers
        if let get = handlers[.get] {
            handlers[.head] = { request, context in try await get(request, context).createHeadResponse() }
        }
        let allowed = (handlers.keys.map(\.rawValue) + ["OPTIONS"]).sorted().joined(separator: ", ")
        handlers[.options] = { _, _ in Response(status: .noContent, headers: [.allow: allowed]) }
        for method in HTTPRequest.Method.known where handlers[method] == nil {
            handlers[method] = { _, _ in
                throw Problem(
                    .methodNotAllowed, code: "method_not_allowed", detail: "Allowed here: \(allowed).", headers: [.allow: allowed])
            }
        }
        for (method, handler) in handlers {
            on(path, method: method, use: handler)
        }
    }
}

extension HTTPRequest.Method {
    /// The methods of RFC 9110 section 9.3 and RFC 5789.
    fileprivate static let known: [Self] = [.get, .head, .post, .put, .patch, .delete, .options, .trace, .connect]
}
