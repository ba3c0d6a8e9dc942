import Foundation
import Support
import Testing

/// `/api/me` and the list of users, through the real binary.
@Suite struct MeRoutesTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
        _ = try server.register("Miguel", "python")
    }

    private func send(_ method: String, _ path: String, _ authorization: String, _ body: [String: Any]? = nil) throws
        -> HTTPAnswer
    {
        try server.send(
            method, path, headers: [authorization] + (body == nil ? [] : ["Content-Type: application/json"]),
            body: body.map(json))
    }

    @Test func whoAmI() throws {
        for authorization in [basic("miguel", "python"), bearer(try server.signIn().access)] {
            let answer = try send("GET", "/api/me", authorization)
            #expect(answer.status == 200)
            #expect(Set(answer.json.keys) == ["id", "username", "roles", "created_at"])
            #expect(answer.json["id"] as? Int == 1)
            #expect(answer.json["username"] as? String == "Miguel")
            #expect(answer.json["roles"] as? [String] == [])
        }
    }

    @Test(arguments: [
        ("GET", "/api/me"), ("DELETE", "/api/me"), ("PUT", "/api/me/password"), ("GET", "/api/me/sessions"),
        ("DELETE", "/api/me/sessions"),
        ("DELETE", "/api/me/sessions/01a1fdf3-d3a2-7e37-8317-3196edb0e819"), ("GET", "/api/users"),
    ])
    func nobodyIsRefusedEverywhere(method: String, path: String) throws {
        for headers in [[], [basic("miguel", "wrong")], [bearer("x")]] {
            let answer = try server.send(method, path, headers: headers)
            #expect(answer.status == 401)
            #expect(answer["WWW-Authenticate"]?.hasPrefix("Basic realm=") == true)
        }
    }

    // MARK: The password

    @Test func anotherPasswordEndsEveryOtherSession() throws {
        let (mine, other) = (try server.signIn(), try server.signIn())
        let answer = try send(
            "PUT", "/api/me/password", bearer(mine.access), ["current_password": "python", "new_password": "monty"])
        #expect(answer.status == 204)
        #expect(try send("GET", "/api/resource", bearer(mine.access)).status == 200)
        #expect(try server.refresh(mine.refresh).status == 200)
        #expect(try send("GET", "/api/resource", bearer(other.access)).status == 401)
        #expect(try server.refresh(other.refresh).code == "invalid_grant")
        #expect(try send("GET", "/api/resource", basic("miguel", "python")).status == 401)
        #expect(try send("GET", "/api/resource", basic("miguel", "monty")).status == 200)
    }

    @Test func aChangeByPasswordEndsAllSessions() throws {
        let tokens = try server.signIn()
        let change = ["current_password": "python", "new_password": "monty"]
        #expect(try send("PUT", "/api/me/password", basic("miguel", "python"), change).status == 204)
        #expect(try send("GET", "/api/resource", bearer(tokens.access)).status == 401)
    }

    @Test(arguments: [
        (#"{"current_password":"wrong","new_password":"monty"}"#, 403, "current_password_invalid"),
        (#"{"current_password":"","new_password":"monty"}"#, 403, "current_password_invalid"),
        (#"{"new_password":"monty"}"#, 400, "validation_failed"),
        (#"{"current_password":"python"}"#, 400, "validation_failed"),
        (#"{"current_password":"python","new_password":""}"#, 400, "validation_failed"),
        (#"{"current_password":"python","new_password":null}"#, 400, "validation_failed"),
        (#"{"current_password":["python"],"new_password":"monty"}"#, 400, "validation_failed"),
        ("{}", 400, "validation_failed"),
        ("", 400, "invalid_json"), ("[]", 400, "invalid_json"),
    ])
    func aBadChangeChangesNothing(body: String, status: Int, code: String) throws {
        let (mine, other) = (try server.signIn(), try server.signIn())
        let answer = try server.send(
            "PUT", "/api/me/password", headers: [bearer(mine.access), "Content-Type: application/json"], body: body)
        #expect(answer.status == status)
        #expect(answer.code == code)
        #expect(try send("GET", "/api/resource", bearer(other.access)).status == 200)
        #expect(try send("GET", "/api/resource", basic("miguel", "python")).status == 200)
    }

    @Test func theNewPasswordMustMeetThePolicy() async throws {
        let server = try await RunningServer(["--password-policy", "nist"])
        _ = try server.register("miguel", "rutabaga quiver lamp")
        let change = json(["current_password": "rutabaga quiver lamp", "new_password": "short"])
        let answer = try server.send(
            "PUT", "/api/me/password",
            headers: [basic("miguel", "rutabaga quiver lamp"), "Content-Type: application/json"], body: change)
        #expect(answer.status == 400)
        #expect(answer.code == "weak_password")
        #expect(
            (answer.json["errors"] as? [[String: Any]] ?? [answer.json["errors"] as? [String: Any] ?? [:]]).first?[
                "pointer"] as? String
                == "/new_password")
    }

    // MARK: The account

    @Test func anAccountIsDeletedWithItsPasswordOnly() throws {
        let tokens = try server.signIn()
        #expect(try send("DELETE", "/api/me", bearer(tokens.access)).code == "validation_failed")
        #expect(
            try send("DELETE", "/api/me", bearer(tokens.access), ["password": "wrong"]).code
                == "current_password_invalid")
        #expect(try server.send("GET", "/api/users/1").status == 200)
        #expect(try send("DELETE", "/api/me", bearer(tokens.access), ["password": "python"]).status == 204)
        #expect(try server.send("GET", "/api/users/1").status == 400)
        #expect(try send("GET", "/api/resource", bearer(tokens.access)).status == 401)
        #expect(try server.refresh(tokens.refresh).code == "invalid_grant")
        #expect(try send("DELETE", "/api/me", basic("miguel", "python")).status == 401)
    }

    @Test func whoComesByPasswordHasGivenIt() throws {
        #expect(try send("DELETE", "/api/me", basic("miguel", "python")).status == 204)
        #expect(try server.send("GET", "/api/users/1").status == 400)
    }

    // MARK: Sessions

    @Test func sessionsAreListedWithWhatTheirOwnerKnowsThemBy() throws {
        let first = try server.signIn(headers: ["User-Agent: phone"])
        let second = try server.signIn(headers: [
            "User-Agent: laptop \u{1b}[31m\(String(repeating: "x", count: 500))".replacing("\u{1b}", with: "")
        ])
        let sessions = try server.sessions(bearer(first.access))
        #expect(sessions.count == 2)
        #expect(sessions.map { $0["current"] as? Bool } == [false, true])
        #expect(sessions.map { ($0["user_agent"] as? String)?.prefix(6) } == ["laptop", "phone"])
        #expect((sessions[0]["user_agent"] as? String)?.count == 256)
        for session in sessions {
            #expect(
                Set(session.keys) == [
                    "id", "created_at", "last_used_at", "expires_at", "address", "user_agent", "amr", "renewable",
                    "current",
                ])
            #expect(session["address"] as? String == "127.0.0.1")
            #expect(session["amr"] as? [String] == ["pwd"])
        }
        #expect(try server.sessions(bearer(second.access)).map { $0["current"] as? Bool } == [true, false])
        #expect(try server.sessions(basic("miguel", "python")).allSatisfy { $0["current"] as? Bool == false })
        _ = try server.register("susan", "cat")
        #expect(try server.sessions(basic("susan", "cat")).isEmpty)
    }

    @Test func theAddressIsTheClientsBehindATrustedProxyOnly() async throws {
        let proxied = try await RunningServer(["--trusted-proxies", "127.0.0.1"])
        _ = try proxied.register("miguel", "python")
        let forwarded = ["X-Forwarded-For: 192.0.2.7"]
        #expect(
            try proxied.sessions(bearer(proxied.signIn(headers: forwarded).access))[0]["address"] as? String
                == "192.0.2.7")
        #expect(
            try server.sessions(bearer(server.signIn(headers: forwarded).access))[0]["address"] as? String
                == "127.0.0.1")
        // What is no address did not come from a proxy.
        for hop in ["<script>", "192.0.2.7/8", "192.0.2.777", "a\u{9b}31m", ""] {
            let access = try proxied.signIn(headers: ["X-Forwarded-For: \(hop)"]).access
            #expect(try proxied.sessions(bearer(access))[0]["address"] as? String == "127.0.0.1")
        }
    }

    @Test func sessionsComeInPages() throws {
        for _ in 0..<5 { _ = try server.signIn() }
        var (ids, after): ([String], String?) = ([], nil)
        repeat {
            let path = "/api/me/sessions?limit=2" + (after.map { "&after=\($0)" } ?? "")
            let answer = try send("GET", path, basic("miguel", "python"))
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
    func anImpossiblePageIsABadRequest(query: String) throws {
        for path in ["/api/me/sessions", "/api/users"] {
            let answer = try send("GET", "\(path)?\(query)", basic("miguel", "python"))
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
        }
    }

    @Test func oneSessionIsEndedByItsOwner() throws {
        let (mine, other) = (try server.signIn(), try server.signIn())
        _ = try server.register("susan", "cat")
        let id = try #require(
            server.sessions(bearer(other.access)).first { $0["current"] as? Bool == true }?["id"] as? String)
        for authorization in [basic("susan", "cat"), bearer(try server.signIn("susan", "cat").access)] {
            let answer = try send("DELETE", "/api/me/sessions/\(id)", authorization)
            #expect(answer.status == 404)
            #expect(answer.code == "session_not_found")
        }
        #expect(try send("GET", "/api/resource", bearer(other.access)).status == 200)
        #expect(try send("DELETE", "/api/me/sessions/\(id)", bearer(mine.access)).status == 204)
        #expect(try send("GET", "/api/resource", bearer(other.access)).status == 401)
        #expect(try send("DELETE", "/api/me/sessions/\(id)", bearer(mine.access)).code == "session_not_found")
        for other in ["x", id.uppercased(), "%00", "1"] {
            #expect(try send("DELETE", "/api/me/sessions/\(other)", bearer(mine.access)).status == 404)
        }
    }

    @Test func allSessionsAreEndedOrAllButThis() throws {
        let (mine, other) = (try server.signIn(), try server.signIn())
        #expect(try send("DELETE", "/api/me/sessions?scope=x", bearer(mine.access)).code == "validation_failed")
        #expect(try send("DELETE", "/api/me/sessions?scope=others", bearer(mine.access)).status == 204)
        #expect(try send("GET", "/api/resource", bearer(other.access)).status == 401)
        #expect(try send("GET", "/api/resource", bearer(mine.access)).status == 200)
        #expect(try send("DELETE", "/api/me/sessions", bearer(mine.access)).status == 204)
        #expect(try send("GET", "/api/resource", bearer(mine.access)).status == 401)
        #expect(try server.sessions(basic("miguel", "python")).isEmpty)
    }

    // MARK: Users

    @Test func usersAreListedInPagesForWhoIsSignedIn() throws {
        for name in ["susan", "david", "anna"] { _ = try server.register(name, "python") }
        let first = try send("GET", "/api/users?limit=3", basic("miguel", "python"))
        #expect(
            first.body.hasPrefix(
                #"{"data":[{"id":1,"username":"Miguel"},{"id":2,"username":"susan"},{"id":3,"username":"david"}],"pagination":"#
            ))
        let page = try #require(first.json["pagination"] as? [String: Any])
        #expect(page["count"] as? Int == 3)
        let after = try #require(page["after"] as? String)
        let second = try send("GET", "/api/users?limit=3&after=\(after)", basic("miguel", "python"))
        #expect(second.body.hasPrefix(#"{"data":[{"id":4,"username":"anna"}],"#))
        #expect((second.json["pagination"] as? [String: Any])?["after"] is NSNull)
        #expect(try send("GET", "/api/users?after=99", basic("miguel", "python")).json["data"] as? [String] == [])
    }
}
