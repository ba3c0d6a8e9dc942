import Foundation
import Support
import Testing

/// The refresh token as a cookie, for browsers.
@Suite(
    .server(
        "--cors-origins", "https://app.example.com,*", "--refresh-token-in-cookie", "yes", "--refresh-token-in-body",
        "no"))
struct RefreshCookieTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func cookie(_ answer: HTTPAnswer) throws -> String {
        let field = try #require(answer["Set-Cookie"])
        let parts = field.components(separatedBy: "; ")
        #expect(
            parts.dropFirst().filter { !$0.hasPrefix("Max-Age") } == [
                "Path=/api/tokens", "HttpOnly", "Secure", "SameSite=Strict",
            ])
        return "Cookie: " + parts[0]
    }

    /// Uses a server with settings of its own, from the environment.
    @Test func theCookieRenewsAndSignsOut() async throws {
        let server = try await RunningServer(
            ["--cors-origins", "https://app.example.com,*"],
            environment: ["REFRESH_TOKEN_IN_COOKIE": "yes", "REFRESH_TOKEN_IN_BODY": "no"])
        let miguel = try await server.newAccount()
        let first = try await server.send("POST", "/api/tokens", headers: [miguel.basic])
        #expect(first.json["refresh_token"] == nil)
        #expect(first["Set-Cookie"]?.contains("Max-Age=604800") == true)
        let second = try await server.send("PUT", "/api/tokens", headers: [cookie(first)])
        #expect(second.status == 200)
        #expect(second.json["refresh_token"] == nil)
        #expect(try cookie(second) != cookie(first))
        let out = try await server.send("DELETE", "/api/tokens", headers: [cookie(second)])
        #expect(out.status == 204)
        #expect(try cookie(out) == "Cookie: refresh_token=")
        #expect(out["Set-Cookie"]?.contains("Max-Age=0") == true)
        #expect(try await server.send("PUT", "/api/tokens", headers: [cookie(second)]).code == "invalid_grant")
    }

    @Test func anotherPasswordPutsTheNewTokenInTheCookieOfTheOldOne() async throws {
        let miguel = try await server.newAccount()
        let first = try await server.send("POST", "/api/tokens", headers: [miguel.basic])
        let access = try #require(first.json["access_token"] as? String)
        func change(_ present: String, _ new: String, _ authorization: String) async throws -> HTTPAnswer {
            try await server.send(
                "PUT", "/api/me/password", headers: [authorization, "Content-Type: application/json"],
                body: json(["current_password": present, "new_password": new]))
        }
        let answer = try await change("python", "monty", bearer(access))
        #expect(answer.status == 200)
        #expect(Set(answer.json.keys) == ["access_token", "token_type", "expires_in"])
        #expect(answer["Set-Cookie"]?.contains("Max-Age=604800") == true)
        #expect(try cookie(answer) != cookie(first))
        #expect(try await server.send("PUT", "/api/tokens", headers: [cookie(first)]).code == "invalid_grant")
        #expect(try await server.send("PUT", "/api/tokens", headers: [cookie(answer)]).status == 200)
        // Without a refresh token there is no cookie.
        let token = try await server.token(miguel.name, "monty")
        let plain = try await change("monty", "python", bearer(token))
        #expect(plain.status == 200)
        #expect(plain["Set-Cookie"] == nil)
        #expect(try await change("python", "monty", miguel.basic)["Set-Cookie"] == nil)
    }

    @Test(arguments: [
        (["Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1"], true), (["Sec-Fetch-Site: none"], true),
        ([], true), (["Origin: http://127.0.0.1"], true),
        (["Origin: https://app.example.com", "Sec-Fetch-Site: same-site"], true),
        // Behind a proxy that passes on another host, or one that is not trusted.
        (["Origin: https://auth.example.com", "Sec-Fetch-Site: same-origin"], true),
        (["Origin: https://auth.example.com", "Sec-Fetch-Site: same-site"], false),
        (["Origin: https://auth.example.com", "Sec-Fetch-Site: none"], false),
        (["Origin: https://auth.example.com"], false),
        (["Origin: https://evil.example", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-origin"], false),
        (["Sec-Fetch-Site: cross-site"], false), (["Origin: https://evil.example"], false), (["Origin: null"], false),
        (["Origin: https://app.example.com", "Sec-Fetch-Site: cross-site"], false),
        (["Origin: https://127.0.0.1"], false),
        (["Origin: http://127.0.0.1.evil.example"], false), (["Origin: http://127.0.0.1:81"], false),
        (["Origin: https://app.example.com.evil"], false),
        (["Sec-Fetch-Site: CROSS-SITE"], false), (["Origin: http://127.0.0.1", "Sec-Fetch-Site: cross-site"], false),
        (["Sec-Fetch-Site: same-site"], false), (["Origin: http://127.0.0.1", "Origin: https://evil.example"], false),
    ])
    func pagesOfOtherSitesAreRefused(headers: [String], isAllowed: Bool) async throws {
        let miguel = try await server.newAccount()
        let first = try await server.send("POST", "/api/tokens", headers: [miguel.basic] + headers)
        #expect(first.status == (isAllowed ? 200 : 403))
        let cookie = try cookie(await server.send("POST", "/api/tokens", headers: [miguel.basic]))
        for method in ["PUT", "DELETE"] {
            let answer = try await server.send(method, "/api/tokens", headers: [cookie] + headers)
            if isAllowed {
                #expect(answer.status < 300)
            } else {
                #expect(answer.status == 403)
                #expect(answer.code == "cross_site_request")
                #expect(answer["Set-Cookie"] == nil)
            }
        }
        // The refused request has changed nothing.
        if !isAllowed { #expect(try await server.send("PUT", "/api/tokens", headers: [cookie]).status == 200) }
    }

    @Test func aCookieBesideOursIsNotRenewedAndSigningOutEndsBoth() async throws {
        let (miguel, mallory) = (try await server.newAccount(), try await server.newAccount("mallory"))
        let mine = try cookie(await server.send("POST", "/api/tokens", headers: [miguel.basic]))
        let other = try cookie(await server.send("POST", "/api/tokens", headers: [mallory.basic]))
            .replacing("Cookie: ", with: "")
        let both = mine.replacing("Cookie: ", with: "Cookie: \(other); ")
        let refused = try await server.send("PUT", "/api/tokens", headers: [both])
        #expect(refused.status == 400)
        #expect(refused.code == "invalid_request")
        #expect(try await server.send("PUT", "/api/tokens", headers: [mine]).status == 200)
        let three = "Cookie: refresh_token=tossed; a=b; " + mine.dropFirst(8)
        #expect(try await server.send("DELETE", "/api/tokens", headers: [three]).status == 204)
        #expect(try await server.send("PUT", "/api/tokens", headers: [mine]).code == "invalid_grant")
    }

    @Test func aCookieThatIsNoGoodIsTakenAway() async throws {
        let answer = try await server.send("PUT", "/api/tokens", headers: ["Cookie: refresh_token=x"])
        #expect(answer.code == "invalid_grant")
        #expect(try cookie(answer) == "Cookie: refresh_token=")
        #expect(answer["Set-Cookie"]?.contains("Max-Age=0") == true)
    }

    /// Uses a server with settings of its own.
    @Test func theOwnOriginIsKnownWithItsPort() async throws {
        let server = try await RunningServer([
            "--refresh-token-in-cookie", "yes", "--public-url", "https://auth.example.com:443/base",
        ])
        let miguel = try await server.newAccount()
        func signIn(_ origin: String) async throws -> HTTPAnswer {
            try await server.send("POST", "/api/tokens", headers: [miguel.basic, "Origin: \(origin)"])
        }
        let answer = try await signIn("https://auth.example.com")
        #expect(answer.status == 200)
        #expect(answer["Set-Cookie"]?.contains("; Path=/base/api/tokens; ") == true)
        for origin in [
            "http://auth.example.com", "https://auth.example.com:8443", "https://auth.example.com.evil.example",
        ] {
            #expect(try await signIn(origin).status == 403)
        }
    }

    @Test func onlyNamedOriginsMaySendTheCookie() async throws {
        func preflight(_ origin: String) async throws -> HTTPAnswer {
            try await server.send(
                "OPTIONS", "/api/tokens", headers: ["Origin: \(origin)", "Access-Control-Request-Method: PUT"])
        }
        #expect(try await preflight("https://app.example.com")["Access-Control-Allow-Credentials"] == "true")
        #expect(try await preflight("https://evil.example")["Access-Control-Allow-Credentials"] == nil)
    }
}
