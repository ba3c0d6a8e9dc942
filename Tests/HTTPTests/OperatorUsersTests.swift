import Foundation
import Support
import Testing

/// `/api/operator/users` and `PUT /api/tokens/reset`, tested on the real binary.
@Suite(.server()) struct OperatorUsersTests {
    private let server: RunningServer
    private let boss: Account

    init() async throws {
        server = try SharedServer.current()
        boss = try await Self.newOperator(at: server)
    }

    private static func newOperator(at server: RunningServer) async throws -> Account {
        let account = try await server.newAccount("boss")
        try await server.command("users", "grant", account.name, "rest-auth:operator")
        return account
    }

    private func send(
        _ method: String, _ path: String, _ body: Any? = nil, as authorization: String? = nil,
        at other: RunningServer? = nil
    ) async throws -> HTTPAnswer {
        let text = try body.map { String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self) }
        return try await (other ?? server).send(
            method, "/api/operator/users" + path,
            headers: [authorization ?? boss.basic] + (text == nil ? [] : ["Content-Type: application/json"]), body: text
        )
    }

    private func names(_ answer: HTTPAnswer) throws -> [String] {
        try #require(answer.json["data"] as? [[String: Any]], "\(answer.body)").compactMap { $0["username"] as? String }
    }

    private func after(_ answer: HTTPAnswer) -> String? {
        (answer.json["pagination"] as? [String: Any])?["after"] as? String
    }

    // MARK: Listing

    @Test func usersAreFoundByTheBeginningOfTheirNamesPageAfterPage() async throws {
        let start = RunningServer.newName("List")
        for letter in ["c", "A", "b", "_", "%"] { try await server.register("\(start)\(letter)", "python") }
        var seen: [String] = []
        var cursor: String?
        repeat {
            let answer = try await send(
                "GET", "?q=\(start.uppercased())&limit=2" + (cursor.map { "&after=\($0)" } ?? ""))
            #expect(answer.status == 200 && answer["Cache-Control"] == "no-store")
            seen += try names(answer)
            cursor = after(answer)
        } while cursor != nil && seen.count < 10
        #expect(seen == ["%", "_", "A", "b", "c"].map { start + $0 })
        for (q, found) in [("%25", ["%"]), ("_", ["_"]), ("B", ["b"]), ("d", [])] {
            #expect(try names(await send("GET", "?q=\(start)\(q)")) == found.map { start + $0 })
        }
        try await server.command("users", "grant", start + "b", "auditor")
        try await server.command("users", "disable", start + "c")
        #expect(try names(await send("GET", "?q=\(start)&role=auditor")) == [start + "b"])
        #expect(try names(await send("GET", "?q=\(start)&disabled=true&sort=username")) == [start + "c"])
        #expect(try names(await send("GET", "?q=\(start)&created_after=2100-01-01T00:00:00Z")).isEmpty)
        #expect(try names(await send("GET", "?q=\(start)&created_after=2020-01-01T00:00:00Z")).count == 5)
        let newest = try await send("GET", "?sort=-id&limit=1")
        #expect(try names(newest).count == 1 && after(newest) != nil)
        let entry = try #require((newest.json["data"] as? [[String: Any]])?.first)
        #expect(Set(entry.keys) == ["id", "username", "roles", "created_at", "disabled_at"])
    }

    @Test(arguments: [
        "q=\(String(repeating: "a", count: 10_000))", "q=%00", "q=a%00", "q=%0A", "role=", "role=a%20b",
        "role=%00", "disabled=yes", "disabled=", "disabled=TRUE", "created_after=yesterday", "created_after=",
        "created_after=2026-13-01T00:00:00Z", "created_after=0000-01-01T00:00:00Z", "sort=name", "sort=ID", "sort=",
        "q=a&sort=id", "limit=0", "limit=101", "limit=x", "after=x", "after=", "after=1", "rolle=admin", "Q=a",
    ])
    func whatSelectsNothingIsRefused(query: String) async throws {
        let answer = try await send("GET", "?\(query)")
        #expect(answer.status == 400 || answer.status == 431, "\(answer.body)")
        #expect(answer.status == 431 || answer.code == "validation_failed", "\(answer.body)")
    }

    @Test func aCursorIsGoodForItsOwnListAndAsItIs() async throws {
        _ = try await server.newAccount()
        let cursor = try #require(after(await send("GET", "?limit=1&role=rest-auth:operator&disabled=false")))
        #expect(
            try await send("GET", "?limit=1&role=rest-auth:operator&disabled=false&after=\(cursor)").status == 200)
        for other in [
            "limit=1", "role=rest-auth:operator", "role=admin&disabled=false", "role=rest-auth:operator&disabled=true",
            "role=rest-auth:operator&disabled=false&sort=-id", "role=rest-auth:operator&disabled=false&q=a",
            "role=rest-auth:operator&disabled=false&created_after=2020-01-01T00:00:00Z",
        ] {
            let answer = try await send("GET", "?\(other)&after=\(cursor)")
            #expect(answer.status == 400, "\(other)")
        }
        let flipped = cursor.hasPrefix("A") ? "B" : "A"
        for altered in [flipped + cursor.dropFirst(), String(cursor.dropLast()), cursor + "A", cursor.uppercased()] {
            let answer = try await send("GET", "?role=rest-auth:operator&disabled=false&after=\(altered)")
            #expect(answer.status == 400, "\(altered)")
        }
    }

    // MARK: Who may

    private static let operations = [
        ("GET", ""), ("POST", ""), ("GET", "/1"), ("DELETE", "/1"), ("PUT", "/1/password"),
        ("POST", "/1/password-link"),
        ("POST", "/1/disable"), ("POST", "/1/enable"), ("PUT", "/1/roles/x"), ("DELETE", "/1/roles/x"),
        ("GET", "/1/factors"), ("DELETE", "/1/factors"), ("DELETE", "/1/factors/x"), ("GET", "/1/passkeys"),
        ("DELETE", "/1/passkeys/x"), ("GET", "/1/devices"), ("DELETE", "/1/devices"), ("DELETE", "/1/devices/x"),
        ("GET", "/1/sessions"), ("DELETE", "/1/sessions"), ("DELETE", "/1/sessions/x"), ("GET", "/1/events"),
    ]

    @Test(arguments: operations) func onlyOperatorsAreAdmitted(method: String, path: String) async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "admin", "operator")
        let answer = try await send(method, path, as: miguel.basic)
        #expect(answer.status == 403 && answer.code == "forbidden")
        for headers in [[], [bearer("x")]] {
            let answer = try await server.send(method, "/api/operator/users" + path, headers: headers)
            #expect(answer.status == 401)
        }
    }

    @Test(arguments: operations.filter { $0.1.contains("1") })
    func aUserWhoIsNotThereIsNobody(method: String, path: String) async throws {
        for id in ["0", "999999999", "99999999999999999999999"] {
            let body: [String: String]? = path.hasSuffix("/password") ? ["new_password": "monty"] : nil
            let answer = try await send(method, path.replacing("/1", with: "/\(id)"), body)
            // Events outlast their user.
            #expect(answer.status == (path.hasSuffix("events") ? 200 : 404), "\(answer.body)")
            #expect(path.hasSuffix("events") || answer.code == "user_not_found")
        }
        #expect(try await send(method, path.replacing("/1", with: "/x")).status == 404)
        #expect(try await send(method, path.replacing("/1", with: "/-1")).status == 404)
    }

    // MARK: Adding and changing

    @Test func anOperatorAddsAUserWithALinkWhoSetsThePasswordAndSignsIn() async throws {
        let name = RunningServer.newName("susan")
        let added = try await send("POST", "", ["username": name, "roles": ["auditor"], "password_link": true])
        #expect(added.status == 201 && added["Cache-Control"] == "no-store", "\(added.body)")
        let id = try #require(added.json["id"] as? Int)
        #expect(added["Location"]?.hasSuffix("/api/operator/users/\(id)") == true)
        #expect(added.json["roles"] as? [String] == ["auditor"])
        let link = try #require(added.json["password_link"] as? [String: Any])
        #expect(link["url"] is NSNull && link["expires_at"] is String)
        let token = try #require(link["token"] as? String)
        #expect(try await send("GET", "/\(id)").json["has_password"] as? Bool == false)
        #expect(try await server.send("GET", "/api/token", headers: [basic(name, "")]).status == 401)
        #expect(try await reset(token, "").code == "validation_failed")
        #expect(try await reset(token, "monty").status == 204)
        #expect(try await server.send("GET", "/api/token", headers: [basic(name, "monty")]).status == 200)
        let again = try await reset(token, "python")
        #expect(again.status == 400 && again.code == "link_invalid")
        let shown = try await send("GET", "/\(id)").json
        #expect(
            Set(shown.keys) == [
                "id", "username", "roles", "created_at", "disabled_at", "has_password", "password_changed_at",
                "factors", "passkeys", "recovery_codes_left", "devices", "sessions", "waits", "name", "email",
                "email_verified", "locale", "zoneinfo", "picture", "metadata", "app_metadata",
            ])
        #expect(shown["has_password"] as? Bool == true && shown["sessions"] as? Int == 1)
        let events = try #require(try await send("GET", "/\(id)/events").json["data"] as? [[String: Any]])
        #expect(
            events.compactMap { $0["name"] as? String }.filter { $0 != "network.remembered" }.reversed() == [
                "user.registered", "role.granted", "password.link_made", "password.reset", "session.started",
            ])
        #expect(events.last?["actor"] as? [String: String] == ["kind": "user", "id": "\(boss.id)"])
    }

    private func reset(_ token: Any, _ password: Any) async throws -> HTTPAnswer {
        try await server.send(
            "PUT", "/api/tokens/reset", headers: ["Content-Type: application/json"],
            body: json(["token": token, "new_password": password]))
    }

    @Test func whatIsNoLinkIsRefused() async throws {
        for body in [["token": "x"], ["new_password": "x"], [:]] as [[String: Any]] {
            let answer = try await server.send(
                "PUT", "/api/tokens/reset", headers: ["Content-Type: application/json"], body: json(body))
            #expect(answer.status == 400 && answer.code == "validation_failed")
        }
        #expect(try await reset(1, "x").code == "validation_failed")
        #expect(try await reset("x", "monty").code == "link_invalid")
    }

    @Test func whatCannotBeAUserIsNotAdded() async throws {
        let name = RunningServer.newName("susan")
        let bodies: [[String: Any]] = [
            [:], ["username": ""], ["username": "a:b"], ["username": 1], ["username": boss.name.uppercased()],
            ["username": name, "password": ""], ["username": name, "password": 1], ["username": name, "roles": "a"],
            ["username": name, "roles": [1]], ["username": name, "roles": ["a b"]],
            ["username": name, "password_link": "yes"], ["username": name, "password": "x", "password_link": true],
        ]
        for body in bodies { #expect(try await send("POST", "", body).status == 400, "\(body)") }
        let roles = [["a b"], (0..<16).map { "role-\($0)-" + String(repeating: "x", count: 40) }]
        for roles in roles {
            let answer = try await send("POST", "", ["username": name, "roles": roles])
            #expect(answer.pointer == "/roles", "\(answer.body)")
        }
        for password in ["", "a\u{7}b"] {
            let answer = try await send("PUT", "/\(boss.id)/password", ["new_password": password])
            #expect(answer.pointer == "/new_password", "\(answer.body)")
        }
        #expect(try await send("POST", "", ["username": name, "roles": ["rest-auth:other"]]).code == "forbidden")
        #expect(try names(await send("GET", "?q=\(name)")).isEmpty)
    }

    @Test func anOperatorChangesAUser() async throws {
        let miguel = try await server.newAccount()
        let tokens = try await server.signIn(miguel)
        let path = "/\(miguel.id)"
        let sessions = try #require(try await send("GET", path + "/sessions").json["data"] as? [[String: Any]])
        let session = try #require(sessions.first?["id"] as? String)
        #expect(try await send("DELETE", path + "/sessions/\(session)").status == 204)
        #expect(try await send("DELETE", path + "/sessions/\(session)").code == "session_not_found")
        #expect(try await server.send("GET", "/api/me", headers: [bearer(tokens.access)]).status == 401)
        _ = try await server.signIn(miguel)
        #expect(try await send("DELETE", path + "/sessions").status == 204)
        #expect(try await send("GET", path).json["sessions"] as? Int == 0)
        #expect(try await send("PUT", path + "/roles/auditor").status == 204)
        #expect(try await send("GET", path).json["roles"] as? [String] == ["auditor"])
        #expect(try await send("DELETE", path + "/roles/auditor").status == 204)
        #expect(try await send("PUT", path + "/roles/a%20b").code == "validation_failed")
        #expect(try await send("PUT", path + "/password", ["new_password": "monty"]).status == 204)
        #expect(try await server.send("GET", "/api/token", headers: [basic(miguel.name, "monty")]).status == 200)
        #expect(try await send("POST", path + "/disable").status == 204)
        #expect(try await send("GET", path).json["disabled_at"] is String)
        #expect(try await server.send("GET", "/api/token", headers: [basic(miguel.name, "monty")]).status == 401)
        #expect(try await send("POST", path + "/enable").status == 204)
        #expect(try await server.send("GET", "/api/token", headers: [basic(miguel.name, "monty")]).status == 200)
        for kind in ["factors", "passkeys", "devices"] {
            #expect((try await send("GET", path + "/\(kind)").json[kind] as? [Any])?.isEmpty == true)
        }
        #expect(try await send("DELETE", path + "/factors").code == "factor_not_found")
        #expect(try await send("DELETE", path + "/factors/x").code == "factor_not_found")
        #expect(try await send("DELETE", path + "/passkeys/x").code == "passkey_not_found")
        #expect(try await send("DELETE", path + "/devices/x").code == "device_not_found")
        #expect(try await send("DELETE", path + "/devices").status == 204)
        #expect(try await send("DELETE", path).status == 204)
        let gone = try await send("GET", path)
        #expect(gone.status == 404 && gone.code == "user_not_found")
        // As the server before answered, for these two paths alone.
        for inherited in ["/api/users/\(miguel.id)", "/api/user/\(miguel.id)"] {
            let answer = try await server.send("GET", inherited)
            #expect(answer.status == 400 && answer.code == "user_not_found")
            #expect(answer.json["title"] as? String == "There is no such user")
        }
        #expect(try names(await send("GET", "?q=\(miguel.name)")).isEmpty)
    }

    // MARK: The last operator

    /// On a server of its own, where nobody else is one.
    @Test func anOperatorCannotLockTheLastOneOut() async throws {
        let server = try await RunningServer()
        let name = RunningServer.newName("first")
        let added = try await server.run(["users", "add", name, "--operator", "--password-stdin"], input: "python\n")
        #expect(added.status == 0 && added.output.hasSuffix("with id 1, an operator.\n"), "\(added)")
        let first = basic(name, "python")
        func expectRefusal(_ method: String, _ path: String) async throws {
            let answer = try await send(method, path, as: first, at: server)
            #expect(answer.status == 409 && answer.code == "last_operator", "\(method) \(path): \(answer.body)")
        }
        for (method, path) in [("POST", "/1/disable"), ("DELETE", "/1"), ("DELETE", "/1/roles/rest-auth:operator")] {
            try await expectRefusal(method, path)
        }
        #expect(try await server.send("DELETE", "/api/me", headers: [first]).code == "last_operator")
        let miguel = try await server.newAccount()
        for _ in 0..<3 { try await server.send("GET", "/api/token", headers: [basic(miguel.name, "wrong")]) }
        let shown = try await send("GET", "/\(miguel.id)", as: first, at: server)
        let waits = try #require(shown.json["waits"] as? [[String: Any]], "\(shown.body)")
        #expect(waits.contains { $0["count"] as? Int == 3 && $0["is_blocked"] as? Bool == false })
        // With another one it can go; of two that disable each other at once, one stays.
        let second = try await server.newAccount("second")
        #expect(try await send("PUT", "/\(second.id)/roles/rest-auth:operator", as: first, at: server).status == 204)
        async let one = send("POST", "/\(second.id)/disable", as: first, at: server)
        async let other = send("POST", "/1/disable", as: second.basic, at: server)
        let answers = try await [one, other]
        #expect(answers.count { $0.status == 204 } == 1, "\(answers.map { $0.body })")
        #expect(answers.allSatisfy { [204, 409, 401, 403].contains($0.status) })
        try await server.command("users", "disable", name)
        try await server.command("users", "disable", second.name)
    }
}
