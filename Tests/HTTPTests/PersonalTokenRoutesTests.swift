import Foundation
import Support
import Testing

/// `/api/me/tokens`, through the real binary.
@Suite(.server()) struct PersonalTokenRoutesTests {
    let server: RunningServer
    let miguel: Account

    init() async throws {
        server = try SharedServer.current()
        miguel = try await server.newAccount()
    }

    private func send(
        _ method: String, _ path: String = "", _ body: String? = nil, as authorization: String? = nil
    ) async throws -> HTTPAnswer {
        try await server.send(
            method, "/api/me/tokens" + path,
            headers: [authorization ?? miguel.basic] + (body == nil ? [] : ["Content-Type: application/json"]),
            body: body)
    }

    private func create(
        _ body: String = #"{"name":"ci","scopes":["notes:read"]}"#, as authorization: String? = nil
    ) async throws -> HTTPAnswer {
        try await send("POST", "", body, as: authorization)
    }

    private func tokens() async throws -> [[String: Any]] {
        try #require(try await send("GET").json["tokens"] as? [[String: Any]])
    }

    private static let members: Set<String> = [
        "id", "name", "scopes", "last_four", "created_at", "expires_at", "last_used_at", "expired",
    ]

    private func date(_ value: Any?) throws -> Date { try Date(#require(value as? String), strategy: .iso8601) }

    // MARK: Making

    @Test func aTokenIsShownOnceAndListedWithoutItself() async throws {
        let made = try await create(#"{"name":"m\u00fcsli","scopes":["b","a"],"expires_in":3600}"#)
        #expect(made.status == 201 && made["Cache-Control"] == "no-store" && made["Pragma"] == "no-cache")
        let (token, id) = try (#require(made.json["token"] as? String), #require(made.json["id"] as? String))
        #expect(token.wholeMatch(of: /ra_pat_[0-9A-Za-z]{36}/) != nil)
        #expect(made["Location"]?.hasSuffix("/api/me/tokens/\(id)") == true)
        #expect(Set(made.json.keys) == Self.members.union(["token"]))
        let listed = try #require(try await tokens().first)
        #expect(Set(listed.keys) == Self.members)
        #expect(listed["name"] as? String == "müsli" && listed["scopes"] as? [String] == ["a", "b"])
        #expect(listed["last_four"] as? String == String(token.suffix(4)) && listed["expired"] as? Bool == false)
        #expect(listed["last_used_at"] is NSNull)
        #expect(try date(listed["expires_at"]).timeIntervalSince(date(listed["created_at"])) == 3600)
        #expect(try await !send("GET").body.contains(token))
        let events = try await server.send("GET", "/api/me/events", headers: [miguel.basic])
        #expect(events.body.contains("token.created") && !events.body.contains(token))
    }

    @Test func itLivesForNinetyDaysUnlessAskedOtherwise() async throws {
        for body in [#"{"name":"a","scopes":["x"]}"#, #"{"name":"a","scopes":["x"],"expires_in":null}"#] {
            let made = try await create(body)
            #expect(try date(made.json["expires_at"]).timeIntervalSince(date(made.json["created_at"])) == 90 * 86400)
        }
    }

    @Test(arguments: [
        ("{}", "name"), (#"{"name":"a"}"#, "scopes"), (#"{"scopes":["a"]}"#, "name"),
        (#"{"name":null,"scopes":["a"]}"#, "name"), (#"{"name":1,"scopes":["a"]}"#, "name"),
        (#"{"name":"","scopes":["a"]}"#, "name"), (#"{"name":"\u200b","scopes":["a"]}"#, "name"),
        (#"{"name":"\u0000","scopes":["a"]}"#, "name"), (#"{"name":" a","scopes":["a"]}"#, "name"),
        ("{\"name\":\"\(String(repeating: "x", count: 10_000))\",\"scopes\":[\"a\"]}", "name"),
        (#"{"name":"a","scopes":"a"}"#, "scopes"), (#"{"name":"a","scopes":{}}"#, "scopes"),
        (#"{"name":"a","scopes":[]}"#, "scopes"), (#"{"name":"a","scopes":[1]}"#, "scopes"),
        (#"{"name":"a","scopes":["a",null]}"#, "scopes"), (#"{"name":"a","scopes":["a b"]}"#, "scopes"),
        (#"{"name":"a","scopes":["\"a\""]}"#, "scopes"), (#"{"name":"a","scopes":["a\"b"]}"#, "scopes"),
        (#"{"name":"a","scopes":["a\\b"]}"#, "scopes"), (#"{"name":"a","scopes":[""]}"#, "scopes"),
        (#"{"name":"a","scopes":["a  b"]}"#, "scopes"), (#"{"name":"a","scopes":["a","a"]}"#, "scopes"),
        (#"{"name":"a","scopes":["a\\"]}"#, "scopes"), (#"{"name":"a","scopes":["m\u00fcsli"]}"#, "scopes"),
        (#"{"name":"a","scopes":["a"],"expires_in":"1"}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":"Never"}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":"never"}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":60.5}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":true}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":0}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":59}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":-60}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":31536001}"#, "expires_in"),
        (#"{"name":"a","scopes":["a"],"expires_in":9223372036854775807}"#, "expires_in"),
    ])
    func whatIsNoTokenIsRefused(body: String, field: String) async throws {
        let answer = try await create(body)
        #expect(answer.status == 400 && answer.code == "validation_failed")
        let errors = answer.json["errors"] as? [[String: Any]]
        #expect(errors?.first?["pointer"] as? String == "/\(field)")
        #expect(try await tokens().isEmpty)
    }

    @Test(arguments: ["", "[]", "x", #"{"name":"a","name":"b","scopes":["a"]}"#]) func whatIsNoObjectIsRefused(
        body: String
    ) async throws {
        #expect(try await create(body).status == 400)
        #expect(try await tokens().isEmpty)
    }

    @Test func scopesOfOperatorsAreForOperators() async throws {
        for word in ["operator", "operator:read"] {
            let answer = try await create(#"{"name":"a","scopes":["notes:read","\#(word)"]}"#)
            #expect(answer.status == 403 && answer.code == "forbidden")
        }
        #expect(try await tokens().isEmpty)
        try await server.command("users", "grant", miguel.name, "rest-auth:operator")
        #expect(try await create(#"{"name":"a","scopes":["operator"]}"#).status == 201)
    }

    @Test func nobodyAndWhoIsWrongIsRefused() async throws {
        let id = try #require(try await create().json["id"] as? String)
        for authorization in [basic(miguel.name, "wrong"), bearer("x"), bearer("ra_pat_" + id), "Accept: */*"] {
            #expect(try await send("GET", as: authorization).status == 401)
            #expect(try await create(as: authorization).status == 401)
            #expect(try await send("DELETE", "/\(id)", as: authorization).status == 401)
            #expect(try await send("POST", "/\(id)/rotate", as: authorization).status == 401)
        }
        #expect(try await tokens().count == 1)
    }

    @Test func fieldsThatAreNotUnderstoodAreNamed() async throws {
        let answer = try await create(#"{"name":"a","scopes":["a"],"roles":["admin"],"user_id":1}"#)
        #expect(answer.status == 201 && answer["Ignored-Fields"] == #""roles", "user_id""#)
    }

    @Test func fiftyAreEnoughAlsoAtOnce() async throws {
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<60 {
                group.addTask { try await create(#"{"name":"n\#(number)","scopes":["a"]}"#).status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.count { $0 == 201 } == 50)
        #expect(statuses.count { $0 == 409 } == 10)
        let answer = try await create()
        #expect(answer.status == 409 && answer.code == "too_many_tokens")
        let id = try #require(try await tokens().first?["id"] as? String)
        #expect(try await send("POST", "/\(id)/rotate", "{}").status == 201)
        #expect(try await send("DELETE", "/\(id)").status == 204)
    }

    // MARK: Deleting and rotating

    @Test func aTokenIsDeletedOnceByItsOwner() async throws {
        let susan = try await server.newAccount("susan")
        let id = try #require(try await create().json["id"] as? String)
        for path in [id.uppercased(), "x", "0", "00000000-0000-7000-8000-000000000000", id + "0", "..", "%00"] {
            #expect(try await send("DELETE", "/\(path)").status == 404, "\(path)")
        }
        let foreign = try await send("DELETE", "/\(id)", as: susan.basic)
        #expect(foreign.status == 404 && foreign.code == "token_not_found")
        #expect(try await send("POST", "/\(id)/rotate", as: susan.basic).status == 404)
        #expect(try await send("DELETE", "/\(id)").status == 204)
        #expect(try await send("DELETE", "/\(id)").status == 404)
        #expect(try await send("POST", "/\(id)/rotate").status == 404)
        #expect(try await tokens().isEmpty)
    }

    @Test func aRotatedTokenIsAnotherOne() async throws {
        let made = try await create(#"{"name":"ci","scopes":["a","b"],"expires_in":7200}"#)
        let id = try #require(made.json["id"] as? String)
        let rotated = try await send("POST", "/\(id)/rotate", #"{"overlap":300}"#)
        #expect(rotated.status == 201 && rotated["Cache-Control"] == "no-store")
        #expect(Set(rotated.json.keys) == Self.members.union(["token", "previous_expires_at"]))
        let new = try #require(rotated.json["id"] as? String)
        #expect(new != id && rotated["Location"]?.hasSuffix("/api/me/tokens/\(new)") == true)
        #expect(rotated.json["token"] as? String != made.json["token"] as? String)
        #expect(rotated.json["name"] as? String == "ci" && rotated.json["scopes"] as? [String] == ["a", "b"])
        let lifetime = try date(rotated.json["expires_at"]).timeIntervalSince(date(rotated.json["created_at"]))
        #expect(lifetime == 7200)
        let listed = try await tokens().first { $0["id"] as? String == id }
        #expect(listed?["expires_at"] as? String == rotated.json["previous_expires_at"] as? String)
        #expect(try await send("GET", "/\(new)").json["last_four"] is String)
        #expect(try await send("GET", "/\(UUID().uuidString.lowercased())").code == "token_not_found")
        // At once, and then it has expired.
        let atOnce = try await send("POST", "/\(new)/rotate", #"{"overlap":0}"#)
        #expect(atOnce.status == 201)
        let again = try await send("POST", "/\(new)/rotate")
        #expect(again.status == 409 && again.code == "token_expired")
        #expect(try await tokens().first { $0["id"] as? String == new }?["expired"] as? Bool == true)
    }

    @Test(arguments: [
        #"{"overlap":-1}"#, #"{"overlap":604801}"#, #"{"overlap":"1"}"#, #"{"overlap":1.5}"#, #"{"overlap":[]}"#,
        #"{"overlap":9223372036854775807}"#, #"{"overlap":119}"#,
    ])
    func anOverlapHasItsBounds(body: String) async throws {
        let id = try #require(try await create().json["id"] as? String)
        let answer = try await send("POST", "/\(id)/rotate", body)
        #expect(answer.status == 400 && answer.code == "validation_failed")
        #expect(try await tokens().count == 1)
    }

    @Test func aTokenIsListedAndDeletedByCommand() async throws {
        let made = try await create(#"{"name":"ci","scopes":["a"]}"#)
        let (token, id) = try (#require(made.json["token"] as? String), #require(made.json["id"] as? String))
        let listed = try await server.run(["tokens", "list", miguel.name])
        #expect(listed.status == 0 && listed.output.hasPrefix("\(id)\tci\ta\t…\(token.suffix(4))\t"))
        #expect(!listed.output.contains(token))
        let lines = try await server.run(["tokens", "list", miguel.name, "--json"]).output
        #expect(lines.contains(#""id":"\#(id)""#) && lines.contains(#""expired":false"#))
        for arguments in [
            ["delete", miguel.name, "--token", "x"], ["delete", miguel.name],
            ["delete", miguel.name, "--token", "00000000-0000-7000-8000-000000000000"],
            ["delete", miguel.name, "--token", id, "--all"], ["list", RunningServer.newName("nobody")], ["list"],
        ] {
            #expect(try await server.run(["tokens"] + arguments).status != 0, "\(arguments)")
        }
        #expect(try await server.run(["tokens", "delete", miguel.name, "--token", id]).output == "Deleted \(id).\n")
        #expect(try await tokens().isEmpty)
        for _ in 0..<2 { _ = try await create() }
        let all = try await server.run(["tokens", "delete", miguel.name, "--all"])
        #expect(all.output == "Deleted 2 tokens of \(miguel.name).\n")
        #expect(try await tokens().isEmpty)
    }
}
