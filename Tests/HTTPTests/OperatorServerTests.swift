import Foundation
import Support
import Testing

/// What an operator sees and changes of the server itself.
@Suite(.server()) struct OperatorServerTests {
    private let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private static let reading = [
        "events", "audit/head", "keys", "clients", "invitations", "throttle", "settings", "users/export",
    ]
    private static let changing = [
        ("POST", "keys/rotate"), ("DELETE", "keys/x"), ("POST", "clients"), ("DELETE", "clients/x"),
        ("POST", "invitations"), ("DELETE", "invitations/x"), ("DELETE", "throttle?all=true"),
        ("DELETE", "sessions/01a1fdf9-b0f6-75b6-a9ee-6c3a2af90282"), ("POST", "users/import"),
    ]

    @Test func onlyAnOperatorGetsIn() async throws {
        let (miguel, other) = try await (server.newAccount(), server.newAccount("susan"))
        try await server.command("users", "grant", miguel.name, "admin", "operator", "rest-auth:other")
        for (method, path) in Self.reading.map({ ("GET", $0) }) + Self.changing {
            for account in [miguel, other] {
                let answer = try await server.send(method, "/api/operator/\(path)", as: account)
                #expect(answer.status == 403 && answer.code == "forbidden", "\(method) \(path)")
            }
            let wrong = try await server.send(method, "/api/operator/\(path)", headers: [basic(miguel.name, "x")])
            #expect(wrong.status == 401 && wrong.code == "invalid_credentials", "\(method) \(path)")
            let nobody = try await server.send(method, "/api/operator/\(path)")
            #expect(nobody.status == 401 && nobody.code == "credentials_required", "\(method) \(path)")
            let page = try await server.send(
                method, "/api/operator/\(path)", headers: [miguel.basic, "Origin: https://evil.example"])
            #expect(page.status == 403 && page.code == "cross_site_request", "\(method) \(path)")
        }
    }

    @Test func aRoleThatWasTakenOpensNothingAnyMore() async throws {
        let boss = try await server.newOperator()
        let token = bearer(try await server.signIn(boss).access)
        #expect(try await server.send("GET", "/api/operator/events", headers: [token]).status == 200)
        try await server.command("users", "revoke", boss.name, "rest-auth:operator")
        #expect(try await server.send("GET", "/api/operator/events", as: boss).status == 403)
        try await wait(for: "the token to be refused") {
            try await server.send("GET", "/api/operator/events", headers: [token]).status == 401
        }
    }

    // MARK: Events

    @Test func theEventsAreThoseOfTheCommand() async throws {
        let (boss, miguel) = try await (server.newOperator(), server.newAccount())
        try await server.command("users", "disable", miguel.name)
        try await server.command("users", "enable", miguel.name)
        func names(_ query: String) async throws -> [String] {
            let answer = try await server.send("GET", "/api/operator/events?\(query)", as: boss)
            #expect(answer.status == 200, "\(answer.body)")
            return answer.entries.compactMap { $0["name"] as? String }
        }
        let all = ["user.enabled", "user.disabled", "user.registered"]
        #expect(try await names("user=\(miguel.name)") == all)
        #expect(try await names("id=\(miguel.id)") == all)
        #expect(try await names("id=\(miguel.id)&event=user.enabled&event=user.registered") == [all[0], all[2]])
        #expect(try await names("id=\(miguel.id)&since=1d&until=2999-01-01") == all)
        #expect(try await names("id=\(miguel.id)&since=100000d") == all)
        #expect(try await names("id=\(miguel.id)&since=9223372036854775s") == all)
        #expect(try await names("id=\(miguel.id)&since=2999-01-01T00:00:00%2B01:00") == [])
        #expect(try await names("id=\(miguel.id)&until=1h") == [])
        #expect(try await names("id=\(miguel.id)&until=0001-01-01") == [])
        let first = try await server.send("GET", "/api/operator/events?id=\(miguel.id)&limit=2", as: boss)
        let after = try #require(first.next)
        #expect(first.entries.count == 2)
        #expect(try await names("id=\(miguel.id)&limit=2&after=\(after)") == [all[2]])
        let event = try #require(first.entries.first)
        #expect((event["actor"] as? [String: Any])?["kind"] as? String == "operator")
        #expect(
            Set(event.keys) == [
                "id", "number", "at", "name", "user_id", "session_id", "actor", "request_id", "address", "user_agent",
                "details", "seal",
            ])
        #expect(first["Cache-Control"] == "no-store")
    }

    @Test(arguments: [
        ("since=yesterday", "/since"), ("since=", "/since"), ("since=7", "/since"), ("until=2026-13-01", "/until"),
        ("until=now", "/until"), ("since=9223372036854775807s", "/since"), ("since=1d&since=2d", "/since"),
        ("event=nothing", "/event"), ("event=", "/event"),
        ("user=a&id=1", "/id"), ("id=x", "/id"), ("id=-1", "/id"), ("id=99999999999999999999", "/id"),
        ("after=x", "/after"), ("limit=0", "/limit"), ("limit=101", "/limit"), ("sinse=7d", nil), ("User=a", nil),
    ])
    func whatIsNoFilterIsRefused(query: String, pointer: String?) async throws {
        let boss = try await server.newOperator()
        let answer = try await server.send("GET", "/api/operator/events?\(query)", as: boss)
        #expect(answer.status == 400 && answer.code == "validation_failed", "\(answer.body)")
        #expect(answer.pointer == pointer)
    }

    @Test func aUserWhoIsNotThereHasNoEvents() async throws {
        let boss = try await server.newOperator()
        let answer = try await server.send("GET", "/api/operator/events?user=\(RunningServer.newName())", as: boss)
        #expect(answer.status == 404 && answer.code == "user_not_found")
        #expect(try await server.send("GET", "/api/operator/events?id=4611686018427387904", as: boss).entries.isEmpty)
    }

    @Test func theHeadIsThatOfTheCommand() async throws {
        let boss = try await server.newOperator()
        try await wait(for: "the trail to be at rest") {
            let answer = try await server.send("GET", "/api/operator/audit/head", as: boss)
            #expect(answer.status == 200)
            guard let head = answer.json["head"] as? String, let number = answer.json["number"] as? Int else {
                return false
            }
            #expect(head.hasPrefix("\(number) \(answer.json["digest"] as? String ?? "-") "))
            return try await server.command("audit", "head").output == "\(head)\n"
        }
    }

    // MARK: Clients

    @Test func aClientComesAndGoes() async throws {
        let (boss, id) = (try await server.newOperator(), RunningServer.newName("gate"))
        let added = try await server.send("POST", "/api/operator/clients", as: boss, json: ["client_id": id])
        #expect(added.status == 201 && added["Location"]?.hasSuffix("/api/operator/clients/\(id)") == true)
        #expect(added["Cache-Control"] == "no-store")
        let secret = try #require(added.json["client_secret"] as? String)
        let shown = try await server.send("GET", "/api/operator/clients/\(id)", as: boss)
        #expect(shown.status == 200 && Set(shown.json.keys) == ["client_id", "created_at"], "\(shown.body)")
        #expect(shown.json["client_id"] as? String == id)
        for other in ["\(id)x", "a%20b", id.uppercased()] {
            let answer = try await server.send("GET", "/api/operator/clients/\(other)", as: boss)
            #expect(answer.status == 404 && answer.code == "client_not_found", "\(other)")
        }
        func introspects() async throws -> Int {
            try await server.send(
                "POST", "/oauth/introspect",
                headers: [basic(id, secret), "Content-Type: application/x-www-form-urlencoded"], body: "token=x"
            ).status
        }
        #expect(try await introspects() == 200)
        let again = try await server.send("POST", "/api/operator/clients", as: boss, json: ["client_id": id])
        #expect(again.status == 409 && again.code == "client_already_exists")
        // Other tests add and remove clients meanwhile, so no page is sure to have a next one.
        let all = try await server.send("GET", "/api/operator/clients?limit=100", as: boss)
        let seen = all.entries.compactMap { $0["client_id"] as? String }
        #expect(seen.contains(id) && seen == seen.sorted() && Set(seen).count == seen.count)
        let rest = try await server.send("GET", "/api/operator/clients?limit=1&after=\(id)", as: boss)
        #expect(rest.entries.allSatisfy { ($0["client_id"] as? String ?? "") > id })
        #expect(!all.body.contains(secret))
        #expect(try await server.send("DELETE", "/api/operator/clients/\(id)", as: boss).status == 204)
        #expect(try await introspects() == 401)
        let gone = try await server.send("DELETE", "/api/operator/clients/\(id)", as: boss)
        #expect(gone.status == 404 && gone.code == "client_not_found")
        let lost = try await server.send("GET", "/api/operator/clients?after=\(id)", as: boss)
        #expect(lost.code == "validation_failed" && lost.pointer == "/after")
        let events = try await server.send(
            "GET", "/api/operator/events?event=client.added&event=client.deleted&limit=100", as: boss)
        let own = events.entries.filter { ($0["details"] as? [String: Any])?["client_id"] as? String == id }
        #expect(own.map { $0["name"] as? String } == ["client.deleted", "client.added"])
        #expect(own.allSatisfy { ($0["actor"] as? [String: Any])?["id"] as? String == "\(boss.id)" })
    }

    @Test(arguments: ["", "a b", "é", "a/b", String(repeating: "x", count: 65), "a\u{0}", "a:b"])
    func whatIsNoIDOfAClientIsRefused(id: String) async throws {
        let boss = try await server.newOperator()
        let answer = try await server.send("POST", "/api/operator/clients", as: boss, json: ["client_id": id])
        #expect(answer.status == 400 && answer.pointer == "/client_id", "\(answer.body)")
        for fields in [[:], ["client_id": 7], ["client_id": NSNull()]] as [[String: Any]] {
            let answer = try await server.send("POST", "/api/operator/clients", as: boss, json: fields)
            #expect(answer.status == 400 && answer.pointer == "/client_id")
        }
    }

    // MARK: Invitations

    @Test func anInvitationComesAndGoes() async throws {
        let boss = try await server.newOperator()
        let made = try await server.send(
            "POST", "/api/operator/invitations", as: boss, json: ["note": "Susan", "expires_in": 3600])
        #expect(made.status == 201)
        let (id, code) = try (
            #require(made.json["id"] as? String), #require(made.json["code"] as? String)
        )
        #expect(made["Location"]?.hasSuffix("/api/operator/invitations/\(id)") == true)
        let shown = try await server.send("GET", "/api/operator/invitations/\(id)", as: boss)
        #expect(shown.status == 200 && Set(shown.json.keys) == ["id", "note", "created_at", "expires_at"])
        for other in ["\(id)x", "a%20b"] {
            let answer = try await server.send("GET", "/api/operator/invitations/\(other)", as: boss)
            #expect(answer.status == 404 && answer.code == "invitation_not_found", "\(other)")
        }
        let list = try await server.send("GET", "/api/operator/invitations?limit=100", as: boss)
        #expect(list.entries.contains { $0["id"] as? String == id && $0["note"] as? String == "Susan" })
        #expect(!list.body.contains(code))
        #expect(try await server.send("DELETE", "/api/operator/invitations/\(id)", as: boss).status == 204)
        let gone = try await server.send("DELETE", "/api/operator/invitations/\(id)", as: boss)
        #expect(gone.status == 404 && gone.code == "invitation_not_found")
        #expect(try await server.send("POST", "/api/operator/invitations", as: boss).status == 201)
    }

    @Test func whatIsNoInvitationIsRefused() async throws {
        let boss = try await server.newOperator()
        let refused: [([String: Any], String)] = [
            (["expires_in": 0], "/expires_in"), (["expires_in": 31_622_401], "/expires_in"),
            (["expires_in": "7d"], "/expires_in"), (["expires_in": 1.5], "/expires_in"),
            (["note": String(repeating: "x", count: 201)], "/note"), (["note": "a\nb"], "/note"),
            (["note": 1], "/note"),
        ]
        for (fields, pointer) in refused {
            let answer = try await server.send("POST", "/api/operator/invitations", as: boss, json: fields)
            #expect(answer.status == 400 && answer.pointer == pointer, "\(fields)")
        }
    }

    // MARK: Sessions

    @Test func anySessionIsEnded() async throws {
        let (boss, miguel) = try await (server.newOperator(), server.newAccount())
        let token = bearer(try await server.signIn(miguel).access)
        let id = try #require(try await server.sessions(miguel.basic).first?["id"] as? String)
        #expect(try await server.send("DELETE", "/api/operator/sessions/\(id)", as: boss).status == 204)
        #expect(try await server.send("GET", "/api/resource", headers: [token]).status == 401)
        for id in [id, "x", "01a1fdf9-b0f6-75b6-a9ee-6c3a2af90282"] {
            let answer = try await server.send("DELETE", "/api/operator/sessions/\(id)", as: boss)
            #expect(answer.status == 404 && answer.code == "session_not_found")
        }
    }

    // MARK: Throttle

    @Test(arguments: ["", "all=false", "user=a&all=true", "address=x", "address=", "all=yes", "user=a&user=b", "usr=a"])
    func whatDoesNotSayWhatToForgetIsRefused(query: String) async throws {
        let boss = try await server.newOperator()
        let answer = try await server.send("DELETE", "/api/operator/throttle?\(query)", as: boss)
        #expect(answer.status == 400 && answer.code == "validation_failed")
    }

    @Test(arguments: [
        "after=x", "after=W10", "after=WyJhIl0", "after=WyJhIiwiIiwiIiwwXQ", "after=WyJhIiwiIiwiIiwwLDFd", "after=e30",
        "blocked=1", "limit=x", "user=a",
    ])
    func whatIsNoPageOfCountersIsRefused(query: String) async throws {
        let boss = try await server.newOperator()
        #expect(try await server.send("GET", "/api/operator/throttle?\(query)", as: boss).code == "validation_failed")
    }
}

/// What needs a server to itself, because it changes the server for everybody.
@Suite struct OperatorOwnServerTests {
    @Test func keysAreRotatedAndRevoked() async throws {
        let server = try await RunningServer()
        let boss = try await server.newOperator()
        func keys() async throws -> [[String: Any]] {
            try await server.send("GET", "/api/operator/keys", as: boss).entries
        }
        let first = try await keys()
        #expect(first.map { $0["state"] as? String } == ["signing"])
        let token = bearer(try await server.signIn(boss).access)
        for id in ["x", "sK1YIrV8HuzXDb2CNxfiyWvL9qJa84MeRZsn5NZSfgI", "%C3%A9"] {
            let answer = try await server.send("DELETE", "/api/operator/keys/\(id)", as: boss)
            #expect(answer.status == 404 && answer.code == "key_not_found", "\(answer.body)")
        }
        for body in ["now=true", #"{"now":"yes"}"#, #"{"now":1}"#, "[]"] {
            let answer = try await server.send(
                "POST", "/api/operator/keys/rotate", headers: [boss.basic, "Content-Type: application/json"], body: body
            )
            #expect(answer.status == 400, "\(body)")
        }
        let next = try await server.send("POST", "/api/operator/keys/rotate", as: boss)
        #expect(next.status == 200 && next.json["state"] as? String == "next")
        let pending = try await server.send("POST", "/api/operator/keys/rotate", as: boss)
        #expect(pending.status == 409 && pending.code == "key_pending")
        let hastened = try await server.send("POST", "/api/operator/keys/rotate", as: boss, json: ["now": true])
        #expect(hastened.status == 200 && hastened.json["kid"] as? String == next.json["kid"] as? String)
        // The key that signs can be revoked: another one signs, and this request was the last that
        // its token is good for.
        let signing = try #require(first.first?["kid"] as? String)
        let revoked = try await server.send("DELETE", "/api/operator/keys/\(signing)", headers: [token])
        #expect(revoked.status == 204)
        #expect(try await server.send("GET", "/api/operator/keys", headers: [token]).status == 401)
        #expect(try await keys().map { $0["kid"] as? String } == [next.json["kid"] as? String])
        let fresh = bearer(try await server.signIn(boss).access)
        #expect(try await server.send("GET", "/api/operator/keys", headers: [fresh]).status == 200)
    }

    @Test func whoHasToWaitIsListedAndLetThrough() async throws {
        let server = try await RunningServer(["--trusted-proxies", "127.0.0.1", "--hashing-patience", "600"])
        let (boss, miguel) = try await (server.newOperator(), server.newAccount())
        func guess(_ password: String) async throws -> Int {
            try await server.send(
                "GET", "/api/token", headers: [basic(miguel.name, password), "X-Forwarded-For: 192.0.2.17"]
            ).status
        }
        for number in 0..<10 { #expect(try await guess("wrong\(number)") == 401) }
        let blocked = try await server.send("GET", "/api/operator/throttle?blocked=true", as: boss)
        #expect(blocked.entries.map { $0["username"] as? String } == [miguel.name])
        #expect(blocked.entries.first?["is_blocked"] as? Bool == true)
        var (kinds, after): ([String], String?) = ([], nil)
        repeat {
            let query = after.map { "&after=\($0)" } ?? ""
            let page = try await server.send("GET", "/api/operator/throttle?limit=1\(query)", as: boss)
            kinds += page.entries.compactMap { $0["kind"] as? String }
            after = page.next
        } while after != nil
        #expect(Set(kinds).isSuperset(of: ["account", "network"]) && Set(kinds).count == kinds.count)
        let path = "/api/operator/throttle"
        let cleared = try await server.send("DELETE", "\(path)?user=\(miguel.name)", as: boss)
        #expect(cleared.json["cleared"] as? Int == 1)
        #expect(try await guess("python") == 200)
        #expect(
            try await server.send("DELETE", "\(path)?address=192.0.2.99", as: boss).json["cleared"] as? Int == 1)
        #expect(try await server.send("DELETE", "\(path)?address=192.0.2.99", as: boss).json["cleared"] as? Int == 0)
        #expect(try await server.send("DELETE", "\(path)?user=nobody", as: boss).json["cleared"] as? Int == 0)
        #expect(try await server.send("DELETE", "\(path)?all=true", as: boss).status == 200)
    }

    @Test func theSettingsAreShownWithoutSecrets() async throws {
        let secret = "2f4c1b9e7d60a5838f1e0c7b6a59d4e3f2b1c0d9"
        let server = try await RunningServer(
            [
                "--token-duration", "90s", "--body-limit", "128KiB", "--throttle", "no", "--refresh-token-in-cookie",
                "yes",
            ],
            environment: ["REST_AUTH_SECRET_KEY": secret, "REST_AUTH_PASSWORD_PEPPER": "the pepper of before"])
        let boss = try await server.newOperator(secret: secret)
        let answer = try await server.send("GET", "/api/operator/settings", as: boss)
        #expect(answer.status == 200)
        #expect(!answer.body.contains(secret) && !answer.body.contains("the pepper"))
        let settings = Dictionary(
            uniqueKeysWithValues: answer.entries.compactMap { setting in
                (setting["name"] as? String).map { ($0, setting) }
            })
        let duration = try #require(settings["token_duration"])
        #expect(duration["value"] as? Int == 90 && duration["unit"] as? String == "seconds")
        #expect(duration["source"] as? String == "--token-duration" && duration["is_set"] as? Bool == true)
        #expect(settings["body_limit"]?["value"] as? Int == 131072)
        #expect(settings["body_limit"]?["unit"] as? String == "bytes")
        #expect(settings["throttle"]?["value"] as? Bool == false)
        #expect(settings["max_connections"]?["value"] as? Int == 10_000)
        #expect(settings["max_connections"]?["source"] as? String == "default")
        #expect(settings["metrics_port"]?["value"] is NSNull)
        for name in ["secret_key", "password_pepper"] {
            #expect(settings[name]?["value"] is NSNull && settings[name]?["is_secret"] as? Bool == true)
            #expect(settings[name]?["is_set"] as? Bool == true)
        }
        #expect(settings["legacy_secret"]?["is_set"] as? Bool == false)
        // The password in the URL of the database is hidden, too.
        #expect(settings["database_url"]?["value"] as? String != nil)
    }
}

extension RunningServer {
    /// The same where the secret is given in the environment.
    fileprivate func newOperator(secret: String) async throws -> Account {
        let account = try await newAccount("operator")
        let database = try await directory.database()
        let outcome = try await runCommand(
            ["users", "grant", account.name, "rest-auth:operator", "--database", database.url],
            environment: database.environment.filter { !$0.key.hasSuffix("SECRET_KEY_FILE") }
                .merging(["REST_AUTH_SECRET_KEY": secret]) { $1 }, directory: directory)
        #expect(outcome.status == 0, "\(outcome.error)")
        return account
    }
}
