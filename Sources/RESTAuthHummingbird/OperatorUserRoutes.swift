import Foundation
import HTTPTypes
import Hummingbird
import Logging
import RESTAuth

/// `/api/operator/users`: list, add, show, change and delete users.
struct OperatorUserRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        [
            Route(.get, "/api/operator/users", .operator(auth, changing: false), "listUsersAsOperator") {
                _, request in try await list(request)
            },
            Route(.post, "/api/operator/users", .operator(auth, changing: true), "addUser") { _, request in
                try await add(request)
            },
            Route(.get, "/api/operator/users/{id}", .operator(auth, changing: false), "showUserAsOperator") {
                _, request in
                _ = try Query(request.http, known: [])
                return try await show(request.userID)
            },
            changing(.delete, "", "deleteUser") { id, request in
                try await auth.users.delete(id, by: request.caller)
                return .empty()
            },
            changing(.put, "/password", "setUserPassword") { id, request in
                try await setPassword(of: id, request)
            },
            changing(.post, "/password-link", "makePasswordLink", hasBody: false) { id, request in
                let link = try await auth.passwords.makeLink(for: id, by: request.caller)
                return Response.json(link.json, status: .created).notStored()
            },
            changing(.post, "/disable", "disableUser", hasBody: false) { id, request in
                try await auth.users.disable(id, by: request.caller)
                return .empty()
            },
            changing(.post, "/enable", "enableUser", hasBody: false) { id, request in
                try await auth.users.enable(id, by: request.caller)
                return .empty()
            },
            changing(.put, "/roles/{role}", "grantRole") { id, request in
                try await auth.users.grant(request.segment("role"), to: id, by: request.caller)
                return .empty()
            },
            changing(.delete, "/roles/{role}", "revokeRole") { id, request in
                try await auth.users.revoke(request.segment("role"), from: id, by: request.caller)
                return .empty()
            },
        ]
    }

    /// A route below `/api/operator/users/{id}` that changes something.
    /// - Parameter hasBody: whether the handler reads the body; otherwise its fields are named as
    ///   not understood.
    private func changing(
        _ method: HTTPRequest.Method, _ path: String, _ operationID: String, hasBody: Bool = true,
        handler: @escaping @Sendable (User.ID, RoutedRequest) async throws -> Response
    ) -> Route {
        Route(method, "/api/operator/users/{id}\(path)", .operator(auth, changing: true), operationID) { _, request in
            _ = try Query(request.http, known: [])
            guard !hasBody else { return try await handler(request.userID, request) }
            let fields = try await body.fieldsIfPresent(request.http, known: [])
            return try await fields.named(in: request.http) { try await handler(request.userID, request) }
        }
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    // MARK: Listing

    private static let parameters: [StaticString] = [
        "q", "role", "disabled", "created_after", "sort", "after", "limit",
    ]

    private func list(_ request: RoutedRequest) async throws -> Response {
        let query = try Query(request.http, known: Self.parameters)
        let page = try Page(query) { $0 }
        var selection = try selection(query.value("q"), sort: query.value("sort"))
        selection.role = try query.value("role")
        selection.isDisabled = try query.value("disabled") == nil ? nil : query.flag("disabled")
        selection.createdAfter = try query.value("created_after").map { text throws(AuthError) in
            guard let date = Timestamp.date(text.utf8), Timestamp.possible.contains(date) else {
                throw AuthError(
                    .validationFailed, "created_after is a time such as 2026-11-28T10:18:26Z", field: "created_after")
            }
            return date
        }
        let found = try await auth.users.list(matching: selection, after: page.after, limit: page.limit)
        return page.answer(found.users.map(\.json), next: found.next).notStored()
    }

    private func selection(_ prefix: String?, sort: String?) throws(AuthError) -> UserQuery {
        let order = try sort.map { text throws(AuthError) in
            guard let order = UserQuery.Order.allCases.first(where: { $0.rawValue.utf8.elementsEqual(text.utf8) })
            else {
                throw AuthError(
                    .validationFailed, "sort is id, -id, username, created_at or -created_at", field: "sort")
            }
            return order
        }
        guard let prefix else { return UserQuery(order: order ?? .id) }
        guard order == nil || order == .username else {
            throw AuthError(.validationFailed, "with q the list is sorted by username", field: "sort")
        }
        return try UserQuery(prefix: prefix)
    }

    // MARK: One user

    private func add(_ request: RoutedRequest) async throws -> Response {
        _ = try Query(request.http, known: [])
        let location = try RequestOrigin(request.http, configuration: configuration)
        let fields = try await body.fields(
            request.http, known: ["username", "password", "roles", "password_link"])
        return try await fields.named(in: request.http) {
            let (name, password) = try (fields.requiredString("username"), fields.optionalString("password"))
            let roles = try fields.optionalStrings("roles") ?? []
            let isLinked = try fields.optionalBool("password_link") ?? false
            guard !isLinked || password == nil else {
                throw AuthError(
                    .validationFailed, "give a password, or ask for a link, not both", field: "password_link")
            }
            let user = try await auth.users.add(name, password: password, roles: Set(roles), by: request.caller)
            let link = isLinked ? await makeLink(for: user.id, by: request.caller) : nil
            var response = Response.json(
                user.json.adding([("password_link", link?.json ?? .null)]), status: .created
            ).notStored()
            response.headers[.location] = location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(user.id)")
            return response
        }
    }

    /// The link of a new user, who is stored whatever becomes of it: without one the operator asks
    /// for another.
    private func makeLink(for id: User.ID, by caller: Caller) async -> PasswordLink? {
        do {
            return try await auth.passwords.makeLink(for: id, by: caller)
        } catch {
            Logger.current.error("a new user got no link", metadata: ["user_id": "\(id)", "error": "\(error)"])
            return nil
        }
    }

    private func show(_ id: User.ID) async throws -> Response {
        let account = try await auth.users.account(of: id)
        let profile = try await auth.profiles.profile(of: id)
        let factors = try await auth.factors.list(of: id)
        let devices = try await auth.trustedDevices.list(of: id)
        let waits = try await auth.throttle.counters(of: account.user)
        return Response.json(
            account.user.json.adding(profile.members).adding([
                ("has_password", .bool(account.hasPassword)),
                ("password_changed_at", .string(account.passwordChangedAt.ISO8601Format())),
                ("factors", .integer(factors.confirmed.count)), ("passkeys", .integer(factors.passkeys)),
                ("recovery_codes_left", .integer(factors.recoveryCodes)), ("devices", .integer(devices.count)),
                ("sessions", .integer(account.sessions)),
                ("waits", .array(waits.map { $0.json(until: auth.throttle.blockedUntil($0)) })),
            ])
        ).notStored()
    }

    private func setPassword(of id: User.ID, _ request: RoutedRequest) async throws -> Response {
        let fields = try await body.fields(request.http, known: ["new_password"])
        return try await fields.named(in: request.http) {
            let password = try fields.requiredString("new_password")
            try await auth.passwords.set(password, for: auth.users.find(id), by: request.caller)
            return .empty()
        }
    }
}

extension RoutedRequest {
    /// The user of the path. A text that is no number of a user's becomes 0, which is nobody's.
    var userID: User.ID {
        get throws {
            let segment = try WireText(segment("id"))
            guard segment.isDigits else { throw Problem.notFound }
            return segment.decimalNumber ?? 0
        }
    }
}

extension RequestFields {
    /// The value of a field that is a list of strings; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type.
    func optionalStrings(_ name: String) throws(AuthError) -> [String]? {
        guard let values = try optionalArray(name) else { return nil }
        let strings = values.compactMap(\.string)
        guard strings.count == values.count else {
            throw AuthError(.validationFailed, "\(name) must be a list of strings", field: name)
        }
        return strings
    }
}

extension User {
    /// The user for operators.
    var json: JSON {
        [
            "id": .integer(Int(id)), "username": .string(username), "roles": .array(roles.sorted().map(JSON.string)),
            "created_at": .string(createdAt.ISO8601Format()),
            "disabled_at": disabledAt.map { .string($0.ISO8601Format()) } ?? .null,
        ]
    }
}

extension ThrottleCounter {
    /// - Parameter until: the time until which it blocks; `nil` when it does not.
    fileprivate func json(until: Date?) -> JSON {
        [
            "kind": .string(subject.kind.rawValue), "network": subject.network.map { .string($0.description) } ?? .null,
            "count": .integer(failures), "is_blocked": .bool(until != nil),
            "blocked_until": until.map { $0 == .distantFuture ? .null : .string($0.ISO8601Format()) } ?? .null,
        ]
    }
}
