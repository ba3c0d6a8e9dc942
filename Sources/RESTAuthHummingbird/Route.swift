package import HTTPTypes
package import Hummingbird

/// An operation of the wire contract: a method on a path, the access to it, and its handler.
///
///     Route(.get, "/api/me", .user(auth), "showMe") { user, _ in try await show(user) }
///
/// The handler is given the proof of the access, so it cannot be reached without one.
package struct Route: Sendable {
    package let method: HTTPRequest.Method
    /// The path as in `openapi.yaml` and in the log; `**` stands for one segment or more.
    package let path: String
    package let audience: Audience
    /// The `operationId` in `openapi.yaml`.
    package let operationID: String
    let readsQuery: Bool
    /// Whether the body may be larger, and take longer to come, than those of other routes
    /// (``LongBody``).
    package private(set) var takesLongBody = false
    let respond: @Sendable (RoutedRequest) async throws -> Response
    /// Answers without waiting. `nil` for a route that has to wait; it returns `nil` for a request
    /// that has to.
    let respondAtOnce: (@Sendable (HTTPRequest) -> ImmediateAnswer?)?

    package init<Proof>(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access<Proof>, _ operationID: String,
        handler: @escaping @Sendable (Proof, RoutedRequest) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.operationID = operationID
        audience = access.audience
        readsQuery = access.readsQuery
        respond = { request in
            let admission = try await access.admit(request)
            return try await handler(admission.proof, request.identified(as: admission.identity))
        }
        respondAtOnce = nil
    }

    /// A route whose answer needs no waiting once its caller is known. The same function gives the
    /// answer before the router, where the caller is remembered (``ImmediateRoutes``), and behind
    /// it.
    package init<Proof>(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access<Proof>, _ operationID: String,
        atOnce handler: @escaping @Sendable (Proof) -> ImmediateAnswer
    ) {
        self.method = method
        self.path = path
        self.operationID = operationID
        audience = access.audience
        readsQuery = access.readsQuery
        respond = { request in try await handler(access.admit(request).proof).response }
        respondAtOnce = { head in access.remember(head).map(handler) }
    }

    /// The same route for a body that may be larger, and take longer to come, than those of others.
    /// Its handler says when it begins to read it, by ``LongBody/admit()``.
    func takingLongBody() -> Route {
        var route = self
        route.takesLongBody = true
        return route
    }
}
