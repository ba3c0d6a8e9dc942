import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

extension ProfilesRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        let routes = ProfileRoutes(auth: auth, configuration: configuration)
        return [RouteGroup(.account, routes.ofAccount), RouteGroup(.operator, routes.ofOperator)]
    }
}

/// `PATCH /api/me` and `PUT /api/me/username` for users, and the same at `/api/operator/users/{id}`
/// for operators.
struct ProfileRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var ofAccount: [Route] {
        [
            Route(.patch, "/api/me", .user(auth, scope: Scope.profile), "changeMe") { user, request in
                let stored = try await patch(user.userID, as: .owner(user), request)
                return Response.json(stored.ownJSON).notStored()
            },
            Route(.put, "/api/me/username", .user(auth), "changeUsername") { user, request in
                try await rename(request) { name in
                    _ = try await auth.profiles.rename(user, to: name, by: request.caller)
                    return try await auth.profiles.stored(user).ownJSON
                }
            },
        ]
    }

    var ofOperator: [Route] {
        let path = "/api/operator/users/{id}"
        return [
            Route(.patch, path, .operator(auth, changing: true), "changeUser") { _, request in
                let stored = try await patch(id(of: request), as: .operator, request)
                return Response.json(stored.json).notStored()
            },
            Route(.put, "\(path)/username", .operator(auth, changing: true), "changeUsernameOfUser") { _, request in
                let id = try id(of: request)
                return try await rename(request) { name in
                    try await auth.profiles.rename(id, to: name, by: request.caller)
                    return try await auth.profiles.stored(id).json
                }
            },
        ]
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    /// The id in the path. A number too large for an id becomes 0, which is no user's.
    private func id(of request: RoutedRequest) throws -> User.ID {
        let segment = try WireText(request.segment("id"))
        guard segment.isDigits else { throw Problem.notFound }
        return segment.decimalNumber ?? 0
    }

    private func patch(
        _ id: User.ID, as editor: Profiles.Editor, _ request: RoutedRequest
    ) async throws -> StoredProfile {
        let patch = try await body.mergePatch(request.http)
        return try await auth.profiles.patch(patch, of: id, as: editor, by: request.caller)
    }

    private func rename(
        _ request: RoutedRequest, _ change: @Sendable (String) async throws -> JSON
    ) async throws -> Response {
        let fields = try await body.fields(request.http, known: ["username"])
        return try await fields.named(in: request.http) {
            let name = try fields.requiredString("username")
            return Response.json(try await change(name)).notStored()
        }
    }
}

extension StoredProfile {
    /// The account as its owner sees it.
    var ownJSON: JSON {
        let account: JSON = [
            "id": .integer(Int(user.id)), "username": .string(user.username),
            "roles": .array(user.roles.sorted().map(JSON.string)),
            "created_at": .string(user.createdAt.ISO8601Format()),
        ]
        return account.adding(profile.members)
    }

    /// The account as operators see it.
    var json: JSON {
        let account: JSON = [
            "id": .integer(Int(user.id)), "username": .string(user.username),
            "roles": .array(user.roles.sorted().map(JSON.string)),
            "created_at": .string(user.createdAt.ISO8601Format()),
            "disabled_at": user.disabledAt.map { .string($0.ISO8601Format()) } ?? .null,
        ]
        return account.adding(profile.members)
    }
}
