import Foundation
import Support
import Testing

/// Real proxies, run with the files of `Examples/Proxies` with only the ports replaced, in front of
/// the server and of an application that answers with the request.
@Suite(.server("--trusted-proxies", "127.0.0.1")) struct ProxyTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    // MARK: Access

    @Test(arguments: Proxy.allCases) func whoSignsInReachesTheApplicationByName(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for header in [miguel.basic, bearer(token), basic(token, "x")] {
            // Several requests on one connection: the server is asked about each.
            let connection = try await visitor.connect()
            for path in ["/", "/a/b%20c?d=e&f", "/"] {
                let answer = try await connection.send("GET", path, headers: [header, visitor.mark])
                #expect(answer.status == 200)
                let seen = Seen(answer.json)
                #expect(seen.path == path)
                #expect(seen.identity == identity(miguel))
                #expect(seen.fields["authorization"] == nil)
                #expect(seen.fields["x-forwarded-for"] == ["127.0.0.1"])
                #expect(seen.fields["x-forwarded-proto"] == ["http"])
                #expect(seen.fields["x-forwarded-host"] == ["127.0.0.1"])
            }
        }
        #expect(visitor.requests.count == 9)
    }

    @Test(arguments: Proxy.allCases) func whoDoesNotIsGivenTheChallengeAndGetsNoFurther(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        let headers = [
            [], [basic(miguel.name, "wrong")], [basic("nobody", "python")], [bearer(token + "x")], [bearer("nonsense")],
            ["Authorization: Digest x"], ["Authorization:"],
            ["Remote-User: \(miguel.name)", "Remote-User-Id: \(miguel.id)"],
        ]
        let requests = [("GET", "/"), ("POST", "/notes"), ("OPTIONS", "/"), ("GET", "/api/../"), ("GET", "/oauth")]
        for headers in headers {
            for (method, path) in requests {
                let answer = try await visitor.send(method, path, headers: headers)
                #expect(answer.status == 401, "\(method) \(path) \(headers)")
                let scheme = headers.first?.contains("Bearer") == true ? "Bearer" : "Basic"
                #expect(
                    answer.all("WWW-Authenticate").first?.hasPrefix("\(scheme) realm=\"Authentication Required\"")
                        == true)
            }
        }
        #expect(visitor.requests.isEmpty)
    }

    @Test(arguments: Proxy.allCases) func theFirstRequestAfterTheEndOfASessionIsRefused(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let token = try await server.token(server.newAccount())
        let connection = try await visitor.connect()
        let headers = [bearer(token), visitor.mark]
        for _ in 0..<3 { #expect(try await connection.send("GET", "/", headers: headers).status == 200) }
        #expect(try await connection.send("DELETE", "/api/tokens", headers: headers).status == 204)
        #expect(try await connection.send("GET", "/", headers: headers).status == 401)
        #expect(visitor.requests.count == 3)
    }

    /// The proxy asks about a request to the application; whether other sites may link there is not
    /// decided by the server.
    @Test(arguments: Proxy.allCases) func aLinkFromAnotherSiteReachesTheApplication(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        for fields in [
            ["Sec-Fetch-Site: cross-site"], ["Origin: https://elsewhere.example"],
            ["Sec-Fetch-Site: same-site", "Origin: null"],
        ] {
            let answer = try await visitor.send("GET", "/", headers: fields + [miguel.basic])
            #expect(answer.status == 200)
            let seen = Seen(answer.json)
            #expect(seen.identity == identity(miguel))
            #expect(seen.fields["sec-fetch-site"] != nil || seen.fields["origin"] != nil)
            // For its own paths, the server does decide.
            let refused = try await visitor.send("GET", "/api/token", headers: fields + [miguel.basic])
            #expect(refused.code == "cross_site_request")
        }
    }

    // MARK: Paths

    @Test(arguments: Proxy.allCases) func everyPathOfTheServerIsPassedOnToIt(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let description = try await server.send("GET", "/openapi.yaml").body
        let paths = description.matches(of: /(?m)^  (\/(?:api|oauth|\.well-known)\/[^:]*):$/).map { String($0.1) }
        #expect(paths.count >= 17)
        for path in paths where !path.hasPrefix("/api/verify/") {
            let answer = try await visitor.send("GET", path.replacing(/\{\w+\}/, with: "1"), headers: [miguel.basic])
            #expect(answer["X-Content-Type-Options"] == "nosniff" || answer.status == 405, "\(path)")
        }
        #expect(visitor.requests.isEmpty)
    }

    @Test(arguments: Proxy.allCases) func theApplicationsOwnPathsAreTheApplications(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let paths = [
            "/api/todos", "/api/todos/1", "/api/", "/api", "/api/users/1/photos", "/api/users/miguel", "/api/user",
            "/api/tokensx", "/api/xtokens", "/api/men", "/api/verify/x", "/x/api/token", "/oauth/authorize",
            "/oauth/callback?code=x", "/.well-known/change-password", "/.well-known/jwksxjson", "/auth/api/token",
        ]
        for (number, path) in paths.enumerated() {
            #expect(try await visitor.send("POST", path, body: "{}").status == 401, "\(path)")
            let answer = try await visitor.send("POST", path, headers: [miguel.basic], body: "{}")
            #expect(Seen(answer.json).path == path)
            #expect(visitor.requests.count == number + 1, "\(path)")
        }
    }

    /// The server does not read the application's query.
    @Test(arguments: Proxy.allCases) func theQueryIsTheApplicationsOwn(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let token = try await server.token(server.newAccount())
        for path in ["/list?role=editor", "/list?role=&roles=x", "/?role=editor", "/list?%zz&role=a%20b"] {
            for _ in 0..<2 {
                let answer = try await visitor.send("GET", path, headers: [bearer(token)])
                #expect(answer.status == 200)
                #expect(Seen(answer.json).path == path)
            }
        }
    }

    @Test(arguments: Proxy.allCases) func aGuardedPlaceIsForWhoHasTheRole(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        try await server.command("users", "grant", miguel.name, "editor")
        let token = try await server.token(miguel)
        for path in ["/editors/", "/editors/drafts?role=reader&x=y"] {
            for header in [miguel.basic, bearer(token), bearer(token)] {
                let answer = try await visitor.send("GET", path, headers: [header, "Remote-Groups: admin"])
                #expect(answer.status == 200)
                let groups = identity(miguel).merging(["remote-groups": "editor"]) { $1 }
                #expect(Seen(answer.json).identity == groups)
                #expect(Seen(answer.json).fields["authorization"] == nil)
            }
            let before = visitor.requests.count
            for headers in [[susan.basic], [susan.basic, "Remote-Groups: editor"]] {
                #expect(try await visitor.send("GET", path, headers: headers).status == 403)
            }
            #expect(try await visitor.send("GET", path).status == 401)
            #expect(visitor.requests.count == before)
        }
    }

    @Test(arguments: Proxy.allCases) func noSpellingOfAGuardedPlaceGetsRoundTheRole(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let susan = try await server.newAccount("susan")
        for path in [
            "/editors", "/editors?x=1", "/editors/x%", "/editors/x%zz", "/editors/x%4", "/editors%2fx%", "//editors/y%",
            "/x/../editors/y%zz",
        ] {
            let answer = try await visitor.send("GET", path, headers: [susan.basic])
            #expect(answer.status >= 300, "\(path)")
        }
        #expect(visitor.requests.isEmpty)
        let answer = try await visitor.send("GET", "/x%41%7e", headers: [susan.basic])
        #expect(answer.status == 200)
    }

    @Test(arguments: Proxy.allCases) func aPortThatTheClientNamesIsNotBelieved(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let answer = try await visitor.send(
            "GET", "/.well-known/openid-configuration", headers: ["X-Forwarded-Port: 6666"])
        #expect(answer.status == 200)
        #expect(answer.body.contains("jwks_uri"))
        #expect(!answer.body.contains("6666"))
    }

    /// The whole server under a prefix, with the setting for that.
    @Test(arguments: Proxy.allCases) func theServerMayStandUnderAPrefix(proxy: Proxy) async throws {
        let port = try FreePort.next()
        let url = "http://127.0.0.1:\(port)/auth"
        let server = try await RunningServer([
            "--trusted-proxies", "127.0.0.1", "--public-url", url, "--refresh-token-in-cookie", "yes",
        ])
        let visitor = try await Visitor(Front(proxy, auth: server.port, port: port, isUnderPrefix: true))
        let body = json(["username": "miguel", "password": "python"])
        let registered = try await visitor.send("POST", "/auth/api/users", body: body)
        #expect(registered.status == 201)
        #expect(registered["Location"] == "\(url)/api/users/1")
        #expect(try await visitor.send("GET", "/auth/api/users/1").json["username"] as? String == "miguel")
        let metadata = try await visitor.send("GET", "/auth/.well-known/oauth-authorization-server").json
        #expect(metadata["jwks_uri"] as? String == "\(url)/.well-known/jwks.json")
        let tokens = try await visitor.send("POST", "/auth/api/tokens", body: body)
        #expect(tokens["Set-Cookie"]?.contains("; Path=/auth/api/tokens") == true)
        let header = bearer(try #require(tokens.json["access_token"] as? String))
        #expect(visitor.requests.isEmpty)
        for path in ["/api/users", "/api/users/1", "/api/token", "/authors", "/"] {
            let answer = try await visitor.send("GET", path, headers: [header])
            #expect(Seen(answer.json).path == path)
            #expect(Seen(answer.json).identity["remote-user"] == "miguel")
            #expect(try await visitor.send("GET", path).status != 200)
        }
    }

    /// Cookies as large as nginx accepts.
    @Test(arguments: Proxy.allCases) func theApplicationsOwnCookiesMayBeLarge(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let cookies = (0..<4).map { "Cookie: session-\($0)=" + String(repeating: "x", count: 7 << 10) }
        let answer = try await visitor.send("GET", "/", headers: cookies + [miguel.basic])
        #expect(answer.status == 200)
        #expect((Seen(answer.json).fields["cookie"] ?? []).joined().utf8.count > 28 << 10)
    }

    // MARK: Bodies

    @Test(arguments: Proxy.allCases) func aBodyGoesToTheApplicationAlone(proxy: Proxy) async throws {
        let auth = try await EchoServer.auth.value
        let visitor = try await Visitor(proxy, auth: auth)
        let long = String(repeating: "ü", count: 50_000)
        for (method, body) in [("POST", "hello"), ("PUT", "x=1"), ("DELETE", "all"), ("POST", long)] {
            let answer = try await visitor.send(method, "/notes", headers: ["Content-Type: text/plain"], body: body)
            #expect(answer.status == 200)
            #expect(answer.json["method"] as? String == method)
            #expect(answer.json["body"] as? String == body)
        }
        let connection = try await visitor.connect()
        let head = ["POST /notes HTTP/1.1", "Host: 127.0.0.1", visitor.mark, "Transfer-Encoding: chunked"]
        try await connection.write((head + ["", "5", "hello", "0", "", ""]).joined(separator: "\r\n"))
        #expect(try await connection.readAnswer().json["body"] as? String == "hello")

        let asked = auth.requests(with: visitor.mark)
        #expect(asked.count == 5)
        for asked in asked {
            #expect(asked["method"] as? String == "GET")
            #expect(asked["body"] as? String == "")
            let seen = Seen(asked)
            #expect(seen.path == "/api/verify")
            #expect(seen.fields["content-length"] ?? ["0"] == ["0"])
            #expect(seen.fields["transfer-encoding"] == nil)
        }
    }

    // MARK: Without the server

    /// Stops the server.
    @Test(arguments: Proxy.allCases) func withoutTheServerNobodyGetsThrough(proxy: Proxy) async throws {
        let server = try await RunningServer(["--trusted-proxies", "127.0.0.1"])
        let visitor = try await Visitor(Front(proxy, auth: server.port))
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        #expect(try await visitor.send("GET", "/", headers: [bearer(token)]).status == 200)
        #expect(try await server.stop() == 0)
        for headers in [[bearer(token)], [miguel.basic], []] {
            let status = try await visitor.send("GET", "/", headers: headers).status
            #expect((500...599).contains(status))
        }
        #expect(visitor.requests.count == 1)
    }

    @Test(arguments: Proxy.allCases, [302, 400, 403, 404, 500, 503])
    func anyOtherAnswerOfTheServerLetsNobodyThrough(proxy: Proxy, status: Int) async throws {
        let visitor = try await Visitor(proxy, auth: EchoServer.auth.value)
        let answer = try await visitor.send("GET", "/", headers: [basic("miguel", "python"), "Auth-Status: \(status)"])
        #expect(answer.status >= 300)
        if status == 503 {
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "7")
        }
        #expect(visitor.requests.isEmpty)
    }

    @Test(arguments: Proxy.allCases, [401, 500, 503])
    func theApplicationsOwnRefusalsAreLeftAlone(proxy: Proxy, status: Int) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let answer = try await visitor.send("GET", "/", headers: [miguel.basic, "Application-Status: \(status)"])
        #expect(answer.status == status)
        #expect(Seen(answer.json).identity["remote-user"] == miguel.name)
        #expect(answer["WWW-Authenticate"] == nil)
    }

    // MARK: The server itself

    @Test(arguments: Proxy.allCases) func theServersOwnPathsAreOpenToEveryone(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        for (path, status) in [
            ("/.well-known/jwks.json", 200), ("/.well-known/oauth-authorization-server", 200),
            ("/api/revocations", 200), ("/api/users/\(miguel.id)", 200), ("/api/token", 401),
            ("/oauth/introspect", 405), ("/api/users/\(miguel.id)/", 200),
        ] {
            let answer = try await visitor.send("GET", path)
            #expect(answer.status == status, "\(path)")
            #expect(answer["X-Content-Type-Options"] == "nosniff")
        }
        let metadata = try await visitor.send("GET", "/.well-known/oauth-authorization-server").json
        #expect(metadata["jwks_uri"] as? String == "http://127.0.0.1/.well-known/jwks.json")
        let answer = try await visitor.send("GET", "/api/token", headers: [miguel.basic])
        let token = try #require(answer.json["token"] as? String)
        #expect(try await visitor.send("GET", "/", headers: [bearer(token)]).status == 200)
        #expect(visitor.requests.count == 1)
    }

    @Test(arguments: Proxy.allCases) func noTokenAndNoPasswordStandsInTheProxysLogs(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        let path = "/logged-\(UUID())"
        let (refused, geheim) = (basic(token + "x", "x"), basic(miguel.name, "geheim"))
        for header in [basic(token, "x"), bearer(token), miguel.basic, refused, geheim] {
            _ = try await visitor.send("GET", path, headers: [header])
        }
        if proxy == .nginx {
            try await wait(for: "the lines") { visitor.logs.components(separatedBy: path).count == 6 }
        }
        let encoded = String(miguel.basic.dropFirst("Authorization: Basic ".count))
        for secret in [token, "python", "geheim", encoded] { #expect(!visitor.logs.contains(secret)) }
    }
}
