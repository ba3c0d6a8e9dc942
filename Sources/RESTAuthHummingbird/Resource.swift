package import HTTPTypes
package import Hummingbird

/// One path and what it does for each method; what HTTP itself asks of a path comes with it.
///
/// `HEAD` is answered wherever `GET` is, `OPTIONS` says what is allowed unless it has a handler of
/// its own, every other method gets 405 with `Allow`, unless it is left free for somebody else.
/// Nobody may keep an answer that does not say itself how long it is good.
extension RouterMethods {
    package typealias Handler = @Sendable (Request, Context) async throws -> Response

    package func resource(
        _ path: RouterPath, _ handlers: [HTTPRequest.Method: Handler], leavingFree free: Set<HTTPRequest.Method> = []
    ) {
        var handlers = handlers
        if let get = handlers[.get] {
            handlers[.head] = { request, context in try await get(request, context).createHeadResponse() }
        }
        let allowed = Set(handlers.keys.map(\.rawValue) + ["OPTIONS"]).sorted().joined(separator: ", ")
        if handlers[.options] == nil {
            handlers[.options] = { _, _ in Response(status: .noContent, headers: [.allow: allowed]) }
        }
        for method in HTTPRequest.Method.registered where handlers[method] == nil && !free.contains(method) {
            handlers[method] = { _, _ in
                throw Problem(
                    .methodNotAllowed, code: "method_not_allowed", detail: "Allowed here: \(allowed).",
                    headers: [.allow: allowed])
            }
        }
        for (method, handler) in handlers {
            on(path, method: method) { request, context in
                // Here and not in a middleware: whatever stands around these routes, no error of
                // theirs leaves in another form.
                do {
                    var response = try await handler(request, context)
                    if !response.headers.contains(.cacheControl) { response.headers[.cacheControl] = "no-store" }
                    return response
                } catch {
                    return Problem.response(to: error, request: request, context: context)
                }
            }
        }
    }
}

extension HTTPRequest.Method {
    /// The registered methods (RFC 9110 section 16.1). A router answers a method that it was not
    /// told of as if the path did not exist.
    package static let registered = Set(
        [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "ACL", "BIND",
            "CHECKOUT", "COPY",
            "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "REBIND",
            "REPORT", "SEARCH",
            "UNBIND", "UNLINK", "UNLOCK",
        ].compactMap { Self($0) })
}
