package import HTTPTypes
package import Hummingbird

/// Routes that are added to a router together, with what HTTP itself asks of their paths.
///
/// `HEAD` is answered wherever `GET` is. `OPTIONS` names the allowed methods unless it is a route
/// of its own. Every other method gets 405 with `Allow`, unless it is left free for routes of the
/// application. An answer without `Cache-Control` gets `no-store`.
package struct RouteTable: Sendable {
    package let routes: [Route]
    /// The routes that were left out; their methods stay free on paths that these routes share.
    private let omitted: [Route]
    /// The configuration by which pages of other sites are refused; `nil` where any page may ask.
    private let ownPages: AuthRoutesConfiguration?

    package init(
        _ routes: [Route], leavingFree omitted: [Route] = [], refusingOtherSites: AuthRoutesConfiguration? = nil
    ) {
        self.routes = routes
        self.omitted = omitted
        ownPages = refusingOtherSites
    }

    package func add<Context: RequestContext>(to router: some RouterMethods<Context>) {
        let own = router.group()
        if let ownPages { own.add(middleware: CrossSiteRefusal(configuration: ownPages)) }
        let open = own.group().add(middleware: ReadableByEveryPage())
        for (path, routes) in Dictionary(grouping: routes, by: \.path) {
            let group = routes.contains { $0.audience == .everyPage } ? open : own
            for (method, respond) in responders(path, routes) {
                group.on(RouterPath(path), method: method) { request, context in
                    // Here and not in a middleware: whatever is around these routes, none of their
                    // errors leaves in another form.
                    do {
                        var response = try await respond(RoutedRequest(request, in: context))
                        if !response.headers.contains(.cacheControl) { response.headers[.cacheControl] = "no-store" }
                        return response
                    } catch {
                        return Problem.response(to: error, request: request, context: context)
                    }
                }
            }
        }
    }

    /// The methods that each path answers otherwise than with 405, by the path as the router
    /// describes it.
    package var methods: [String: Set<HTTPRequest.Method>] {
        Dictionary(grouping: routes) { RouterPath($0.path).description }
            .mapValues { Self.answered(Set($0.map(\.method))) }
    }

    /// The given methods and those that are answered beside them: `OPTIONS`, and `HEAD` with `GET`.
    private static func answered(_ methods: Set<HTTPRequest.Method>) -> Set<HTTPRequest.Method> {
        methods.union(methods.contains(.get) ? [.head, .options] : [.options])
    }

    /// The value of the field `Allow` for a path with routes of the given methods.
    package static func allowed(_ methods: Set<HTTPRequest.Method>) -> String {
        answered(methods).map(\.rawValue).sorted().joined(separator: ", ")
    }

    private typealias Responder = @Sendable (RoutedRequest) async throws -> Response

    /// The responders on a path, for every method that is not left free.
    private func responders(_ path: String, _ routes: [Route]) -> [HTTPRequest.Method: Responder] {
        var responders: [HTTPRequest.Method: Responder] = [:]
        for route in routes {
            if responders.updateValue(route.respond, forKey: route.method) != nil {
                // A mistake in the program, not in a request: one of the two routes would never be
                // reached, and perhaps it is the one that checks more.
                let names = routes.filter { $0.method == route.method }.map(\.operationID)
                fatalError("\(route.method) \(path) is \(names.joined(separator: " and "))")
            }
        }
        if let get = responders[.get], responders[.head] == nil {
            responders[.head] = { request in try await get(request).withoutBody() }
        }
        let allowed = Self.allowed(Set(responders.keys))
        if responders[.options] == nil {
            responders[.options] = { _ in Response(status: .noContent, headers: [.allow: allowed]) }
        }
        let free = Set(omitted.filter { $0.path == path }.flatMap { $0.method == .get ? [.get, .head] : [$0.method] })
        for method in HTTPRequest.Method.registered where responders[method] == nil && !free.contains(method) {
            responders[method] = { _ in
                throw Problem(
                    .methodNotAllowed, code: "method_not_allowed", detail: "Allowed here: \(allowed).",
                    headers: [.allow: allowed])
            }
        }
        return responders
    }
}

extension Response {
    /// The answer to `HEAD`. That of a stream, whose length nobody knows, stays without a known
    /// length, so that a server can leave out `Content-Length`. Hummingbird by itself would end a
    /// body in chunks then, which the client takes for the next answer; so the field is there.
    fileprivate func withoutBody() -> Response {
        guard body.contentLength == nil else { return createHeadResponse() }
        var headers = headers
        headers[.contentLength] = "0"
        return Response(status: status, headers: headers, body: ResponseBody { writer in try await writer.finish(nil) })
    }
}

extension HTTPRequest.Method {
    /// The registered methods (RFC 9110 section 16.1). A router answers a method that it has no
    /// route for as if the path did not exist.
    package static let registered = Set(
        [
            "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MERGE",
            "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PUT",
            "QUERY", "REBIND", "REPORT", "SEARCH", "TRACE", "UNBIND", "UNLINK", "UNLOCK",
        ].compactMap { Self($0) })
}
