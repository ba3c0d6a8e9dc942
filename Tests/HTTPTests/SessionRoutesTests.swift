import Foundation
import Support
import Testing

/// `/api/tokens`: sign in, renew, sign out, tested on the real binary.
@Suite(.server()) struct SessionRoutesTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    // MARK: Signing in

    @Test func aPasswordGivesWhatOAuthClientsRead() async throws {
        let miguel = try await server.newAccount()
        for answer in [
            try await server.send("POST", "/api/tokens", headers: [miguel.basic]),
            try await server.send(
                "POST", "/api/tokens", headers: ["Content-Type: application/json"],
                body: json(["username": miguel.name.capitalized, "password": miguel.password])),
        ] {
            #expect(answer.status == 200)
            #expect(Set(answer.json.keys) == ["access_token", "token_type", "expires_in", "refresh_token"])
            #expect(answer.json["token_type"] as? String == "Bearer")
            #expect(answer.json["expires_in"] as? Int == 600)
            #expect(answer["Cache-Control"] == "no-store")
            #expect(answer["Pragma"] == "no-cache")
            #expect(answer["Set-Cookie"] == nil)
            let token = try #require(answer.json["access_token"] as? String)
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
            #expect(try await server.send("GET", "/api/resource", headers: [basic(token, "")]).status == 200)
        }
    }

    @Test func theContractsRouteStaysAsItIsAndBelongsToASession() async throws {
        let miguel = try await server.newAccount()
        let answer = try await server.send("GET", "/api/token", headers: [miguel.basic])
        #expect(Set(answer.json.keys) == ["token", "duration"])
        let token = try #require(answer.json["token"] as? String)
        let sessions = try await server.sessions(bearer(token))
        #expect(sessions.count == 1)
        #expect(sessions[0]["current"] as? Bool == true)
        #expect(sessions[0]["renewable"] as? Bool == false)
        #expect(try await server.send("DELETE", "/api/tokens", headers: [basic(token, "")]).status == 204)
        #expect(try await server.send("GET", "/api/resource", headers: [basic(token, "")]).status == 401)
        #expect(try await server.send("GET", "/api/token", headers: [basic(token, "")]).status == 401)
    }

    @Test(arguments: [
        (#"{"username":"miguel","password":"wrong"}"#, 401), (#"{"username":"nobody","password":"python"}"#, 401),
        (#"{"username":"miguel"}"#, 400), (#"{"password":"python"}"#, 400),
        (#"{"username":1,"password":"python"}"#, 400), ("{}", 400), ("[]", 400), ("", 400), ("not JSON", 400),
    ])
    func whatIsNoPasswordStartsNothing(body: String, status: Int) async throws {
        var body = body
        if body.contains("miguel") { body.replace("miguel", with: try await server.newAccount().name) }
        let answer = try await server.send(
            "POST", "/api/tokens", headers: ["Content-Type: application/json"], body: body)
        #expect(answer.status == status)
        #expect(answer.code != nil)
        #expect((answer["WWW-Authenticate"] != nil) == (status == 401))
    }

    @Test func aTokenIsNoPassword() async throws {
        let tokens = try await server.signIn(server.newAccount())
        for header in [
            bearer(tokens.access), basic(tokens.access, "x"), bearer(tokens.refresh), basic(tokens.refresh, "x"),
            "Authorization: x",
        ] {
            #expect(try await server.send("POST", "/api/tokens", headers: [header]).status == 401)
        }
    }

    // MARK: Renewing

    @Test func aRefreshTokenGivesAFreshPair() async throws {
        let first = try await server.signIn(server.newAccount())
        let second = try await server.refresh(first.refresh)
        #expect(second.status == 200)
        #expect(Set(second.json.keys) == ["access_token", "token_type", "expires_in", "refresh_token"])
        #expect(second.json["refresh_token"] as? String != first.refresh)
        #expect(second["Cache-Control"] == "no-store")
        // Other members, such as the access token, are ignored.
        let body = json(["refresh_token": first.refresh, "access_token": "x"])
        let again = try await server.send(
            "PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: body)
        #expect(again.status == 200)
    }

    @Test func fiftyAtOnceAllGetTheSameSuccessor() async throws {
        let first = try await server.signIn(server.newAccount())
        let successors = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let answer = try await server.refresh(first.refresh)
                    return answer.status == 200 ? answer.json["refresh_token"] as? String : "status \(answer.status)"
                }
            }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(successors.count == 1)
        #expect(try await server.refresh(#require(successors.first ?? nil)).status == 200)
    }

    @Test func anAnswerThatIsLostIsGivenAgain() async throws {
        let first = try await server.signIn(server.newAccount())
        // The request is sent, and the connection closed before the answer is read.
        do {
            let body = json(["refresh_token": first.refresh])
            try await server.connect().write(
                "PUT /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        let second = try await server.refresh(first.refresh)
        #expect(second.status == 200)
        let third = try await server.refresh(#require(second.json["refresh_token"] as? String))
        #expect(third.status == 200)
    }

    @Test func aRepeatedTradeIsAnEventAndAUseOfTheSession() async throws {
        let miguel = try await server.newAccount()
        let first = try await server.signIn(miguel)
        let second = try await server.refresh(first.refresh)
        let event = try Regex("notice refresh_token_repeated .*session_id=[0-9a-f-]{36} user_id=\(miguel.id)\\b")
        #expect(!server.log.contains(event))
        try await wait(for: "a second in which the session was not used") {
            let text = try await server.sessions(miguel.basic).first?["last_used_at"] as? String
            return try Date.now.timeIntervalSince(Date(#require(text), strategy: .iso8601)) > 2
        }
        let before = try #require(await server.sessions(miguel.basic).first)
        let again = try await server.refresh(first.refresh)
        #expect(again.json["refresh_token"] as? String == second.json["refresh_token"] as? String)
        let after = try #require(await server.sessions(miguel.basic).first)
        #expect(after["last_used_at"] as? String != before["last_used_at"] as? String)
        #expect(after["expires_at"] as? String == before["expires_at"] as? String)
        try await wait(for: "the event") { server.log.contains(event) }
        #expect(!server.log.contains(first.refresh))
    }

    @Test func aTokenIsTradedAHundredTimesMoreAndThenRefusedWhileItsSuccessorIsGood() async throws {
        let miguel = try await server.newAccount()
        let first = try await server.signIn(miguel)
        let second = try #require(try await server.refresh(first.refresh).json["refresh_token"] as? String)
        let connection = try await server.connect()
        func trade(_ token: String) async throws -> HTTPAnswer {
            try await connection.send(
                "PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: json(["refresh_token": token]))
        }
        for _ in 0..<100 { #expect(try await trade(first.refresh).status == 200) }
        for _ in 0..<3 { #expect(try await trade(first.refresh).code == "invalid_grant") }
        let event = try Regex(
            "warning refresh_token_exhausted .*session_id=[0-9a-f-]{36} user_id=\(miguel.id)\\b")
        try await wait(for: "the event") { server.log.contains(event) }
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(first.access)]).status == 200)
        #expect(try await trade(second).status == 200)
    }

    @Test func aTokenThatComesBackAfterItsSuccessorWasUsedEndsTheSession() async throws {
        let miguel = try await server.newAccount()
        let first = try await server.signIn(miguel)
        let second = try #require(try await server.refresh(first.refresh).json["refresh_token"] as? String)
        let third = try await server.refresh(second)
        let answer = try await server.refresh(first.refresh)
        #expect(answer.status == 400)
        #expect(answer.code == "refresh_token_reused")
        #expect(answer.json["error"] as? String == "invalid_grant")
        #expect(answer.json["error_description"] is String)
        for token in [first.access, try #require(third.json["access_token"] as? String)] {
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 401)
        }
        #expect(try await server.refresh(#require(third.json["refresh_token"] as? String)).code == "invalid_grant")
        let event = try Regex("warning refresh_token_reused .*session_id=[0-9a-f-]{36} user_id=\(miguel.id)\\b")
        try await wait(for: "the event") { server.log.contains(event) }
        for token in [first.refresh, second] { #expect(!server.log.contains(token)) }
    }

    @Test func whatIsNoRefreshTokenOfOursIsRefusedInOneWay() async throws {
        let miguel = try await server.newAccount()
        let tokens = try await server.signIn(miguel)
        // Another instance with another secret.
        let other = try await RunningServer()
        try await other.register(miguel.name, miguel.password)
        let foreign = try await other.signIn(miguel)
        let ended = try await server.signIn(miguel)
        _ = try await server.send("DELETE", "/api/tokens", headers: [bearer(ended.access)])
        let refused = [
            tokens.access, foreign.refresh, ended.refresh, String(tokens.refresh.dropLast()), tokens.refresh + "A",
            tokens.refresh + "\n", "x", String(repeating: "A", count: 112), String(repeating: "A", count: 10_000),
            "'; DROP TABLE sessions; --",
        ]
        for token in refused {
            let answer = try await server.refresh(token)
            #expect(answer.status == 400)
            #expect(answer.code == "invalid_grant")
            #expect(answer.json["error"] as? String == "invalid_grant")
            #expect(!answer.body.contains("SQL"))
        }
        #expect(try await server.refresh(tokens.refresh).status == 200)
    }

    @Test(arguments: [
        "", "{}", #"{"refresh_token":null}"#, #"{"refresh_token":1}"#, #"{"refresh_token":["a"]}"#, "[]", "x",
    ])
    func aRenewalWithoutARefreshTokenIsABadRequest(body: String) async throws {
        let answer = try await server.send(
            "PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: body)
        #expect(answer.status == 400)
        #expect(answer.code != nil)
    }

    /// Uses a server with settings of its own.
    @Test func anExpiredSessionSaysSo() async throws {
        let server = try await RunningServer(["--session-inactivity-timeout", "1"])
        let miguel = try await server.newAccount()
        try await wait(for: "a session that is asked for before its row goes, which may be at any time") {
            let tokens = try await server.signIn(miguel)
            // Listed sessions are live.
            try await wait(for: "the session to expire") { try await server.sessions(miguel.basic).isEmpty }
            return try await server.refresh(tokens.refresh).code == "session_expired"
        }
    }

    /// Uses a server with settings of its own.
    @Test func theOldestSessionGoesBeyondTheLimit() async throws {
        let server = try await RunningServer(["--session-limit", "3"])
        let miguel = try await server.newAccount()
        var sessions: [SignedIn] = []
        for _ in 0..<5 { sessions.append(try await server.signIn(miguel)) }
        for (number, tokens) in sessions.enumerated() {
            let answer = try await server.send("GET", "/api/resource", headers: [bearer(tokens.access)])
            #expect(answer.status == (number < 2 ? 401 : 200))
            #expect(try await server.refresh(tokens.refresh).status == (number < 2 ? 400 : 200))
        }
    }

    /// A sign-in has read the old hash and waits for the database's writer; then the password
    /// changes.
    @Test func aPasswordChangeIsNotOvertakenBySignInsWithTheOldOne() async throws {
        let miguel = try await server.newAccount()
        for round in 0..<5 {
            let (old, new) = ("python\(round == 0 ? "" : "\(round)")", "python\(round + 1)")
            async let signIns = withTaskGroup(of: SignedIn?.self) { group in
                for _ in 0..<12 {
                    group.addTask { try? await server.signIn(miguel.name, old) }
                }
                return await group.reduce(into: [SignedIn?]()) { $0.append($1) }
            }
            let body = json(["current_password": old, "new_password": new])
            let change = try await server.send(
                "PUT", "/api/me/password", headers: [basic(miguel.name, old), "Content-Type: application/json"],
                body: body)
            #expect(change.status == 204)
            for tokens in await signIns.compactMap({ $0 }) {
                #expect(try await server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401)
                #expect(try await server.refresh(tokens.refresh).status == 400)
            }
        }
    }

    // MARK: Signing out

    @Test func signingOutWithEitherTokenEndsBothAtOnce() async throws {
        let miguel = try await server.newAccount()
        for useRefreshToken in [true, false] {
            let tokens = try await server.signIn(miguel)
            let connection = try await server.connect()
            let header = bearer(tokens.access)
            for _ in 0..<3 {
                #expect(try await connection.send("GET", "/api/resource", headers: [header]).status == 200)
            }
            for _ in 0..<2 { #expect(try await signOut(tokens, useRefreshToken).status == 204) }
            // The very next request on a connection that knows the token.
            #expect(try await connection.send("GET", "/api/resource", headers: [header]).status == 401)
            #expect(try await server.refresh(tokens.refresh).code == "invalid_grant")
        }
    }

    private func signOut(_ tokens: SignedIn, _ useRefreshToken: Bool) async throws -> HTTPAnswer {
        useRefreshToken
            ? try await server.send(
                "DELETE", "/api/tokens", headers: ["Content-Type: application/json"],
                body: json(["refresh_token": tokens.refresh]))
            : try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
    }

    /// Uses a server with settings of its own.
    @Test func anExpiredAccessTokenSignsOut() async throws {
        let server = try await RunningServer(["--token-duration", "1"])
        let tokens = try await server.signIn(server.newAccount())
        try await wait(for: "the token to expire") {
            try await server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401
        }
        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
        #expect(try await server.refresh(tokens.refresh).code == "invalid_grant")
    }

    @Test func whatSignsNobodyOut() async throws {
        #expect(try await server.send("DELETE", "/api/tokens").status == 401)
        let miguel = try await server.newAccount()
        #expect(try await server.send("DELETE", "/api/tokens", headers: [miguel.basic]).status == 401)
        // A token of another issuer belongs to no session here: there is nothing to end.
        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer("x.y.z")]).status == 204)
        #expect(try await server.send("PATCH", "/api/tokens").status == 405)
    }

    @Test func signOutAndRefreshAtOnceLeaveNothingOpen() async throws {
        let miguel = try await server.newAccount()
        for _ in 0..<10 {
            let tokens = try await server.signIn(miguel)
            async let renewed = server.refresh(tokens.refresh)
            async let ended = server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
            #expect(try await ended.status == 204)
            let answer = try await renewed
            if let access = answer.json["access_token"] as? String {
                #expect(try await server.send("GET", "/api/resource", headers: [bearer(access)]).status == 401)
                #expect(try await server.refresh(#require(answer.json["refresh_token"] as? String)).status == 400)
            } else {
                #expect(answer.code == "invalid_grant")
            }
        }
    }

    // MARK: Cookies

    @Test func withoutTheSettingACookieIsNothing() async throws {
        let tokens = try await server.signIn(server.newAccount())
        let cookie = "Cookie: refresh_token=\(tokens.refresh)"
        #expect(try await server.send("PUT", "/api/tokens", headers: [cookie]).code == "validation_failed")
    }
}
