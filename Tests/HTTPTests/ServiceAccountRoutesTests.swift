import Foundation
import Support
import Testing

/// `/api/operator/service-accounts` and the commands for service accounts, through the real binary.
@Suite(.server()) struct ServiceAccountRoutesTests {
    let server: RunningServer
    let miguel: Account
    /// An id that no other test uses.
    let id: String

    init() async throws {
        server = try SharedServer.current()
        miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "rest-auth:operator")
        id = RunningServer.newName("ci")
    }

    private func send(
        _ method: String, _ path: String = "", _ body: String? = nil, as authorization: String? = nil
    ) async throws -> HTTPAnswer {
        try await server.send(
            method, "/api/operator/service-accounts" + path,
            headers: [authorization ?? miguel.basic] + (body == nil ? [] : ["Content-Type: application/json"]),
            body: body)
    }

    private func add() async throws { #expect(try await send("POST", "", #"{"id":"\#(id)"}"#).status == 201) }

    private func createToken(
        _ body: String = #"{"name":"first","scopes":["operator:read","a"]}"#
    ) async throws -> HTTPAnswer {
        try await send("POST", "/\(id)/tokens", body)
    }

    @Test func anAccountIsAddedShownListedAndDeleted() async throws {
        // Other tests add accounts meanwhile; none of them comes between these two ids.
        let before = id
        let id = "\(id).a"
        let body = #"{"id":"\#(id)","note":"m\u00fcsli","owner_id":\#(miguel.id)}"#
        let added = try await send("POST", "", body)
        #expect(added.status == 201 && added["Cache-Control"] == "no-store")
        #expect(added["Location"]?.hasSuffix("/api/operator/service-accounts/\(id)") == true)
        let shown = try await send("GET", "/\(id)")
        #expect(shown.status == 200 && Set(shown.json.keys) == ["id", "note", "owner_id", "created_at"])
        #expect(shown.json["note"] as? String == "müsli" && shown.json["owner_id"] as? Int == miguel.id)
        let page = try await send("GET", "?limit=1&after=\(before)")
        let listed = try #require(page.json["data"] as? [[String: Any]])
        #expect(listed.map { $0["id"] as? String } == [id])
        #expect((page.json["pagination"] as? [String: Any])?["after"] as? String == id)
        let again = try await send("POST", "", body)
        #expect(again.status == 409 && again.code == "service_account_already_exists")
        #expect(try await send("DELETE", "/\(id)").status == 204)
        let gone = try await send("DELETE", "/\(id)")
        #expect(gone.status == 404 && gone.code == "service_account_not_found")
        #expect(try await send("GET", "/\(id)").status == 404)
    }

    @Test func onlyOperatorsAreAdmitted() async throws {
        try await add()
        let susan = try await server.newAccount("susan")
        try await server.command("users", "grant", susan.name, "operator", "rest-auth:operators")
        let operations = [
            ("GET", "", nil), ("POST", "", #"{"id":"x"}"#), ("GET", "/\(id)", nil), ("DELETE", "/\(id)", nil),
            ("GET", "/\(id)/tokens", nil), ("POST", "/\(id)/tokens", #"{"name":"a","scopes":["a"]}"#),
            ("DELETE", "/\(id)/tokens/00000000-0000-7000-8000-000000000000", nil),
            ("POST", "/\(id)/tokens/00000000-0000-7000-8000-000000000000/rotate", nil),
        ]
        for (method, path, body) in operations {
            let refused = try await send(method, path, body, as: susan.basic)
            #expect(refused.status == 403 && refused.code == "forbidden", "\(method) \(path)")
            for authorization in [basic(miguel.name, "wrong"), bearer("x"), "Accept: */*"] {
                #expect(try await send(method, path, body, as: authorization).status == 401, "\(method) \(path)")
            }
        }
        #expect(try await send("GET", "/\(id)").status == 200)
    }

    @Test(arguments: [
        ("{}", "id"), (#"{"id":1}"#, "id"), (#"{"id":""}"#, "id"), (#"{"id":"a b"}"#, "id"), (#"{"id":"a:b"}"#, "id"),
        (#"{"id":"m\u00fcsli"}"#, "id"), (#"{"id":"a\u0000"}"#, "id"), (#"{"id":"a/b"}"#, "id"),
        (#"{"id":"ID","note":1}"#, "note"), (#"{"id":"ID","note":""}"#, "note"),
        (#"{"id":"ID","note":"\u200b"}"#, "note"), (#"{"id":"ID","note":"a\nb"}"#, "note"),
        (#"{"id":"ID","owner_id":"1"}"#, "owner_id"), (#"{"id":"ID","owner_id":1.5}"#, "owner_id"),
        (#"{"id":"ID","owner_id":0}"#, "owner_id"), (#"{"id":"ID","owner_id":9223372036854775807}"#, "owner_id"),
    ])
    func whatIsNoAccountIsRefused(body: String, field: String) async throws {
        let answer = try await send("POST", "", body.replacing("ID", with: id))
        #expect(answer.status == 400)
        #expect((answer.json["errors"] as? [[String: Any]])?.first?["pointer"] as? String == "/\(field)")
        #expect(try await send("GET", "/\(id)").status == 404)
    }

    @Test func tokensAreMadeListedRotatedAndDeleted() async throws {
        try await add()
        let made = try await createToken()
        #expect(made.status == 201)
        let (token, tokenID) = try (#require(made.json["token"] as? String), #require(made.json["id"] as? String))
        #expect(token.wholeMatch(of: /ra_svc_[0-9A-Za-z]{36}/) != nil)
        #expect(made["Location"]?.hasSuffix("/\(id)/tokens/\(tokenID)") == true)
        let rotated = try await send("POST", "/\(id)/tokens/\(tokenID)/rotate")
        let new = try #require(rotated.json["id"] as? String)
        #expect(rotated.status == 201 && rotated["Location"]?.hasSuffix("/\(id)/tokens/\(new)") == true)
        let list = try await send("GET", "/\(id)/tokens")
        #expect((list.json["tokens"] as? [[String: Any]])?.map { $0["id"] as? String } == [tokenID, new])
        #expect(!list.body.contains(token))
        for path in ["/\(id)/tokens/x", "/\(id)/tokens/\(tokenID.uppercased())", "/nobody/tokens/\(tokenID)"] {
            #expect(try await send("DELETE", path).status == 404)
            #expect(try await send("POST", path + "/rotate").status == 404)
        }
        #expect(try await send("DELETE", "/\(id)/tokens/\(tokenID)").status == 204)
        #expect(try await send("DELETE", "/\(id)/tokens/\(tokenID)").status == 404)
        #expect(try await send("GET", "/nobody/tokens").status == 404)
        #expect(try await send("POST", "/nobody/tokens", #"{"name":"a","scopes":["a"]}"#).status == 404)
    }

    @Test func tenAreEnoughAlsoAtOnce() async throws {
        try await add()
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 { group.addTask { try await createToken().status } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.count { $0 == 201 } == 10 && statuses.count { $0 == 409 } == 10)
    }

    @Test(arguments: [
        #"{"name":"a"}"#, #"{"scopes":["a"]}"#, #"{"name":"a","scopes":["a","a"]}"#, #"{"name":"a","scopes":["\""]}"#,
        #"{"name":"a","scopes":["a\"b"]}"#, #"{"name":"a","scopes":["a\\b"]}"#, #"{"name":"a","scopes":[""]}"#,
        #"{"name":"a","scopes":["a  b"]}"#,
        #"{"name":"a","scopes":["a"],"expires_in":59}"#, #"{"name":"a","scopes":["a"],"expires_in":315360001}"#,
        #"{"name":"\u2800","scopes":["a"]}"#,
    ])
    func whatIsNoTokenIsRefused(body: String) async throws {
        try await add()
        #expect(try await createToken(body).status == 400)
        let list = try await send("GET", "/\(id)/tokens")
        #expect((list.json["tokens"] as? [Any])?.isEmpty == true)
    }

    // MARK: Commands

    @Test func theCommandsDoTheSame() async throws {
        func services(_ arguments: String...) async throws -> CommandOutcome {
            try await server.run(["services"] + arguments)
        }
        let added = try await services("add", id, "--note", "nightly backup", "--owner", miguel.name)
        #expect(added.status == 0 && added.output.hasPrefix("Added \(id)."))
        #expect(try await services("add", id).status == 1)
        #expect(try await services("show", id).output.contains("user \(miguel.id)\tnightly backup"))
        #expect(try await services("list", "--json").output.contains(#""id":"\#(id)""#))
        let made = try await services(
            "tokens", "add", id, "first key", "--scope", "operator", "--scope", "a", "--expires-in", "never", "--json")
        #expect(made.status == 0)
        let json = try #require(JSONSerialization.jsonObject(with: Data(made.output.utf8)) as? [String: Any])
        let (token, tokenID) = try (#require(json["token"] as? String), #require(json["id"] as? String))
        #expect(token.hasPrefix("ra_svc_") && json["expires_at"] is NSNull)
        let rotated = try await services("tokens", "rotate", id, tokenID, "--overlap", "0")
        #expect(rotated.status == 0 && rotated.output.contains("ra_svc_") && !rotated.output.contains(token))
        let list = try await services("tokens", "list", id).output
        #expect(list.contains("\(tokenID)\tfirst key\ta operator\t…\(token.suffix(4))") && !list.contains(token))
        #expect(try await services("tokens", "delete", id, tokenID).output == "Deleted \(tokenID).\n")
        for arguments in [
            ["add", "a b"], ["add", id + "x", "--owner", RunningServer.newName("nobody")], ["show", "nobody"],
            ["delete", "nobody"], ["tokens", "add", id, "x"], ["tokens", "add", id, "x", "--scope", "a b"],
            ["tokens", "add", id, "x", "--scope", "a  b"], ["tokens", "add", id, "x", "--scope", "a\"b"],
            ["tokens", "add", id, "x", "--scope", "a\\b"], ["tokens", "add", id, "x", "--scope", ""],
            ["tokens", "add", id, "", "--scope", "a"], ["tokens", "add", "nobody", "x", "--scope", "a"],
            ["tokens", "add", id, "x", "--scope", "a", "--expires-in", "1s"],
            ["tokens", "add", id, "x", "--scope", "a", "--expires-in", "x"], ["tokens", "list", "nobody"],
            ["tokens", "rotate", id, tokenID], ["tokens", "rotate", id, "x"], ["tokens", "delete", id, tokenID],
        ] {
            #expect(try await server.run(["services"] + arguments).status != 0, "\(arguments)")
        }
        #expect(try await services("delete", id).output == "Deleted \(id).\n")
        #expect(try await send("GET", "/\(id)").status == 404)
    }
}
