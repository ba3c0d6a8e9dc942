import Foundation
import RESTAuth
import RESTAuthVerifier
import Support
import Testing

/// `/api/me` and `/api/operator/users/{id}` where they change a profile or a name, tested on the
/// real binary.
@Suite(.server("--token-claims", "plan,tenant")) struct ProfileRoutesTests {
    let server: RunningServer
    let miguel: Account

    init() async throws {
        server = try SharedServer.current()
        miguel = try await server.newAccount()
    }

    private func send(
        _ method: String, _ path: String, as authorization: String? = nil, _ body: String,
        type: String? = "application/merge-patch+json"
    ) async throws -> HTTPAnswer {
        try await server.send(
            method, path, headers: [authorization ?? miguel.basic] + (type.map { ["Content-Type: \($0)"] } ?? []),
            body: body)
    }

    private func newOperator() async throws -> Account {
        let account = try await server.newAccount("operator")
        try await server.command("users", "grant", account.name, "rest-auth:operator")
        return account
    }

    private func pointer(_ answer: HTTPAnswer) -> String? {
        (answer.json["errors"] as? [[String: Any]])?.first?["pointer"] as? String
    }

    // MARK: The user

    @Test func aProfileIsShownAndChanged() async throws {
        let first = try await server.send("GET", "/api/me", headers: [miguel.basic])
        #expect(first.json["name"] is NSNull && first.json["email"] is NSNull)
        #expect(first.json["email_verified"] as? Bool == false)
        #expect((first.json["metadata"] as? [String: Any])?.isEmpty == true)
        let patch = #"{"name":"Miguel","email":"m@example.com","locale":"es","metadata":{"a":{"b":1,"c":2}}}"#
        for type in ["application/merge-patch+json", "application/json", nil] {
            let answer = try await send("PATCH", "/api/me", patch, type: type)
            #expect(answer.status == 200 && answer["Cache-Control"] == "no-store")
            #expect(answer.json["name"] as? String == "Miguel" && answer.json["id"] as? Int == miguel.id)
        }
        let second = try await send("PATCH", "/api/me", #"{"name":null,"metadata":{"a":{"b":null}}}"#)
        #expect(second.json["name"] is NSNull && second.json["email"] as? String == "m@example.com")
        #expect(second.json["metadata"] as? [String: [String: Int]] == ["a": ["c": 2]])
        let shown = try await server.send("GET", "/api/me", headers: [miguel.basic])
        #expect(shown.body == second.body)
        // Others see no more than before.
        let other = try await server.send("GET", "/api/users/\(miguel.id)")
        #expect(Set(other.json.keys) == ["username"])
    }

    @Test(arguments: [
        "app_metadata", "email_verified", "roles", "id", "username", "created_at", "disabled_at", "revoke_sessions",
    ])
    func whatIsNotTheUsersIsRefusedByName(field: String) async throws {
        let answer = try await send("PATCH", "/api/me", #"{"name":"x","\#(field)":null}"#)
        #expect(answer.status == 400 && answer.code == "validation_failed")
        #expect(pointer(answer) == "/\(field)")
        #expect(try await server.send("GET", "/api/me", headers: [miguel.basic]).json["name"] is NSNull)
    }

    @Test(arguments: [
        (#"{"nmae":"x"}"#, "validation_failed"), (#"{"name":7}"#, "validation_failed"), ("[]", "invalid_json"),
        ("null", "invalid_json"), ("", "invalid_json"), ("{", "invalid_json"),
        (#"{"name":"a","name":"b"}"#, "invalid_json"),
        (#"{"metadata":[]}"#, "validation_failed"), (#"{"email":"x"}"#, "validation_failed"),
        (#"{"name":"\u202ex"}"#, "validation_failed"), (#"{"\u0000":1}"#, "validation_failed"),
        (#"{"metadata":{"a":"\#(String(repeating: "x", count: 4096))"}}"#, "validation_failed"),
        (
            #"{"metadata":"# + String(repeating: #"{"a":"#, count: 40) + "1" + String(repeating: "}", count: 41),
            "invalid_json"
        ),
        (#"{"name":"\#(String(repeating: "x", count: 10_000))"}"#, "validation_failed"),
        (#"{"\#(String(repeating: "x", count: 10_000))":1}"#, "validation_failed"),
    ])
    func aPatchThatIsNotUnderstoodIsRefused(body: String, code: String) async throws {
        let answer = try await send("PATCH", "/api/me", body)
        #expect(answer.status == 400 && answer.code == code, "\(answer.body)")
        #expect(answer.body.utf8.count < 2000)
        #expect(try await server.send("GET", "/api/me", headers: [miguel.basic]).json["name"] is NSNull)
    }

    @Test func aPatchHasATypeOfItsOwn() async throws {
        for type in [
            "text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json-patch+json",
            "application/problem+json",
        ] {
            let answer = try await send("PATCH", "/api/me", #"{"name":"x"}"#, type: type)
            #expect(answer.status == 415 && answer["Accept"] == "application/merge-patch+json, application/json")
        }
        #expect(try await send("PATCH", "/api/me", String(repeating: " ", count: 70_000)).status == 413)
    }

    @Test func aNameIsChangedAndTheEarlierOneIsKept() async throws {
        let (name, tokens) = (RunningServer.newName("Other"), try await server.signIn(miguel))
        let answer = try await send("PUT", "/api/me/username", #"{"username":"\#(name)"}"#, type: "application/json")
        #expect(answer.status == 200 && answer.json["username"] as? String == name)
        #expect(try await server.send("GET", "/api/resource", headers: [miguel.basic]).status == 401)
        #expect(try await server.send("GET", "/api/resource", headers: [basic(name, miguel.password)]).status == 200)
        #expect(
            try await server.send("GET", "/api/me", headers: [bearer(tokens.access)]).json["username"] as? String
                == name)
        let taken = try await server.register(miguel.name.uppercased(), "python")
        #expect(taken.status == 409 && taken.code == "name_reserved" && pointer(taken) == "/username")
        let renewed = try await server.refresh(tokens.refresh)
        let access = try #require(renewed.json["access_token"] as? String)
        #expect(members(of: access, 1)["preferred_username"] as? String == name)
        let events = try await server.send("GET", "/api/me/events", headers: [bearer(access)])
        #expect(events.body.contains("username.changed"))
    }

    @Test(arguments: [
        (#"{"username":""}"#, "validation_failed"), ("{}", "validation_failed"),
        (#"{"username":1}"#, "validation_failed"),
        (#"{"username":"a:b"}"#, "validation_failed"), (#"{"username":null}"#, "validation_failed"),
        (#"{"username":"\#(String(repeating: "x", count: 10_000))"}"#, "validation_failed"), ("[]", "invalid_json"),
    ])
    func aNameThatIsNoneIsRefused(body: String, code: String) async throws {
        let answer = try await send("PUT", "/api/me/username", body, type: "application/json")
        #expect(answer.status == 400 && answer.code == code)
    }

    @Test func aTakenNameIsRefused() async throws {
        let susan = try await server.newAccount("susan")
        let answer = try await send(
            "PUT", "/api/me/username", #"{"username":"\#(susan.name.uppercased())"}"#, type: "application/json")
        #expect(answer.status == 400 && answer.code == "user_already_exists")
    }

    @Test func ofManyWhoWantOneNameOneGetsIt() async throws {
        let name = RunningServer.newName("wanted")
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<6 {
                let account = try await server.newAccount()
                group.addTask {
                    try await send(
                        "PUT", "/api/me/username", as: account.basic, #"{"username":"\#(name)"}"#,
                        type: "application/json"
                    ).status
                }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(answers.count { $0 == 200 } == 1 && answers.count { $0 == 400 } == 5)
    }

    @Test(arguments: [
        ("PATCH", "/api/me"), ("PUT", "/api/me/username"), ("PATCH", "/api/operator/users/1"),
        ("PUT", "/api/operator/users/1/username"),
    ])
    func nobodyIsRefused(method: String, path: String) async throws {
        for headers in [[], [basic(miguel.name, "wrong")], [bearer("x")]] {
            let answer = try await server.send(
                method, path, headers: headers + ["Content-Type: application/json"], body: "{}")
            #expect(answer.status == 401)
        }
    }

    // MARK: The operator

    @Test func onlyAnOperatorChangesOthers() async throws {
        for (method, path, body) in [
            ("PATCH", "/api/operator/users/\(miguel.id)", #"{"name":"x"}"#),
            ("PUT", "/api/operator/users/\(miguel.id)/username", #"{"username":"x"}"#),
        ] {
            let answer = try await send(method, path, body, type: "application/json")
            #expect(answer.status == 403 && answer.code == "forbidden")
            let token = try await server.token(miguel)
            #expect(try await send(method, path, as: bearer(token), body, type: "application/json").status == 403)
        }
    }

    @Test func anOperatorChangesAProfileAndTheTokens() async throws {
        let (susan, tokens) = (try await newOperator(), try await server.signIn(miguel))
        let path = "/api/operator/users/\(miguel.id)"
        let address = "\(miguel.name)@example.com"
        let patch = #"{"email":"\#(address)","email_verified":true,"app_metadata":{"plan":"pro","secret":1}}"#
        let answer = try await send("PATCH", path, as: susan.basic, patch)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.json["email_verified"] as? Bool == true && answer.json["disabled_at"] is NSNull)
        let own = try await server.send("GET", "/api/me", headers: [miguel.basic])
        #expect((own.json["app_metadata"] as? [String: Any])?["plan"] as? String == "pro")

        // The next token has the claim.
        #expect(members(of: tokens.access, 1)["plan"] == nil)
        let renewed = try #require(try await server.refresh(tokens.refresh).json["access_token"] as? String)
        #expect(members(of: renewed, 1)["plan"] as? String == "pro" && members(of: renewed, 1)["secret"] == nil)
        let client = RunningServer.newName("client")
        let secret = try await server.addClient(client)
        let introspected = try await server.send(
            "POST", "/oauth/introspect",
            headers: [basic(client, secret), "Content-Type: application/x-www-form-urlencoded"],
            body: "token=\(renewed)")
        #expect(introspected.json["plan"] as? String == "pro")
        var configuration = VerifierConfiguration()
        configuration.issuer = "rest-auth"
        configuration.bound = .seconds(3600)
        let verifier = try Verifier(at: "http://127.0.0.1:\(server.port)", configuration: configuration)
        try await wait(for: "the list") { (try? await verifier.update()) != nil }
        let identity = try await verifier.verify(Array(renewed.utf8))
        #expect(identity.claim("plan", as: String.self) == "pro" && identity.claim("plan", as: Int.self) == nil)

        // And live ones are refused when the change says so.
        let ended = try await send(
            "PATCH", path, as: susan.basic, #"{"app_metadata":{"plan":null},"revoke_sessions":true}"#)
        #expect(ended.status == 200)
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(renewed)]).status == 401)
    }

    @Test func anAddressIsVerifiedByOne() async throws {
        let (susan, other) = (try await newOperator(), try await server.newAccount())
        let address = "\(miguel.name)@example.com"
        for account in [miguel, other] {
            let answer = try await send("PATCH", "/api/me", as: account.basic, #"{"email":"\#(address)"}"#)
            #expect(answer.status == 200)
        }
        let verified = #"{"email_verified":true}"#
        #expect(try await send("PATCH", "/api/operator/users/\(miguel.id)", as: susan.basic, verified).status == 200)
        let answer = try await send("PATCH", "/api/operator/users/\(other.id)", as: susan.basic, verified)
        #expect(answer.status == 409 && answer.code == "email_taken" && pointer(answer) == "/email")
    }

    @Test func anOperatorGivesAnotherName() async throws {
        let (susan, name) = (try await newOperator(), RunningServer.newName("other"))
        let path = "/api/operator/users/\(miguel.id)/username"
        let answer = try await send("PUT", path, as: susan.basic, #"{"username":"\#(name)"}"#, type: "application/json")
        #expect(answer.status == 200 && answer.json["username"] as? String == name)
        #expect(try await server.send("GET", "/api/me", headers: [basic(name, "python")]).status == 200)
    }

    @Test func whoIsNotThereIsNotChanged() async throws {
        let susan = try await newOperator()
        for (id, status) in [("999999999", 404), ("99999999999999999999", 404), ("x", 404), ("0", 404)] {
            #expect(try await send("PATCH", "/api/operator/users/\(id)", as: susan.basic, "{}").status == status)
            let body = #"{"username":"x"}"#
            let path = "/api/operator/users/\(id)/username"
            #expect(try await send("PUT", path, as: susan.basic, body, type: "application/json").status == status)
        }
    }
}
