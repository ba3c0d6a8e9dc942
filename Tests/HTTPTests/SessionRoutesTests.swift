import Foundation
import Support
import Testing

/// `/api/tokens`: sign in, renew, sign out, through the real binary.
@Suite struct SessionRoutesTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
        _ = try server.register("miguel", "python")
    }

    // MARK: Signing in

    @Test func aPasswordGivesWhatOAuthClientsRead() throws {
        for answer in [
            try server.send("POST", "/api/tokens", headers: [basic("miguel", "python")]),
            try server.send(
                "POST", "/api/tokens", headers: ["Content-Type: application/json"],
                body: json(["username": "Miguel", "password": "python"])),
        ] {
            #expect(answer.status == 200)
            #expect(Set(answer.json.keys) == ["access_token", "token_type", "expires_in", "refresh_token"])
            #expect(answer.json["token_type"] as? String == "Bearer")
            #expect(answer.json["expires_in"] as? Int == 600)
            #expect(answer["Cache-Control"] == "no-store")
            #expect(answer["Pragma"] == "no-cache")
            #expect(answer["Set-Cookie"] == nil)
            let token = try #require(answer.json["access_token"] as? String)
            #expect(try server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
            #expect(try server.send("GET", "/api/resource", headers: [basic(token, "")]).status == 200)
        }
    }

    @Test func theContractsRouteStaysAsItIsAndBelongsToASession() throws {
        let answer = try server.send("GET", "/api/token", headers: [basic("miguel", "python")])
        #expect(Set(answer.json.keys) == ["token", "duration"])
        let token = try #require(answer.json["token"] as? String)
        let sessions = try server.sessions(bearer(token))
        #expect(sessions.count == 1)
        #expect(sessions[0]["current"] as? Bool == true)
        #expect(sessions[0]["renewable"] as? Bool == false)
        #expect(try server.send("DELETE", "/api/tokens", headers: [basic(token, "")]).status == 204)
        #expect(try server.send("GET", "/api/resource", headers: [basic(token, "")]).status == 401)
        #expect(try server.send("GET", "/api/token", headers: [basic(token, "")]).status == 401)
    }

    @Test(arguments: [
        (#"{"username":"miguel","password":"wrong"}"#, 401), (#"{"username":"nobody","password":"python"}"#, 401),
        (#"{"username":"miguel"}"#, 400), (#"{"password":"python"}"#, 400),
        (#"{"username":1,"password":"python"}"#, 400), ("{}", 400),
        ("[]", 400), ("", 400), ("not JSON", 400),
    ])
    func whatIsNoPasswordStartsNothing(body: String, status: Int) throws {
        let answer = try server.send("POST", "/api/tokens", headers: ["Content-Type: application/json"], body: body)
        #expect(answer.status == status)
        #expect(answer.code != nil)
        #expect((answer["WWW-Authenticate"] != nil) == (status == 401))
    }

    @Test func aTokenIsNoPassword() throws {
        let tokens = try server.signIn()
        for header in [
            bearer(tokens.access), basic(tokens.access, "x"), bearer(tokens.refresh), basic(tokens.refresh, "x"),
            "Authorization: x",
        ] {
            #expect(try server.send("POST", "/api/tokens", headers: [header]).status == 401)
        }
    }

    // MARK: Renewing

    @Test func aRefreshTokenGivesAFreshPair() throws {
        let first = try server.signIn()
        let second = try server.refresh(first.refresh)
        #expect(second.status == 200)
        #expect(Set(second.json.keys) == ["access_token", "token_type", "expires_in", "refresh_token"])
        #expect(second.json["refresh_token"] as? String != first.refresh)
        #expect(second["Cache-Control"] == "no-store")
        // Other members, such as the access token, are not looked at.
        let body = json(["refresh_token": first.refresh, "access_token": "x"])
        #expect(
            try server.send("PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: body).status == 200
        )
    }

    @Test func fiftyAtOnceAllGetTheSameSuccessor() async throws {
        let first = try server.signIn()
        let successors = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let answer = try server.refresh(first.refresh)
                    return answer.status == 200 ? answer.json["refresh_token"] as? String : "status \(answer.status)"
                }
            }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(successors.count == 1)
        #expect(try server.refresh(#require(successors.first ?? nil)).status == 200)
    }

    @Test func anAnswerThatIsLostIsGivenAgain() throws {
        let first = try server.signIn()
        // Sent, and the connection closed before the answer is read.
        do {
            let body = json(["refresh_token": first.refresh])
            try server.connect().write(
                "PUT /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
        }
        let second = try server.refresh(first.refresh)
        #expect(second.status == 200)
        let third = try server.refresh(#require(second.json["refresh_token"] as? String))
        #expect(third.status == 200)
    }

    @Test func aTokenThatComesBackAfterItsSuccessorWasUsedEndsTheSession() async throws {
        let first = try server.signIn()
        let second = try #require(server.refresh(first.refresh).json["refresh_token"] as? String)
        let third = try server.refresh(second)
        let answer = try server.refresh(first.refresh)
        #expect(answer.status == 400)
        #expect(answer.code == "refresh_token_reused")
        #expect(answer.json["error"] as? String == "invalid_grant")
        #expect(answer.json["error_description"] is String)
        for token in [first.access, try #require(third.json["access_token"] as? String)] {
            #expect(try server.send("GET", "/api/resource", headers: [bearer(token)]).status == 401)
        }
        #expect(try server.refresh(#require(third.json["refresh_token"] as? String)).code == "invalid_grant")
        try await wait(seconds: 5, for: "the event") {
            server.log.contains(/warning refresh_token_reused session_id=[0-9a-f-]{36} user_id=1/)
        }
        for token in [first.refresh, second] { #expect(!server.log.contains(token)) }
    }

    @Test func whatIsNoRefreshTokenOfOursIsRefusedInOneWay() async throws {
        let tokens = try server.signIn()
        let other = try await RunningServer()
        _ = try other.register("miguel", "python")
        let foreign = try other.signIn()
        let ended = try server.signIn()
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(ended.access)])
        let refused = [
            tokens.access, foreign.refresh, ended.refresh, String(tokens.refresh.dropLast()), tokens.refresh + "A",
            tokens.refresh + "\n",
            "x",
            String(repeating: "A", count: 112), String(repeating: "A", count: 10_000), "'; DROP TABLE sessions; --",
        ]
        for token in refused {
            let answer = try server.refresh(token)
            #expect(answer.status == 400)
            #expect(answer.code == "invalid_grant")
            #expect(answer.json["error"] as? String == "invalid_grant")
            #expect(!answer.body.contains("SQL"))
        }
        #expect(try server.refresh(tokens.refresh).status == 200)
    }

    @Test(arguments: [
        "", "{}", #"{"refresh_token":null}"#, #"{"refresh_token":1}"#, #"{"refresh_token":["a"]}"#, "[]", "x",
    ])
    func aRenewalWithoutARefreshTokenIsABadRequest(body: String) throws {
        let answer = try server.send("PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: body)
        #expect(answer.status == 400)
        #expect(answer.code != nil)
    }

    @Test func anExpiredSessionSaysSo() async throws {
        let server = try await RunningServer(["--session-inactivity-timeout", "1"])
        _ = try server.register("miguel", "python")
        let tokens = try server.signIn()
        // An access token ends no later than its session.
        try await wait(seconds: 5, for: "the session to expire") {
            try server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401
        }
        try await wait(seconds: 2, for: "the refusal") { try server.refresh(tokens.refresh).code == "session_expired" }
    }

    @Test func theOldestSessionGoesBeyondTheLimit() async throws {
        let server = try await RunningServer(["--session-limit", "3"])
        _ = try server.register("miguel", "python")
        let sessions = try (0..<5).map { _ in try server.signIn() }
        for (number, tokens) in sessions.enumerated() {
            #expect(
                try server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status
                    == (number < 2 ? 401 : 200))
            #expect(try server.refresh(tokens.refresh).status == (number < 2 ? 400 : 200))
        }
    }

    /// The sign-in has read the old hash and waits for the one who writes; then the password
    /// changes.
    @Test func aPasswordChangeIsNotOvertakenBySignInsWithTheOldOne() async throws {
        let server = try await RunningServer(["--throttle", "no"])
        try #require(server.register("miguel", "python").status == 201)
        for round in 0..<5 {
            let (old, new) = ("python\(round == 0 ? "" : "\(round)")", "python\(round + 1)")
            async let signIns = withTaskGroup(of: SignedIn?.self) { group in
                for _ in 0..<12 {
                    group.addTask { try? server.signIn("miguel", old) }
                }
                return await group.reduce(into: [SignedIn?]()) { $0.append($1) }
            }
            let body = json(["current_password": old, "new_password": new])
            let change = try server.send(
                "PUT", "/api/me/password", headers: [basic("miguel", old), "Content-Type: application/json"], body: body
            )
            #expect(change.status == 204)
            for tokens in await signIns.compactMap({ $0 }) {
                #expect(try server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401)
                #expect(try server.refresh(tokens.refresh).status == 400)
            }
        }
    }

    // MARK: Signing out

    @Test func signingOutWithEitherTokenEndsBothAtOnce() throws {
        for useRefreshToken in [true, false] {
            let tokens = try server.signIn()
            let connection = try server.connect()
            for _ in 0..<3 {
                #expect(try connection.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 200)
            }
            for _ in 0..<2 { #expect(try signOut(tokens, useRefreshToken).status == 204) }
            // The very next request on a connection that knows the token.
            #expect(try connection.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401)
            #expect(try server.refresh(tokens.refresh).code == "invalid_grant")
        }
    }

    private func signOut(_ tokens: SignedIn, _ useRefreshToken: Bool) throws -> HTTPAnswer {
        useRefreshToken
            ? try server.send(
                "DELETE", "/api/tokens", headers: ["Content-Type: application/json"],
                body: json(["refresh_token": tokens.refresh]))
            : try server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
    }

    @Test func anExpiredAccessTokenSignsOut() async throws {
        let server = try await RunningServer(["--token-duration", "1"])
        _ = try server.register("miguel", "python")
        let tokens = try server.signIn()
        try await wait(seconds: 5, for: "the token to expire") {
            try server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401
        }
        #expect(try server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
        #expect(try server.refresh(tokens.refresh).code == "invalid_grant")
    }

    @Test func whatSignsNobodyOut() throws {
        #expect(try server.send("DELETE", "/api/tokens").status == 401)
        #expect(try server.send("DELETE", "/api/tokens", headers: [basic("miguel", "python")]).status == 401)
        // A token that is none of ours was of no session: there is nothing left to end.
        #expect(try server.send("DELETE", "/api/tokens", headers: [bearer("x.y.z")]).status == 204)
        #expect(try server.send("PATCH", "/api/tokens").status == 405)
    }

    @Test func signOutAndRefreshAtOnceLeaveNothingOpen() async throws {
        for _ in 0..<10 {
            let tokens = try server.signIn()
            async let renewed = server.refresh(tokens.refresh)
            async let ended = server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
            #expect(try await ended.status == 204)
            let answer = try await renewed
            if let access = answer.json["access_token"] as? String {
                #expect(try server.send("GET", "/api/resource", headers: [bearer(access)]).status == 401)
                #expect(try server.refresh(#require(answer.json["refresh_token"] as? String)).status == 400)
            } else {
                #expect(answer.code == "invalid_grant")
            }
        }
    }
}

/// The refresh token as a cookie, for browsers.
@Suite struct RefreshCookieTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer(
            ["--cors-origins", "https://app.example.com,*"],
            environment: ["REFRESH_TOKEN_IN_COOKIE": "yes", "REFRESH_TOKEN_IN_BODY": "no"])
        _ = try server.register("miguel", "python")
    }

    private func cookie(_ answer: HTTPAnswer) throws -> String {
        let field = try #require(answer["Set-Cookie"])
        let parts = field.components(separatedBy: "; ")
        #expect(
            Array(parts.dropFirst()).filter { !$0.hasPrefix("Max-Age") } == [
                "Path=/api/tokens", "HttpOnly", "Secure", "SameSite=Strict",
            ])
        return "Cookie: " + parts[0]
    }

    @Test func theCookieRenewsAndSignsOut() throws {
        let first = try server.send("POST", "/api/tokens", headers: [basic("miguel", "python")])
        #expect(first.json["refresh_token"] == nil)
        #expect(first["Set-Cookie"]?.contains("Max-Age=604800") == true)
        let second = try server.send("PUT", "/api/tokens", headers: [cookie(first)])
        #expect(second.status == 200)
        #expect(second.json["refresh_token"] == nil)
        #expect(try cookie(second) != cookie(first))
        let out = try server.send("DELETE", "/api/tokens", headers: [cookie(second)])
        #expect(out.status == 204)
        #expect(try cookie(out) == "Cookie: refresh_token=")
        #expect(out["Set-Cookie"]?.contains("Max-Age=0") == true)
        #expect(try server.send("PUT", "/api/tokens", headers: [cookie(second)]).code == "invalid_grant")
    }

    @Test(arguments: [
        (["Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1"], true), (["Sec-Fetch-Site: none"], true),
        ([], true),
        (["Origin: http://127.0.0.1"], true), (["Origin: https://app.example.com", "Sec-Fetch-Site: same-site"], true),
        (["Sec-Fetch-Site: cross-site"], false), (["Origin: https://evil.example"], false), (["Origin: null"], false),
        (["Origin: https://app.example.com", "Sec-Fetch-Site: cross-site"], false),
        (["Origin: https://127.0.0.1"], false),
        (["Origin: http://127.0.0.1.evil.example"], false), (["Origin: http://127.0.0.1:81"], false),
        (["Origin: https://app.example.com.evil"], false),
        (["Sec-Fetch-Site: CROSS-SITE"], false), (["Origin: http://127.0.0.1", "Sec-Fetch-Site: cross-site"], false),
        (["Sec-Fetch-Site: same-site"], false), (["Origin: http://127.0.0.1", "Origin: https://evil.example"], false),
    ])
    func pagesOfOtherSitesAreRefused(headers: [String], isAllowed: Bool) throws {
        let first = try server.send("POST", "/api/tokens", headers: [basic("miguel", "python")] + headers)
        #expect(first.status == (isAllowed ? 200 : 403))
        let cookie = try cookie(server.send("POST", "/api/tokens", headers: [basic("miguel", "python")]))
        for method in ["PUT", "DELETE"] {
            let answer = try server.send(method, "/api/tokens", headers: [cookie] + headers)
            if isAllowed {
                #expect(answer.status < 300)
            } else {
                #expect(answer.status == 403)
                #expect(answer.code == "cross_site_request")
                #expect(answer["Set-Cookie"] == nil)
            }
        }
        // What was refused has changed nothing.
        if !isAllowed { #expect(try server.send("PUT", "/api/tokens", headers: [cookie]).status == 200) }
    }

    @Test func aCookieBesideOursIsNotRenewedAndSigningOutEndsBoth() throws {
        _ = try server.register("mallory", "python")
        let mine = try cookie(server.send("POST", "/api/tokens", headers: [basic("miguel", "python")]))
        let other = try cookie(server.send("POST", "/api/tokens", headers: [basic("mallory", "python")])).replacing(
            "Cookie: ", with: "")
        let both = mine.replacing("Cookie: ", with: "Cookie: \(other); ")
        let refused = try server.send("PUT", "/api/tokens", headers: [both])
        #expect(refused.status == 400)
        #expect(refused.code == "invalid_request")
        #expect(try server.send("PUT", "/api/tokens", headers: [mine]).status == 200)
        #expect(
            try server.send(
                "DELETE", "/api/tokens", headers: ["Cookie: refresh_token=tossed; a=b; " + mine.dropFirst(8)]
            ).status == 204)
        #expect(try server.send("PUT", "/api/tokens", headers: [mine]).code == "invalid_grant")
    }

    @Test func aCookieThatIsNoGoodIsTakenAway() throws {
        let answer = try server.send("PUT", "/api/tokens", headers: ["Cookie: refresh_token=x"])
        #expect(answer.code == "invalid_grant")
        #expect(try cookie(answer) == "Cookie: refresh_token=")
        #expect(answer["Set-Cookie"]?.contains("Max-Age=0") == true)
    }

    @Test func theOwnOriginIsKnownWithItsPort() async throws {
        let server = try await RunningServer([
            "--refresh-token-in-cookie", "yes", "--public-url", "https://auth.example.com:443/base",
        ])
        _ = try server.register("miguel", "python")
        let answer = try server.send(
            "POST", "/api/tokens", headers: [basic("miguel", "python"), "Origin: https://auth.example.com"])
        #expect(answer.status == 200)
        #expect(answer["Set-Cookie"]?.contains("; Path=/base/api/tokens; ") == true)
        for origin in [
            "http://auth.example.com", "https://auth.example.com:8443", "https://auth.example.com.evil.example",
        ] {
            #expect(
                try server.send("POST", "/api/tokens", headers: [basic("miguel", "python"), "Origin: \(origin)"]).status
                    == 403)
        }
    }

    @Test func onlyNamedOriginsMaySendTheCookie() throws {
        func preflight(_ origin: String) throws -> HTTPAnswer {
            try server.send(
                "OPTIONS", "/api/tokens", headers: ["Origin: \(origin)", "Access-Control-Request-Method: PUT"])
        }
        #expect(try preflight("https://app.example.com")["Access-Control-Allow-Credentials"] == "true")
        #expect(try preflight("https://evil.example")["Access-Control-Allow-Credentials"] == nil)
    }

    @Test func withoutTheSettingACookieIsNothing() async throws {
        let server = try await RunningServer()
        _ = try server.register("miguel", "python")
        let tokens = try server.signIn()
        #expect(
            try server.send("PUT", "/api/tokens", headers: ["Cookie: refresh_token=\(tokens.refresh)"]).code
                == "validation_failed")
    }
}
