package import HTTPTypes
package import Hummingbird

/// An operation of the wire contract: a method on a path, who may use it, and what it does.
///
///     Route(.get, "/api/me", .user(auth), "showMe") { user, _ in try await show(user) }
///
/// The handler is given what the access proves, so it cannot be reached without.
package struct Route: Sendable {
    package let method: HTTPRequest.Method
    /// As the description has it, and as it stands in the log; `**` for one segment or more.
    package let path: String
    package let audience: Audience
    /// The name in the description, `operationId`.
    package let operationID: String
    let readsQuery: Bool
    let respond: @Sendable (RoutedRequest) async throws -> Response
    /// Answers without waiting; `nil` for a route that has to wait, and from it where this request
    /// has to.
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

    /// A route whose answer needs no waiting once it is known who asks: it is given before the
    /// router where that is remembered (``ImmediateRoutes``), and by the same function behind it.
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
}
