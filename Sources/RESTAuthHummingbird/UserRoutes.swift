import HTTPTypes
import Hummingbird
import RESTAuth

extension UsersRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        let sessionRoutes = SessionRoutes(auth: auth, configuration: configuration)
        return [
            RouteGroup(.users, UserRoutes(auth: auth, configuration: configuration).routes),
            RouteGroup(
                .account, MeRoutes(auth: auth, sessionRoutes: sessionRoutes, configuration: configuration).routes),
            RouteGroup(.operator, OperatorUserRoutes(auth: auth, configuration: configuration).routes),
            RouteGroup(.operator, OperatorAccountRoutes(auth: auth, configuration: configuration).routes),
            RouteGroup(.operator, PasswordResetRoutes(auth: auth, configuration: configuration).routes),
        ]
    }
}

/// `GET /api/users` lists users for signed-in callers; `GET /api/users/{id}` and `GET
/// /api/user/{id}` show a user's name.
struct UserRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        let readers: Access<Void> =
            configuration.publicUsers ? .anyone : Access.user(auth, scope: Scope.profile).unnamed
        // An id that is not a number is answered 404, whoever asks.
        let shown = readers.after { request in
            guard try WireText(request.segment("id")).isDigits else { throw Problem.notFound }
        }
        return [
            Route(.get, "/api/users", .user(auth, scope: Scope.profile), "listUsers") { _, request in
                try await list(request)
            },
            Route(.get, "/api/users/{id}", shown, "showUser") { _, request in try await show(request) },
            Route(.get, "/api/user/{id}", shown, "showUserByOtherPath") { _, request in try await show(request) },
        ]
    }

    private func list(_ request: RoutedRequest) async throws -> Response {
        let page = try Page(request.http) { WireText($0).decimalNumber }
        let users = try await auth.users.list(after: page.after ?? 0, limit: page.limit)
        return page.answer(
            users.map { ["id": .integer(Int($0.id)), "username": .string($0.username)] }, last: users.last?.id)
    }

    private func show(_ request: RoutedRequest) async throws -> Response {
        // A number too large for an id becomes 0, which is no user's.
        let id = try WireText(request.segment("id")).decimalNumber ?? 0
        do {
            return .json(["username": .string(try await auth.users.lookUp(id, by: request.caller).username)])
        } catch let error as AuthError where error.code == .userNotFound {
            // 400 is the contract of the server that this one replaces, for these two paths (see
            // Moving-from-Flask). Every other one answers 404.
            throw Problem(
                .badRequest, code: error.code.rawValue, title: AuthError.Kind.userNotFound.answer?.title,
                detail: error.detail)
        }
    }
}
