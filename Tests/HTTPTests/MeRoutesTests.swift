import Foundation
import Support
import Testing

/// `/api/me` and the list of users, tested on the real binary.
@Suite(.server()) struct MeRoutesTests {
    let server: RunningServer
    let miguel: Account

    init() async throws {
        server = try SharedServer.current()
        miguel = try await server.newAccount("Miguel")
    }

    private func send(
        _ method: String, _ path: String, _ authorization: String, _ body: [String: Any]? = nil
    ) async throws -> HTTPAnswer {
        try await server.send(
            method, path, headers: [authorization] + (body == nil ? [] : ["Content-Type: application/json"]),
            body: body.map(json))
    }

    @Test func whoAmI() async throws {
        let lowercased = basic(miguel.name.lowercased(), miguel.password)
        for authorization in [lowercased, bearer(try await server.signIn(miguel).access)] {
            let answer = try await send("GET", "/api/me", authorization)
            #expect(answer.status == 200)
            let profile = [
                "name", "email", "email_verified", "locale", "zoneinfo", "picture", "metadata", "app_metadata",
            ]
            #expect(Set(answer.json.keys) == Set(["id", "username", "roles", "created_at"] + profile))
            #expect(answer.json["id"] as? Int == miguel.id)
            #expect(answer.json["username"] as? String == miguel.name)
            #expect(answer.json["roles"] as? [String] == [])
        }
    }

    @Test(arguments: [
        ("GET", "/api/me"), ("DELETE", "/api/me"), ("PUT", "/api/me/password"), ("GET", "/api/me/sessions"),
        ("DELETE", "/api/me/sessions"), ("DELETE", "/api/me/sessions/01a1fdf3-d3a2-7e37-8317-3196edb0e819"),
        ("GET", "/api/users"),
    ])
    func nobodyIsRefusedEverywhere(method: String, path: String) async throws {
        for headers in [[], [basic(miguel.name, "wrong")], [bearer("x")]] {
            let answer = try await server.send(method, path, headers: headers)
            #expect(answer.status == 401)
            let scheme = headers == [bearer("x")] ? "Bearer" : "Basic"
            #expect(answer["WWW-Authenticate"]?.hasPrefix("\(scheme) realm=") == true)
        }
    }

    // MARK: The password

    private static let change = ["current_password": "python", "new_password": "monty"]

    @Test func aChangeGivesTheSessionNewTokensAndRefusesAllThatCameBefore() async throws {
        try await server.command("users", "grant", miguel.name, "auditor")
        let (mine, other) = (try await server.signIn(miguel), try await server.signIn(miguel))
        let renewed = try await server.refresh(mine.refresh)
        let copied = try #require(renewed.json["access_token"] as? String)
        for token in [mine.access, copied, other.access] {
            #expect(try await send("GET", "/api/resource", bearer(token)).status == 200)
        }
        let answer = try await server.send(
            "PUT", "/api/me/password",
            headers: [bearer(mine.access), "Content-Type: application/json", "User-Agent: laptop"],
            body: json(Self.change))
        #expect(answer.status == 200)
        #expect(Set(answer.json.keys) == ["access_token", "token_type", "expires_in", "refresh_token"])
        #expect(answer.json["token_type"] as? String == "Bearer")
        #expect(answer.json["expires_in"] as? Int == 600)
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer["Set-Cookie"] == nil)
        for token in [mine.access, copied, other.access] {
            #expect(try await send("GET", "/api/resource", bearer(token)).status == 401)
            #expect(try await send("GET", "/api/token", bearer(token)).status == 401)
        }
        for token in [mine.refresh, try #require(renewed.json["refresh_token"] as? String), other.refresh] {
            #expect(try await server.refresh(token).code == "invalid_grant")
        }
        let access = try #require(answer.json["access_token"] as? String)
        let claims = members(of: access, 1)
        #expect(claims["roles"] as? [String] == ["auditor"])
        #expect(claims["auth_time"] as? Int == claims["iat"] as? Int)
        let sessions = try await server.sessions(bearer(access))
        #expect(sessions.count == 1)
        #expect(sessions.first?["id"] as? String == claims["sid"] as? String)
        #expect(claims["sid"] as? String != members(of: mine.access, 1)["sid"] as? String)
        #expect(sessions.first?["current"] as? Bool == true)
        #expect(sessions.first?["renewable"] as? Bool == true)
        #expect(sessions.first?["user_agent"] as? String == "laptop")
        let again = try await server.refresh(#require(answer.json["refresh_token"] as? String))
        #expect(again.status == 200)
        #expect(try await send("GET", "/api/resource", miguel.basic).status == 401)
        #expect(try await send("GET", "/api/resource", basic(miguel.name, "monty")).status == 200)
    }

    /// The session of `GET /api/token` has no refresh token, and gets none.
    @Test func aChangeBySomeoneWithoutARefreshTokenGivesAnAccessToken() async throws {
        let token = try await server.token(miguel)
        for header in [bearer(token), basic(token, "")] {
            #expect(try await send("GET", "/api/resource", header).status == 200)
        }
        let answer = try await send("PUT", "/api/me/password", basic(token, ""), Self.change)
        #expect(answer.status == 200)
        #expect(Set(answer.json.keys) == ["access_token", "token_type", "expires_in"])
        #expect(try await send("GET", "/api/resource", bearer(token)).status == 401)
        let access = try #require(answer.json["access_token"] as? String)
        let sessions = try await server.sessions(bearer(access))
        #expect(sessions.map { $0["renewable"] as? Bool } == [false])
        #expect(try await send("GET", "/api/token", bearer(access)).status == 200)
    }

    @Test func aChangeByPasswordEndsAllSessions() async throws {
        let (tokens, plain) = (try await server.signIn(miguel), try await server.token(miguel))
        let answer = try await send("PUT", "/api/me/password", miguel.basic, Self.change)
        #expect(answer.status == 204)
        #expect(answer.body.isEmpty)
        for token in [tokens.access, plain] {
            #expect(try await send("GET", "/api/resource", bearer(token)).status == 401)
        }
        #expect(try await server.refresh(tokens.refresh).code == "invalid_grant")
        #expect(try await server.sessions(basic(miguel.name, "monty")).isEmpty)
    }

    @Test func ofTenChangesBySessionsAtOnceOneGetsTokensThatAreGood() async throws {
        let tokens = try await server.signIn(miguel)
        let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
            for number in 0..<10 {
                group.addTask {
                    let change = ["current_password": "python", "new_password": "monty\(number)"]
                    return try await send("PUT", "/api/me/password", bearer(tokens.access), change)
                }
            }
            return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
        }
        #expect(answers.count { $0.status == 200 } == 1)
        // The others are refused because the password has changed, or the session has ended.
        #expect(answers.allSatisfy { [200, 401, 403].contains($0.status) })
        let access = try #require(answers.first { $0.status == 200 }?.json["access_token"] as? String)
        #expect(try await send("GET", "/api/resource", bearer(access)).status == 200)
        #expect(try await server.sessions(bearer(access)).count == 1)
    }

    @Test(arguments: [
        (#"{"current_password":"wrong","new_password":"monty"}"#, 403, "current_password_invalid"),
        (#"{"current_password":"","new_password":"monty"}"#, 403, "current_password_invalid"),
        (#"{"new_password":"monty"}"#, 400, "validation_failed"),
        (#"{"current_password":"python"}"#, 400, "validation_failed"),
        (#"{"current_password":"python","new_password":""}"#, 400, "validation_failed"),
        (#"{"current_password":"python","new_password":null}"#, 400, "validation_failed"),
        (#"{"current_password":["python"],"new_password":"monty"}"#, 400, "validation_failed"),
        ("{}", 400, "validation_failed"), ("", 400, "invalid_json"), ("[]", 400, "invalid_json"),
    ])
    func aBadChangeChangesNothing(body: String, status: Int, code: String) async throws {
        let (mine, other) = (try await server.signIn(miguel), try await server.signIn(miguel))
        let answer = try await server.send(
            "PUT", "/api/me/password", headers: [bearer(mine.access), "Content-Type: application/json"], body: body)
        #expect(answer.status == status)
        #expect(answer.code == code)
        #expect(try await send("GET", "/api/resource", bearer(other.access)).status == 200)
        #expect(try await send("GET", "/api/resource", miguel.basic).status == 200)
    }

    /// Uses a server with settings of its own.
    @Test func theNewPasswordMustMeetThePolicy() async throws {
        let server = try await RunningServer(["--password-policy", "nist"])
        let miguel = try await server.newAccount(password: "rutabaga quiver lamp")
        let change = json(["current_password": miguel.password, "new_password": "short"])
        let answer = try await server.send(
            "PUT", "/api/me/password", headers: [miguel.basic, "Content-Type: application/json"], body: change)
        #expect(answer.status == 400)
        #expect(answer.code == "weak_password")
        let errors = answer.json["errors"] as? [[String: Any]] ?? [answer.json["errors"] as? [String: Any] ?? [:]]
        #expect(errors.first?["pointer"] as? String == "/new_password")
    }

    // MARK: The account

    @Test func anAccountIsDeletedWithItsPasswordOnly() async throws {
        let tokens = try await server.signIn(miguel)
        #expect(try await send("DELETE", "/api/me", bearer(tokens.access)).code == "validation_failed")
        let wrong = try await send("DELETE", "/api/me", bearer(tokens.access), ["password": "wrong"])
        #expect(wrong.code == "current_password_invalid")
        #expect(try await server.send("GET", "/api/users/\(miguel.id)").status == 200)
        let right = try await send("DELETE", "/api/me", bearer(tokens.access), ["password": "python"])
        #expect(right.status == 204)
        #expect(try await server.send("GET", "/api/users/\(miguel.id)").status == 400)
        #expect(try await send("GET", "/api/resource", bearer(tokens.access)).status == 401)
        #expect(try await server.refresh(tokens.refresh).code == "invalid_grant")
        #expect(try await send("DELETE", "/api/me", miguel.basic).status == 401)
    }

    @Test func whoComesByPasswordHasGivenIt() async throws {
        #expect(try await send("DELETE", "/api/me", miguel.basic).status == 204)
        #expect(try await server.send("GET", "/api/users/\(miguel.id)").status == 400)
    }

    @Test(arguments: [
        (#"{"password":"wrong"}"#, 403, "current_password_invalid"),
        (#"{"password":""}"#, 403, "current_password_invalid"),
        (#"{"password":7}"#, 400, "validation_failed"), ("{", 400, "invalid_json"), ("[]", 400, "invalid_json"),
    ])
    func whatABodySaysCountsAsWell(body: String, status: Int, code: String) async throws {
        let fields = [miguel.basic, "Content-Type: application/json"]
        let answer = try await server.send("DELETE", "/api/me", headers: fields, body: body)
        #expect(answer.status == status)
        #expect(answer.code == code)
        #expect(try await server.send("GET", "/api/users/\(miguel.id)").status == 200)
        let right = #"{"password":"python","reason":"-"}"#
        let deletion = try await server.send("DELETE", "/api/me", headers: fields, body: right)
        #expect(deletion.status == 204)
        #expect(deletion["Ignored-Fields"] == "\"reason\"")
    }

    // MARK: Sessions

    @Test func sessionsAreListedWithWhatTheirOwnerKnowsThemBy() async throws {
        let laptop = "laptop \u{1b}[31m\(String(repeating: "x", count: 500))".replacing("\u{1b}", with: "")
        let first = try await server.signIn(miguel, headers: ["User-Agent: phone"])
        let second = try await server.signIn(miguel, headers: ["User-Agent: \(laptop)"])
        let sessions = try await server.sessions(bearer(first.access))
        #expect(sessions.count == 2)
        #expect(sessions.map { $0["current"] as? Bool } == [false, true])
        #expect(sessions.map { ($0["user_agent"] as? String)?.prefix(6) } == ["laptop", "phone"])
        #expect((sessions[0]["user_agent"] as? String)?.count == 256)
        let members = [
            "id", "created_at", "authenticated_at", "last_used_at", "expires_at", "address", "user_agent", "amr", "acr",
            "renewable", "current",
        ]
        for session in sessions {
            #expect(Set(session.keys) == Set(members))
            #expect(session["address"] as? String == "127.0.0.1")
            #expect(session["amr"] as? [String] == ["pwd"])
            #expect(session["acr"] as? String == "aal1")
            #expect(session["authenticated_at"] as? String == session["created_at"] as? String)
        }
        #expect(try await server.sessions(bearer(second.access)).map { $0["current"] as? Bool } == [true, false])
        #expect(try await server.sessions(miguel.basic).allSatisfy { $0["current"] as? Bool == false })
        let susan = try await server.newAccount("susan", password: "cat")
        #expect(try await server.sessions(susan.basic).isEmpty)
    }

    /// Tested again on a server with settings of its own.
    @Test func theAddressIsTheClientsBehindATrustedProxyOnly() async throws {
        func address(_ server: RunningServer, _ account: Account, _ hops: String) async throws -> String? {
            let tokens = try await server.signIn(account, headers: ["X-Forwarded-For: \(hops)"])
            return try await server.sessions(bearer(tokens.access))[0]["address"] as? String
        }
        let proxied = try await RunningServer(["--trusted-proxies", "127.0.0.1"])
        let susan = try await proxied.newAccount("susan")
        #expect(try await address(proxied, susan, "192.0.2.7") == "192.0.2.7")
        #expect(try await address(server, miguel, "192.0.2.7") == "127.0.0.1")
        // A value that is not an address cannot come from a proxy.
        for hop in ["<script>", "192.0.2.7/8", "192.0.2.777", "a\u{9b}31m", ""] {
            #expect(try await address(proxied, susan, hop) == "127.0.0.1")
        }
    }

    @Test func sessionsComeInPages() async throws {
        for _ in 0..<5 { _ = try await server.signIn(miguel) }
        var (ids, after): ([String], String?) = ([], nil)
        repeat {
            let path = "/api/me/sessions?limit=2" + (after.map { "&after=\($0)" } ?? "")
            let answer = try await send("GET", path, miguel.basic)
            #expect(answer["Cache-Control"] == "no-store")
            let page = try #require(answer.json["pagination"] as? [String: Any])
            ids += try #require(answer.json["data"] as? [[String: Any]]).compactMap { $0["id"] as? String }
            #expect(page["limit"] as? Int == 2)
            after = page["after"] as? String
        } while after != nil
        #expect(ids.count == 5)
        #expect(ids == ids.sorted(by: >))
    }

    @Test(arguments: [
        "limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.5", "after=x", "after=",
        "limit=99999999999999999999",
    ])
    func anImpossiblePageIsABadRequest(query: String) async throws {
        for path in ["/api/me/sessions", "/api/users"] {
            let answer = try await send("GET", "\(path)?\(query)", miguel.basic)
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
        }
    }

    @Test func oneSessionIsEndedByItsOwner() async throws {
        let (mine, other) = (try await server.signIn(miguel), try await server.signIn(miguel))
        let susan = try await server.newAccount("susan", password: "cat")
        let sessions = try await server.sessions(bearer(other.access))
        let id = try #require(sessions.first { $0["current"] as? Bool == true }?["id"] as? String)
        for authorization in [susan.basic, bearer(try await server.signIn(susan).access)] {
            let answer = try await send("DELETE", "/api/me/sessions/\(id)", authorization)
            #expect(answer.status == 404)
            #expect(answer.code == "session_not_found")
        }
        #expect(try await send("GET", "/api/resource", bearer(other.access)).status == 200)
        #expect(try await send("DELETE", "/api/me/sessions/\(id)", bearer(mine.access)).status == 204)
        #expect(try await send("GET", "/api/resource", bearer(other.access)).status == 401)
        let again = try await send("DELETE", "/api/me/sessions/\(id)", bearer(mine.access))
        #expect(again.code == "session_not_found")
        for other in ["x", id.uppercased(), "%00", "1"] {
            #expect(try await send("DELETE", "/api/me/sessions/\(other)", bearer(mine.access)).status == 404)
        }
    }

    @Test func allSessionsAreEndedOrAllButThis() async throws {
        let (mine, other) = (try await server.signIn(miguel), try await server.signIn(miguel))
        // A query that may be a misspelt scope ends nothing.
        for query in ["scop=others", "Scope=others", "scope=others&except=x", "others"] {
            let answer = try await send("DELETE", "/api/me/sessions?\(query)", bearer(mine.access))
            #expect(answer.code == "validation_failed", "\(query)")
        }
        let unknown = try await send("DELETE", "/api/me/sessions?scope=x", bearer(mine.access))
        #expect(unknown.code == "validation_failed")
        #expect(try await send("DELETE", "/api/me/sessions?scope=others", bearer(mine.access)).status == 204)
        #expect(try await send("GET", "/api/resource", bearer(other.access)).status == 401)
        #expect(try await send("GET", "/api/resource", bearer(mine.access)).status == 200)
        #expect(try await send("DELETE", "/api/me/sessions", bearer(mine.access)).status == 204)
        #expect(try await send("GET", "/api/resource", bearer(mine.access)).status == 401)
        #expect(try await server.sessions(miguel.basic).isEmpty)
    }

    // MARK: Users

    /// Uses a server of its own, because it lists all users.
    @Test func usersAreListedInPagesForWhoIsSignedIn() async throws {
        let server = try await RunningServer()
        for name in ["Miguel", "susan", "david", "anna"] { try await server.register(name, "python") }
        func list(_ query: String) async throws -> HTTPAnswer {
            try await server.send("GET", "/api/users?\(query)", headers: [basic("miguel", "python")])
        }
        let first = try await list("limit=3")
        let users = #"{"id":1,"username":"Miguel"},{"id":2,"username":"susan"},{"id":3,"username":"david"}"#
        #expect(first.body.hasPrefix(#"{"data":[\#(users)],"pagination":"#))
        let page = try #require(first.json["pagination"] as? [String: Any])
        #expect(page["count"] as? Int == 3)
        let after = try #require(page["after"] as? String)
        let second = try await list("limit=3&after=\(after)")
        #expect(second.body.hasPrefix(#"{"data":[{"id":4,"username":"anna"}],"#))
        #expect((second.json["pagination"] as? [String: Any])?["after"] is NSNull)
        #expect(try await list("after=99").json["data"] as? [String] == [])
    }
}
