import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// `/api/me` and below: what a user sees and does of the own account.
struct MeRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    func add(to routes: some RouterMethods<some RequestContext>) {
        let routes = routes.group("me")
        routes.resource(
            "", [.get: { request, _ in try await show(request) }, .delete: { request, _ in try await delete(request) }])
        routes.resource("password", [.put: { request, _ in try await changePassword(request) }])
        routes.resource(
            "sessions",
            [.get: { request, _ in try await listSessions(request) }, .delete: { request, _ in try await endSessions(request) }])
        routes.resource(
            "sessions/{id}",
            [.delete: { request, context in try await endSession(request, context.parameters.require("id")) }])
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func show(_ request: Request) async throws -> Response {
        let user = try await auth.users.find(auth.login.identity(of: request).userID)
        return .json([
            "id": .integer(Int(user.id)), "username": .string(user.username), "roles": .array(user.roles.sorted().map(JSON.string)),
            "created_at": .string(user.createdAt.ISO8601Format()),
        ])
    }

    private func delete(_ request: Request) async throws -> Response {
        let identity = try await auth.login.identity(of: request)
        // Who came by the password has given it already.
        if identity.method != .password {
            try await auth.passwords.confirm(body.objectIfPresent(request).requiredString("password"), for: identity)
        }
        try await auth.users.delete(identity.userID)
        return .empty()
    }

    private func changePassword(_ request: Request) async throws -> Response {
        let identity = try await auth.login.identity(of: request)
        let fields = try await body.object(request)
        try await auth.passwords.change(
            from: fields.requiredString("current_password"), to: fields.requiredString("new_password"), for: identity)
        return .empty()
    }

    // MARK: Sessions

    private func listSessions(_ request: Request) async throws -> Response {
        let identity = try await auth.login.identity(of: request)
        let page = try Page(request) { Session.ID($0) }
        let sessions = try await auth.sessions.list(of: identity.userID, after: page.after, limit: page.limit)
        return page.answer(sessions.map { $0.json(isCurrent: $0.id == identity.sessionID) }, last: sessions.last?.id).notStored()
    }

    private func endSession(_ request: Request, _ segment: String) async throws -> Response {
        let identity = try await auth.login.identity(of: request)
        guard let id = Session.ID(segment) else { throw AuthError(.sessionNotFound, "there is no such session") }
        try await auth.sessions.end(id, of: identity.userID)
        return .empty()
    }

    /// `scope=others` spares the session that asks.
    private func endSessions(_ request: Request) async throws -> Response {
        let identity = try await auth.login.identity(of: request)
        let kept: Session.ID?
        switch request.uri.queryParameters.get("scope") {
        case nil, "global": kept = nil
        case "others": kept = identity.sessionID
        default: throw AuthError(.validationFailed, "scope must be global or others", field: "scope")
        }
        try await auth.sessions.endAll(of: identity.userID, except: kept)
        return .empty()
    }
}

extension Session {
    /// As its owner sees it.
    fileprivate func json(isCurrent: Bool) -> JSON {
        [
            "id": .string(id.description), "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": .string(lastUsedAt.ISO8601Format()), "expires_at": .string(expiresAt.ISO8601Format()),
            "address": origin.address.map(JSON.string) ?? .null, "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "amr": ["pwd"], "renewable": .bool(isRenewable), "current": .bool(isCurrent),
        ]
    }
}
