import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// What the tokens of programs reach: every route is tried with every scope, and a program reaches
/// nothing that the table does not name.
@Suite struct ScopeTableTests {
    /// The scope by which a user's program reaches an operation. What is missing here is for no
    /// program.
    private static let ofUsers: [String: String] = [
        "showMe": Scope.profile, "changeMe": Scope.profile, "listEvents": Scope.profile,
        "listUsers": Scope.profile, "showUser": Scope.profile, "showUserByOtherPath": Scope.profile,
        "listSessions": Scope.sessions, "endSessions": Scope.sessions, "endOneSession": Scope.sessions,
        "listTokens": Scope.tokens, "deleteToken": Scope.tokens, "showToken": Scope.tokens,
        "rotateToken": Scope.tokens,
    ]

    private static let words = [
        Scope.profile, Scope.sessions, Scope.tokens, Scope.operator, Scope.operatorRead, "notes:write",
    ]

    private let auth: Auth

    init() async throws {
        var configuration = AuthConfiguration()
        configuration.throttle.isOn = false
        auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        let user = try await auth.users.register("miguel", password: "python")
        try await auth.users.grant(Role.operator, to: user.id)
        try await auth.serviceAccounts.add("backup")
    }

    // MARK: What is expected

    private func isOperators(_ route: Route) -> Bool {
        route.path == "/api/operator" || WireText(route.path).begins(with: "/api/operator/")
    }

    private func isOpen(_ route: Route) -> Bool {
        route.path == "/api/resource"
    }

    /// The scope that a route takes of operators' programs.
    private func operatorsScope(_ route: Route) -> String {
        route.method == .get ? Scope.operatorRead : Scope.operator
    }

    private func isForUsersProgram(_ route: Route, _ scope: Set<String>) -> Bool {
        if isOpen(route) { return true }
        // A program of a user does not sign in, as changes of an operator ask for.
        if isOperators(route) { return route.method == .get && scope.allows(operatorsScope(route)) }
        return Self.ofUsers[route.operationID].map(scope.contains) ?? false
    }

    private func isForService(_ route: Route, _ scope: Set<String>) -> Bool {
        isOpen(route) || isOperators(route) && scope.allows(operatorsScope(route))
    }

    // MARK: What is sent

    private func routes() -> [Route] {
        var configuration = AuthRoutesConfiguration()
        configuration.publicUsers = false
        return auth.routeTable(configuration: configuration).routes
    }

    /// The refusal of a request with that token, if it is for want of a scope or of a user.
    private func refusal(_ route: Route, _ token: String, _ client: some TestClientProtocol) async throws -> String? {
        // Operators are changed by operators only: what they do is done to nobody.
        let path = route.path.replacing("{id}", with: isOperators(route) ? "99" : "1").replacing("**", with: "x")
            .replacing(/\{[a-z_]+\}/, with: "1")
        var headers: HTTPFields = [.authorization: "Bearer \(token)"]
        if route.method != .get { headers[.contentType] = "application/json" }
        return try await client.execute(
            uri: path, method: route.method, headers: headers,
            body: route.method == .get ? nil : ByteBuffer(string: "{}")
        ) { response -> String? in
            let code = JSON(Array(response.body.readableBytesView))?["code"]?.string
            guard response.status == .forbidden, let code, ["insufficient_scope", "forbidden"].contains(code) else {
                #expect(response.status != .unauthorized, "\(route.operationID)")
                return nil
            }
            #expect(response.headers[.wwwAuthenticate]?.contains(#"error="insufficient_scope""#) == true)
            return code
        }
    }

    private func each(_ check: @escaping @Sendable (Route, any TestClientProtocol) async throws -> Void) async throws {
        let router = Router(context: BasicRequestContext.self)
        var configuration = AuthRoutesConfiguration()
        configuration.publicUsers = false
        auth.addRoutes(to: router, configuration: configuration)
        try await Application(router: router).test(.router) { client in
            for route in routes() where route.audience == .user { try await check(route, client) }
        }
    }

    // MARK: The walk

    @Test func aPersonalTokenReachesWhatItsScopeNames() async throws {
        let user = try await auth.login.identify("miguel", password: "python")
        for scope in Self.words.map({ Set([$0]) }) + [Set(Self.words)] {
            let token = try await auth.personalTokens.create("test", scopes: Array(scope), for: user)
            try await each { route, client in
                // A token may delete and rotate itself: not here.
                let refusal = try await refusal(route, token.value, client)
                let isExpected = isForUsersProgram(route, scope)
                #expect(
                    (refusal != "insufficient_scope") == isExpected,
                    "\(route.operationID) with \(scope): \(refusal ?? "")")
                if isExpected { #expect(refusal == nil, "\(route.operationID) with \(scope)") }
            }
        }
        // Nothing was done by those that were refused.
        #expect(try await auth.users.find(user.userID).username == "miguel")
        _ = try await auth.login.identify("miguel", password: "python")
    }

    @Test func aServiceAccountReachesNothingOfUsers() async throws {
        for scope in Self.words.map({ Set([$0]) }) + [Set(Self.words)] {
            let token = try await auth.serviceAccounts.createToken("test", scopes: Array(scope), of: "backup")
            try await each { route, client in
                let refusal = try await refusal(route, token.value, client)
                let isExpected = isForService(route, scope)
                #expect((refusal == nil) == isExpected, "\(route.operationID) with \(scope): \(refusal ?? "")")
                if !isExpected, !isOperators(route) { #expect(refusal == "forbidden", "\(route.operationID)") }
            }
            try await auth.serviceAccounts.deleteToken(token.token.id, of: "backup")
        }
    }

    @Test func everyOperationOfTheTableIsThere() {
        let known = Set(routes().map(\.operationID))
        for name in Self.ofUsers.keys { #expect(known.contains(name), "\(name)") }
    }

    /// What reads a token by itself, whoever may ask.
    @Test(arguments: ["startSession", "endSession"]) func aProgramIsNoSession(operation: String) async throws {
        let user = try await auth.login.identify("miguel", password: "python")
        let personal = try await auth.personalTokens.create("test", scopes: Self.words, for: user).value
        let service = try await auth.serviceAccounts.createToken("test", scopes: Self.words, of: "backup").value
        let route = try #require(routes().first { $0.operationID == operation })
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        try await Application(router: router).test(.router) { client in
            for (token, code) in [(personal, "insufficient_scope"), (service, "forbidden")] {
                let refusal = try await refusal(route, token, client)
                #expect(refusal == code || operation == "endSession" && refusal == "insufficient_scope")
            }
        }
    }
}
