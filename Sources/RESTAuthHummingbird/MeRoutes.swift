import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// `/api/me` and below: the user's own account.
struct MeRoutes: Sendable {
    let auth: Auth
    /// Makes the answer with new tokens when the password has changed.
    let sessionRoutes: SessionRoutes
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        [
            Route(.get, "/api/me", .user(auth, scope: Scope.profile), "showMe") { user, _ in try await show(user) },
            Route(.delete, "/api/me", .user(auth), "deleteMe") { user, request in try await delete(user, request) },
            Route(.put, "/api/me/password", .user(auth), "changePassword") { user, request in
                try await changePassword(of: user, request)
            },
            Route(.get, "/api/me/sessions", .user(auth, scope: Scope.sessions), "listSessions") { user, request in
                try await listSessions(of: user, request)
            },
            Route(.delete, "/api/me/sessions", .user(auth, scope: Scope.sessions), "endSessions") { user, request in
                try await endSessions(of: user, request)
            },
            Route(.delete, "/api/me/sessions/{id}", .user(auth, scope: Scope.sessions), "endOneSession") {
                user, request in
                try await endSession(request.segment("id"), of: user, by: request.caller)
            },
        ]
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func show(_ identity: UserIdentity) async throws -> Response {
        .json(try await auth.profiles.stored(identity).ownJSON)
    }

    private func delete(_ identity: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let fields = try await body.fieldsIfPresent(request.http, known: ["password"])
        return try await fields.named(in: request.http) {
            let password = try fields.optionalString("password")
            do {
                try await auth.users.deleteAccount(of: identity, confirming: password, by: request.caller)
            } catch let error as AuthError where password == nil && error.code == .validationFailed {
                throw fields.naming(ignored: error)
            }
            return .empty()
        }
    }

    /// Changes the password. Every token from before is refused, so a user who came with one is
    /// given another.
    private func changePassword(of identity: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let fields = try await body.fields(request.http, known: ["current_password", "new_password"])
        return try await fields.named(in: request.http) {
            let tokens = try await auth.passwords.change(
                from: fields.requiredString("current_password"), to: fields.requiredString("new_password"),
                for: identity, by: request.caller)
            guard let tokens else { return .empty() }
            let own = RequestOrigin.path(of: request.http, configuration: configuration)
            return sessionRoutes.answer(
                tokens.access, tokens.refresh, to: request.http, path: own.droppingSegment.droppingSegment + "/tokens")
        }
    }

    // MARK: Sessions

    private func listSessions(of identity: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let page = try Page(request.http) { Session.ID($0) }
        let sessions = try await auth.sessions.list(of: identity.userID, after: page.after, limit: page.limit)
        return page.answer(sessions.map { $0.json(isCurrent: $0.id == identity.sessionID) }, last: sessions.last?.id)
            .notStored()
    }

    private func endSession(
        _ segment: String, of identity: UserIdentity, by caller: Caller
    ) async throws -> Response {
        guard let id = Session.ID(segment) else { throw AuthError(.sessionNotFound, "there is no such session") }
        try await auth.sessions.end(id, of: identity.userID, by: caller)
        return .empty()
    }

    /// Ends all sessions; `scope=others` spares the one that asks. Any other parameter or value is
    /// refused, so that a misspelt `scope` ends nothing.
    private func endSessions(of identity: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let query = try Query(request.http, known: ["scope"])
        let kept: Session.ID?
        switch try query.value("scope").map({ WireText($0) }) {
        case nil: kept = nil
        case let scope? where scope.equals("global"): kept = nil
        case let scope? where scope.equals("others"): kept = identity.sessionID
        default: throw AuthError(.validationFailed, "scope must be global or others", field: "scope")
        }
        try await auth.sessions.endAll(of: identity.userID, except: kept, by: request.caller)
        return .empty()
    }
}

extension Session {
    /// The session as its owner, and operators, see it.
    func json(isCurrent: Bool) -> JSON {
        [
            "id": .string(id.description), "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": .string(lastUsedAt.ISO8601Format()), "expires_at": .string(expiresAt.ISO8601Format()),
            "address": origin.address.map(JSON.string) ?? .null,
            "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "authenticated_at": .string(authentication.at.ISO8601Format()),
            "amr": .array(authentication.methods.map { .string($0.rawValue) }),
            "acr": authentication.contextClass.map(JSON.string) ?? .null, "renewable": .bool(isRenewable),
            "current": .bool(isCurrent),
        ]
    }
}
