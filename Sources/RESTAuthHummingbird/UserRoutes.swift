import HTTPTypes
import Hummingbird
import RESTAuth

/// `POST /api/users` registers; `GET /api/users` lists for who is signed in; `GET /api/users/{id}`
/// and `GET /api/user/{id}` show a user's public field.
struct UserRoutes: Sendable {
    let users: Users
    let registration: Registration
    let login: Login
    let throttle: Throttle
    let configuration: AuthRoutesConfiguration

    func add<Context: RequestContext>(to routes: some RouterMethods<Context>, leavingOut omitted: AuthRoutes) {
        let registers = !omitted.contains(.registration)
        let shows = !omitted.contains(.users)
        var handlers: [HTTPRequest.Method: @Sendable (Request, Context) async throws -> Response] = [:]
        if registers { handlers[.post] = { request, context in try await register(request, context) } }
        if shows { handlers[.get] = { request, context in try await list(request, context) } }
        if !handlers.isEmpty {
            routes.resource("users", handlers, leavingFree: registers ? shows ? [] : [.get, .head] : [.post])
        }
        guard shows else { return }
        for path: RouterPath in ["users/{id}", "user/{id}"] {
            routes.resource(path, [.get: { request, context in try await show(request, context) }])
        }
    }

    private static let fields: [StaticString] = ["username", "password", "invitation", "challenge", "nonce"]

    private func register(_ request: Request, _ context: some RequestContext) async throws -> Response {
        try registration.refuseWhenClosed()
        let body = try await RequestBody(limit: configuration.bodyLimit).fields(request, known: Self.fields)
        return try await body.named(in: request) { try await register(request, context, body) }
    }

    private func register(
        _ request: Request, _ context: some RequestContext, _ body: RequestFields
    ) async throws -> Response {
        let location = try RequestOrigin(request, configuration: configuration)
        let user: User
        do {
            user = try await registration.register(
                body.requiredString("username"), password: body.requiredString("password"),
                proof: RegistrationProof(
                    invitation: body.optionalString("invitation"), challenge: body.optionalString("challenge"),
                    nonce: body.optionalString("nonce")),
                by: context.caller(request))
        } catch let error as AuthError where [.invitationRequired, .challengeRequired].contains(error.code) {
            throw body.naming(ignored: error)
        }
        var members = [JSON.Member(name: "username", value: .string(user.username))]
        if !body.ignored.isEmpty {
            members.append(JSON.Member(name: "ignored", value: .array(body.ignored.map(JSON.string))))
        }
        var response = Response.json(.object(members), status: .created)
        response.headers[.location] = location.url(of: "\(request.uri.path.trimmingSlashes)/\(user.id)")
        return response
    }

    private func list(_ request: Request, _ context: some RequestContext) async throws -> Response {
        _ = try await login.user(of: request, in: context)
        let page = try Page(request) { WireText($0).decimalNumber }
        let users = try await users.list(after: page.after ?? 0, limit: page.limit)
        return page.answer(
            users.map { ["id": .integer(Int($0.id)), "username": .string($0.username)] }, last: users.last?.id)
    }

    private func show(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let segment = WireText(try context.parameters.require("id"))
        guard segment.isDigits else { throw Problem.notFound }
        if !configuration.publicUsers { _ = try await login.user(of: request, in: context) }
        // A number too large for an id is the id of nobody.
        let id = segment.decimalNumber ?? 0
        try throttle.countLookup(of: id, by: context.caller(request))
        let user = try await users.find(id)
        return .json(["username": .string(user.username)])
    }
}
