import Foundation
import Support
import Testing

/// `GET /api/me/events`: the events of the caller's account, and nothing else.
@Suite(.server()) struct MeEventsTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func events(_ account: Account, _ query: String = "") async throws -> [[String: Any]] {
        let answer = try await server.send("GET", "/api/me/events" + query, headers: [account.basic])
        return try #require(answer.json["data"] as? [[String: Any]], "\(answer.body)")
    }

    @Test func theOwnerSeesWhatHappenedTheNewestFirst() async throws {
        let miguel = try await server.newAccount()
        _ = try await server.signIn(miguel, headers: ["User-Agent: phone"])
        try await server.command("users", "grant", miguel.name, "admin")
        let events = try await events(miguel)
        #expect(events.map { $0["name"] as? String } == ["role.granted", "session.started", "user.registered"])
        #expect(events.map { $0["actor"] as? String } == ["operator", "user", "anonymous"])
        #expect(events[0]["details"] as? [String: String] == ["role": "admin"])
        #expect(events[0]["address"] is NSNull)
        #expect(events[1]["user_agent"] as? String == "phone")
        #expect(events[1]["address"] as? String == "127.0.0.1")
        #expect(events[1]["network"] as? String == "127.0.0.0/24")
        #expect(events[1]["session_id"] is String)
        let members = Set([
            "name", "at", "actor", "address", "network", "user_agent", "session_id", "details",
        ])
        #expect(events.allSatisfy { Set($0.keys) == members })
    }

    /// A live token says who signs out; a refresh token only of which session it is.
    @Test func theOwnerSignsOut() async throws {
        let miguel = try await server.newAccount()
        let tokens = try await server.signIn(miguel)
        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
        let other = try await server.signIn(miguel)
        let answer = try await server.send(
            "DELETE", "/api/tokens", headers: ["Content-Type: application/json"],
            body: json(["refresh_token": other.refresh]))
        #expect(answer.status == 204)
        let ended = try await events(miguel).filter { $0["name"] as? String == "session.ended" }
        #expect(ended.map { $0["actor"] as? String } == ["anonymous", "user"])
        #expect(ended.allSatisfy { $0["address"] as? String == "127.0.0.1" })
    }

    @Test func nobodySeesAnothersNorWhoTheOperatorIs() async throws {
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        _ = try await server.signIn(susan)
        try await server.command("users", "disable", susan.name)
        try await server.command("users", "enable", susan.name)
        #expect(try await events(miguel).count == 1)
        let answer = try await server.send("GET", "/api/me/events", headers: [susan.basic])
        #expect(answer.body.contains("user.disabled"))
        #expect(!answer.body.contains("root"))
        #expect(answer["Cache-Control"] == "no-store")
    }

    @Test func pagesGoBackToTheBeginning() async throws {
        let miguel = try await server.newAccount()
        for _ in 0..<4 { _ = try await server.signIn(miguel) }
        var (names, query): ([String], String?) = ([], "?limit=2")
        while let page = query {
            let answer = try await server.send("GET", "/api/me/events" + page, headers: [miguel.basic])
            let events = answer.json["data"] as? [[String: Any]] ?? []
            names += events.compactMap { $0["name"] as? String }
            let next = (answer.json["pagination"] as? [String: Any])?["after"] as? String
            query = next.map { "?limit=2&after=\($0)" }
        }
        #expect(names == Array(repeating: "session.started", count: 4) + ["user.registered"])
    }

    @Test(arguments: [
        "?limit=0", "?limit=101", "?limit=x", "?after=x", "?after=-1", "?after=99999999999999999999", "?after=1.5",
    ])
    func whatIsNoPageIsRefused(query: String) async throws {
        let miguel = try await server.newAccount()
        let answer = try await server.send("GET", "/api/me/events" + query, headers: [miguel.basic])
        #expect(answer.status == 400)
        #expect(answer.code == "validation_failed")
    }

    @Test func whoIsNotSignedInIsRefused() async throws {
        let miguel = try await server.newAccount()
        for headers in [[], [basic(miguel.name, "wrong")], ["Authorization: Bearer x"]] {
            #expect(try await server.send("GET", "/api/me/events", headers: headers).status == 401)
        }
        #expect(try await server.send("POST", "/api/me/events", headers: [miguel.basic]).status == 405)
    }
}
