import Foundation
import Support
import Testing

/// Attacks by a page of another site that makes its visitors' browsers send requests.
///
/// On a server of its own, which counts and whose log is read.
@Suite struct OtherSites {
    /// Fields of a browser's request from such a page.
    private static let elsewhere = [
        ["Sec-Fetch-Site: cross-site"], ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"],
        ["Sec-Fetch-Site: cross-site", "Origin: null"], ["Origin: https://evil.example"], ["Origin: null"],
        ["Sec-Fetch-Site: same-site"], ["Sec-Fetch-Site: same-site", "Origin: http://evil.127.0.0.1"],
        ["Origin: http://127.0.0.1:81"], ["Origin: https://127.0.0.1"], ["Origin: http://127.0.0.1.evil.example"],
        ["Origin: http://127.0.0.1", "Origin: https://evil.example"], ["Origin: http://127.0.0.1\u{301}"], ["Origin:"],
        // An unknown value is not trusted.
        ["Sec-Fetch-Site: Same-Origin"], ["Sec-Fetch-Site: same-origin, cross-site"], ["Sec-Fetch-Site: other"],
        ["Sec-Fetch-Site:"], ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-origin\u{301}"], ["Sec-Fetch-Site: same-origin;x"],
    ]

    /// Fields of requests from the same site, or from programs other than browsers.
    private static let here = [
        [], ["Sec-Fetch-Site: same-origin"], ["Sec-Fetch-Site: none"], ["Origin: http://127.0.0.1"],
        ["Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1"],
        ["Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1"],
        // A proxy in front passes on another host.
        ["Sec-Fetch-Site: same-origin", "Origin: https://auth.example.com"],
    ]

    private func expectRefused(_ answer: HTTPAnswer, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(answer.status == 403, sourceLocation: sourceLocation)
        #expect(answer.code == "cross_site_request", sourceLocation: sourceLocation)
        #expect(answer["WWW-Authenticate"] == nil, sourceLocation: sourceLocation)
    }

    /// The log is read as a whole.
    @Test func nothingOfThemIsCountedStoredOrLogged() async throws {
        let server = try await RunningServer(["--registrations-per-hour", "3"])
        let miguel = try await server.newAccount()
        let (token, secret) = (try await server.token(miguel), try await server.addClient("client"))
        let before = server.log.split(separator: "\n").count { !$0.contains(" request ") }
        let body = json(["username": miguel.name, "password": "wrong"])
        for fields in Self.elsewhere {
            // A body without a type needs no preflight.
            expectRefused(try await server.send("POST", "/api/tokens", headers: fields, body: body))
            expectRefused(
                try await server.send(
                    "POST", "/api/users", headers: fields + ["Content-Type: text/plain"],
                    body: json(["username": "guest", "password": "cat"])))
            expectRefused(try await server.send("PUT", "/api/tokens", headers: fields, body: "{}"))
            expectRefused(try await server.send("DELETE", "/api/tokens", headers: fields + [bearer(token)]))
            expectRefused(
                try await server.send(
                    "POST", "/oauth/revoke",
                    headers: fields + ["Content-Type: application/x-www-form-urlencoded", basic("client", secret)],
                    body: "token=\(token)"))
            expectRefused(
                try await server.send(
                    "POST", "/oauth/introspect",
                    headers: fields + ["Content-Type: application/x-www-form-urlencoded"],
                    body: "token=x&client_id=client&client_secret=x"))
            // A link may have a name and a password before the host.
            for path in ["/api/token", "/api/resource", "/api/verify", "/api/me", "/api/me/sessions", "/api/users"] {
                expectRefused(try await server.send("GET", path, headers: fields + [basic(miguel.name, "wrong")]))
                expectRefused(try await server.send("GET", path, headers: fields + [miguel.basic]))
                expectRefused(try await server.send("GET", path, headers: fields + [bearer(token)]))
            }
            expectRefused(try await server.send("DELETE", "/api/me", headers: fields + [miguel.basic]))
            expectRefused(try await server.send("DELETE", "/api/me/sessions", headers: fields + [miguel.basic]))
            let password = json(["current_password": "python", "new_password": "x"])
            expectRefused(
                try await server.send("PUT", "/api/me/password", headers: fields + [miguel.basic], body: password))
        }
        #expect(server.log.split(separator: "\n").count { !$0.contains(" request ") } == before)
        #expect(try await server.command("throttle", "list", "--json").output.contains(#""kind":"network""#) == false)
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        #expect(try await server.send("GET", "/api/token", headers: [miguel.basic]).status == 200)
        #expect(try await server.register("guest", "cat").status == 201)
    }

    @Test func whoIsNotAnotherSiteIsServed() async throws {
        let server = try await RunningServer()
        let miguel = try await server.newAccount()
        for fields in Self.here {
            let body = json(["username": miguel.name, "password": miguel.password])
            #expect(
                try await server.send("POST", "/api/tokens", headers: fields, body: body).status == 200, "\(fields)")
            #expect(try await server.send("GET", "/api/token", headers: fields + [miguel.basic]).status == 200)
            let token = try await server.token(miguel)
            for _ in 0..<2 {
                #expect(try await server.send("GET", "/api/resource", headers: fields + [bearer(token)]).status == 200)
            }
        }
        // Public resources may be linked to.
        for fields in Self.elsewhere {
            for path in ["/api/users/1", "/.well-known/jwks.json", "/health/live", "/api/revocations"] {
                #expect(try await server.send("GET", path, headers: fields).status == 200)
            }
            #expect(try await server.send("GET", "/api/resource", headers: fields).status == 401)
            #expect(try await server.send("OPTIONS", "/api/tokens", headers: fields).status == 204)
        }
    }

    @Test func pagesOfNamedOriginsMayCall() async throws {
        let server = try await RunningServer(["--cors-origins", "https://app.example.com"])
        let miguel = try await server.newAccount()
        for fields in [
            ["Origin: https://app.example.com"], ["Sec-Fetch-Site: cross-site", "Origin: https://app.example.com"],
            ["Sec-Fetch-Site: same-site", "Origin: https://app.example.com"],
        ] {
            #expect(try await server.send("POST", "/api/tokens", headers: fields + [miguel.basic]).status == 200)
            #expect(try await server.send("GET", "/api/token", headers: fields + [miguel.basic]).status == 200)
        }
        for fields in [
            ["Origin: https://app.example.com.evil"], ["Origin: https://app.example.com\u{301}"],
            ["Origin: https://app.example.com", "Origin: https://evil.example"],
            ["Sec-Fetch-Site: other", "Origin: https://app.example.com"],
        ] {
            expectRefused(try await server.send("POST", "/api/tokens", headers: fields + [miguel.basic]))
        }
    }

    @Test func aStarLetsEveryPageCall() async throws {
        let server = try await RunningServer(["--cors-origins", "*"])
        let miguel = try await server.newAccount()
        for fields in [["Origin: https://evil.example"], ["Sec-Fetch-Site: cross-site", "Origin: null"]] {
            let answer = try await server.send("POST", "/api/tokens", headers: fields + [miguel.basic])
            #expect(answer.status == 200)
            #expect(answer["Access-Control-Allow-Origin"] != nil)
        }
        // A navigation, to which a star does not apply.
        expectRefused(
            try await server.send("GET", "/api/token", headers: ["Sec-Fetch-Site: cross-site", miguel.basic]))
    }
}
