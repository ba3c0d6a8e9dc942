import Foundation
import Support
import Testing

/// What a service account with the scope `operator` may not do to operators, and how its deeds are
/// recorded.
@Suite(.server()) struct OperatorServiceTests {
    private let server: RunningServer
    private let boss: Account
    private let miguel: Account
    private let service: String
    private let credential: ProgramCredential

    init() async throws {
        server = try SharedServer.current()
        boss = try await server.newOperator()
        miguel = try await server.newAccount()
        (service, credential) = try await server.serviceToken(scopes: ["operator"])
    }

    private func send(_ method: String, _ path: String, _ body: [String: Any]? = nil) async throws -> HTTPAnswer {
        try await server.send(
            method, "/api/operator/" + path,
            headers: [credential.bearer] + (body == nil ? [] : ["Content-Type: application/json"]),
            body: body.map { json($0) })
    }

    /// The requests that change an account, or end what is going on there.
    private func requests(on account: Account) async throws -> [(method: String, path: String)] {
        _ = try await server.signIn(account)
        let listed = try await server.send("GET", "/api/operator/users/\(account.id)/sessions", as: boss)
        let session = try #require(listed.entries.first?["id"] as? String)
        let token = try await server.personalToken(of: account).id
        return [
            ("DELETE", "sessions/\(session)"), ("DELETE", "users/\(account.id)/sessions/\(session)"),
            ("DELETE", "users/\(account.id)/sessions"), ("DELETE", "users/\(account.id)/tokens/\(token)"),
            ("DELETE", "users/\(account.id)/tokens"), ("DELETE", "users/\(account.id)/factors/x"),
            ("DELETE", "users/\(account.id)/factors"), ("DELETE", "users/\(account.id)/passkeys/x"),
            ("DELETE", "users/\(account.id)/devices/x"), ("DELETE", "users/\(account.id)/devices"),
            ("DELETE", "throttle?user=\(account.name)"), ("POST", "users/\(account.id)/password-link"),
            ("PUT", "users/\(account.id)/roles/x"), ("POST", "users/\(account.id)/disable"),
            ("POST", "users/\(account.id)/enable"), ("DELETE", "users/\(account.id)"),
        ]
    }

    @Test func itLeavesOperatorsAlone() async throws {
        for (method, path) in try await requests(on: boss) {
            let answer = try await send(method, path)
            #expect(answer.status == 403 && answer.code == "forbidden", "\(method) \(path): \(answer.body)")
        }
        for path in ["throttle?all=true", "throttle?address=192.0.2.1"] {
            let answer = try await send("DELETE", path)
            #expect(answer.status == 403 && answer.code == "forbidden", "\(path): \(answer.body)")
        }
        let export = try await send("GET", "users/export?include_password_hashes=true")
        #expect(export.status == 403 && export.code == "forbidden")
        let set = try await send("PUT", "users/\(boss.id)/password", ["new_password": "monty"])
        #expect(set.status == 403 && set.code == "forbidden")
        let sessions = try await server.send("GET", "/api/operator/users/\(boss.id)/sessions", as: boss)
        #expect(!sessions.entries.isEmpty)
        let tokens = try await server.send("GET", "/api/operator/users/\(boss.id)/tokens", as: boss)
        #expect((tokens.json["tokens"] as? [Any])?.count == 1)
    }

    @Test func itChangesEverybodyElse() async throws {
        for (method, path) in try await requests(on: miguel) {
            let answer = try await send(method, path)
            let isDone = (200..<300).contains(answer.status)
            #expect(isDone || answer.code?.hasSuffix("_not_found") == true, "\(method) \(path): \(answer.body)")
        }
        #expect(try await send("GET", "users/\(miguel.id)").code == "user_not_found")
    }

    @Test func itsDeedsNameItAndTheToken() async throws {
        #expect(try await send("PUT", "users/\(miguel.id)/roles/x").status == 204)
        let trail = try await server.send("GET", "/api/operator/users/\(miguel.id)/events", as: boss)
        let granted = try #require(trail.entries.first { $0["name"] as? String == "role.granted" })
        #expect(granted["actor"] as? [String: String] == ["kind": "service", "id": service])
        #expect(granted["details"] as? [String: String] == ["by_token": credential.id, "role": "x"])
        let own = try await server.send("GET", "/api/me/events", as: miguel)
        let seen = try #require(own.entries.first { $0["name"] as? String == "role.granted" })
        #expect(seen["actor"] as? String == "service" && seen["details"] as? [String: String] == ["role": "x"])
        // A user who comes with a personal token is the user, and the token is named.
        let personal = try await server.personalToken(of: miguel, scopes: ["sessions"])
        let tokens = try await server.signIn(miguel)
        #expect(try await server.send("DELETE", "/api/me/sessions", headers: [personal.bearer]).status == 204)
        #expect(try await server.send("GET", "/api/me", headers: [bearer(tokens.access)]).status == 401)
        let later = try await server.send("GET", "/api/operator/users/\(miguel.id)/events?limit=1", as: boss)
        #expect(later.entries.first?["name"] as? String == "session.ended")
        #expect(later.entries.first?["actor"] as? [String: String] == ["kind": "user", "id": "\(miguel.id)"])
        #expect(later.entries.first?["details"] as? [String: String] == ["by_token": personal.id])
    }

    // MARK: Texts that cannot be

    @Test(arguments: [
        "users?q=%00", "users?role=a%00", "users?after=%00", "users?created_after=%00", "users?sort=id%00",
        "users?disabled=%00", "users/1/sessions?after=%00", "users/1/events?after=%00", "events?after=%00",
        "events?event=%00", "events?since=%00", "events?until=1d%00", "events?id=%00", "clients?after=%00",
        "invitations?after=%00", "keys?after=%00", "throttle?after=%00", "throttle?blocked=%00",
        "throttle?after=WyJhY2NvdW50IiwiYVx1MDAwMCIsIiIsMF0", "service-accounts?after=a%00",
        "service-accounts?after=..", "users/export?include_password_hashes=%00",
    ])
    func aParameterWithANULIsRefused(path: String) async throws {
        let answer = try await server.send("GET", "/api/operator/" + path, as: boss)
        #expect(answer.status == 400 && answer.code == "validation_failed", "\(answer.status) \(answer.body)")
    }

    @Test(arguments: [
        ("GET", "events?user=a%00"), ("GET", "clients/%00"), ("DELETE", "clients/a%00"), ("GET", "invitations/%00"),
        ("DELETE", "invitations/a%00"), ("DELETE", "keys/a%00"), ("DELETE", "sessions/%00"),
        ("GET", "service-accounts/a%00"), ("DELETE", "service-accounts/%00"),
        ("DELETE", "service-accounts/%00/tokens/x"),
        ("DELETE", "throttle?user=a%00"), ("DELETE", "throttle?address=%00"), ("DELETE", "users/ID/factors/a%00"),
        ("DELETE", "users/ID/passkeys/a%00"), ("DELETE", "users/ID/devices/a%00"), ("DELETE", "users/ID/tokens/a%00"),
        ("DELETE", "users/ID/sessions/a%00"), ("PUT", "users/ID/roles/a%00"), ("DELETE", "users/ID/roles/a%00"),
    ])
    func whatIsNamedWithANULIsNotThere(method: String, path: String) async throws {
        let path = path.replacing("ID", with: "\(miguel.id)")
        let answer = try await server.send(method, "/api/operator/" + path, as: boss)
        #expect([400, 404].contains(answer.status), "\(answer.status) \(answer.body)")
    }

    @Test(arguments: [".", ".."])
    func whatMeansAnotherPlaceInAPathIsNoName(text: String) async throws {
        for (path, field) in [("clients", "client_id"), ("service-accounts", "id")] {
            let answer = try await send("POST", path, [field: text])
            #expect(answer.status == 400 && answer.pointer == "/\(field)", "\(path): \(answer.body)")
        }
        let added = try await send("POST", "users", ["username": RunningServer.newName(), "roles": [text]])
        #expect(added.status == 400 && added.code == "validation_failed", "\(added.body)")
    }
}
