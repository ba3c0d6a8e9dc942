import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// `/api/me` and below: what a user sees and does of the own account.
struct MeRoutes: Sendable {
    let auth: Auth
    /// Which answer with tokens.
    let sessionRoutes: SessionRoutes
    let configuration: AuthRoutesConfiguration

    func add(to routes: some RouterMethods<some RequestContext>) {
        let routes = routes.group("me")
        routes.resource(
            "",
            [
                .get: { request, context in try await show(identity(request, context)) },
                .delete: { request, context in
                    try await delete(request, identity(request, context), by: context.caller(request))
                },
            ])
        routes.resource(
            "password",
            [
                .put: { request, context in
                    try await changePassword(
                        request, identity(request, context), by: context.caller(request))
                }
            ])
        routes.resource(
            "sessions",
            [
                .get: { request, context in try await listSessions(request, identity(request, context)) },
                .delete: { request, context in
                    try await endSessions(request, identity(request, context), by: context.caller(request))
                },
            ])
        routes.resource(
            "sessions/{id}",
            [
                .delete: { request, context in
                    try await endSession(
                        context.parameters.require("id"), identity(request, context), by: context.caller(request))
                }
            ])
    }

    private func identity(_ request: Request, _ context: some RequestContext) async throws -> UserIdentity {
        try await auth.login.user(of: request, in: context)
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func show(_ identity: UserIdentity) async throws -> Response {
        let user = try await auth.users.find(identity.userID)
        return .json([
            "id": .integer(Int(user.id)), "username": .string(user.username),
            "roles": .array(user.roles.sorted().map(JSON.string)),
            "created_at": .string(user.createdAt.ISO8601Format()),
        ])
    }

    private func delete(_ request: Request, _ identity: UserIdentity, by caller: Caller) async throws -> Response {
        let fields = try await body.fieldsIfPresent(request, known: ["password"])
        return try await fields.named(in: request) {
            // Who came by the password has given it already, and may not take it back in the body.
            if identity.presented != .password || fields.hasValue("password") {
                try await auth.passwords.confirm(fields.requiredString("password"), for: identity, by: caller)
            }
            try await auth.users.delete(identity.userID, by: caller.identified(as: .user(identity)))
            return .empty()
        }
    }

    /// Every token from before is refused: who came by one needs another.
    private func changePassword(_ request: Request, _ identity: UserIdentity, by caller: Caller) async throws
        -> Response
    {
        let fields = try await body.fields(request, known: ["current_password", "new_password"])
        return try await fields.named(in: request) {
            let tokens = try await auth.passwords.change(
                from: fields.requiredString("current_password"), to: fields.requiredString("new_password"),
                for: identity, by: caller.identified(as: .user(identity)))
            guard let tokens else { return .empty() }
            let own = RequestOrigin.path(of: request, configuration: configuration)
            return sessionRoutes.answer(
                tokens.access, tokens.refresh, to: request, path: own.droppingSegment.droppingSegment + "/tokens")
        }
    }

    // MARK: Sessions

    private func listSessions(_ request: Request, _ identity: UserIdentity) async throws -> Response {
        let page = try Page(request) { Session.ID($0) }
        let sessions = try await auth.sessions.list(of: identity.userID, after: page.after, limit: page.limit)
        return page.answer(sessions.map { $0.json(isCurrent: $0.id == identity.sessionID) }, last: sessions.last?.id)
            .notStored()
    }

    private func endSession(_ segment: String, _ identity: UserIdentity, by caller: Caller) async throws -> Response {
        guard let id = Session.ID(segment) else { throw AuthError(.sessionNotFound, "there is no such session") }
        try await auth.sessions.end(id, of: identity.userID, by: caller.identified(as: .user(identity)))
        return .empty()
    }

    /// `scope=others` spares the session that asks. What may be a misspelt `scope` ends nothing.
    private func endSessions(_ request: Request, _ identity: UserIdentity, by caller: Caller) async throws
        -> Response
    {
        guard request.uri.queryParameters.allSatisfy({ WireText($0.key).equals("scope") }) else {
            throw AuthError(.validationFailed, "there is no parameter here but scope", field: "scope")
        }
        let kept: Session.ID?
        switch request.uri.queryParameters.get("scope").map({ WireText($0) }) {
        case nil: kept = nil
        case let scope? where scope.equals("global"): kept = nil
        case let scope? where scope.equals("others"): kept = identity.sessionID
        default: throw AuthError(.validationFailed, "scope must be global or others", field: "scope")
        }
        try await auth.sessions.endAll(
            of: identity.userID, except: kept, by: caller.identified(as: .user(identity)))
        return .empty()
    }
}

extension Session {
    /// As its owner sees it.
    fileprivate func json(isCurrent: Bool) -> JSON {
        [
            "id": .string(id.description), "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": .string(lastUsedAt.ISO8601Format()), "expires_at": .string(expiresAt.ISO8601Format()),
            "address": origin.address.map(JSON.string) ?? .null,
            "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "amr": ["pwd"], "renewable": .bool(isRenewable), "current": .bool(isCurrent),
        ]
    }
}
