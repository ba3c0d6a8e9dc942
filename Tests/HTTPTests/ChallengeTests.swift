import Support
import Testing

/// The challenges of a 401. Basic opens the browser's own dialogue, so it is only for requests with
/// Basic, without credentials, or from the address bar.
@Suite(.server("--public-revocations", "no")) struct ChallengeTests {
    private static let basicChallenge = #"Basic realm="Authentication Required""#
    private static let bearerChallenge = #"Bearer realm="Authentication Required""#

    private static let scripts = [
        ["X-Requested-With: XMLHttpRequest"], ["x-requested-with: fetch"], ["Sec-Fetch-Mode: cors"],
        ["Sec-Fetch-Mode: same-origin"], ["Sec-Fetch-Mode: no-cors"], ["Sec-Fetch-Mode: websocket"],
        // An unknown value is not a navigation.
        ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Mode: cors"], ["Sec-Fetch-Mode: Navigate\u{301}"],
        ["X-Requested-With: com.example.app", "Sec-Fetch-Mode: navigate"],
        // Older browsers, which send no mode.
        ["Origin: http://127.0.0.1"],
        ["Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin", "Accept-Language: *"],
        ["Sec-Fetch-Mode: cors", "Origin: http://127.0.0.1", "Accept-Language: *"],
        ["Sec-Fetch-Mode: cors", "Accept-Language: de, *"],
    ]

    private static let requests = [
        ("GET", "/api/token"), ("GET", "/api/resource"), ("GET", "/api/verify"), ("GET", "/api/me"),
        ("GET", "/api/users"), ("POST", "/api/tokens"), ("DELETE", "/api/tokens"), ("PUT", "/api/me/password"),
    ]

    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test(arguments: requests) func aScriptIsNotAskedForBasic(method: String, path: String) async throws {
        let miguel = try await server.newAccount()
        for script in Self.scripts {
            for credentials in [[], [basic(miguel.name, "wrong")], [basic("a.b.c", "x")], ["Authorization: Digest x"]]
            where !(credentials.isEmpty && path == "/api/tokens" && method == "POST") {
                let answer = try await server.send(method, path, headers: script + credentials)
                #expect(answer.status == 401, "\(script) \(credentials)")
                #expect(answer.all("WWW-Authenticate") == [Self.bearerChallenge], "\(script) \(credentials)")
                #expect(answer.body.contains("Unauthorized Access"))
            }
        }
    }

    /// Sends the credentials as a sign-in page does.
    @Test func aScriptsWrongPasswordInTheBodyOpensNoDialogue() async throws {
        let answer = try await server.send(
            "POST", "/api/tokens", headers: ["Content-Type: application/json", "Sec-Fetch-Mode: cors"],
            body: json(["username": "nobody", "password": "wrong"]))
        #expect(answer.status == 401)
        #expect(answer.all("WWW-Authenticate") == [Self.bearerChallenge])
    }

    @Test(arguments: requests) func whoCameWithBearerIsAskedForThatAlone(method: String, path: String) async throws {
        for more in [[], ["Sec-Fetch-Mode: cors"], ["Sec-Fetch-Mode: navigate"]] {
            for token in ["Bearer x", "bearer x", "BEARER  x", "Bearer"]
            where !(token == "Bearer x" && method == "DELETE" && path == "/api/tokens") {
                let answer = try await server.send(method, path, headers: ["Authorization: \(token)"] + more)
                // Signing out with an unknown token is answered like any other sign-out.
                guard answer.status != 204 else { continue }
                #expect(answer.status == 401, "\(token)")
                #expect(answer.all("WWW-Authenticate") == [Self.bearerChallenge + #", error="invalid_token""#])
            }
        }
    }

    @Test(arguments: requests) func everybodyElseIsAskedForBasicAsEver(method: String, path: String) async throws {
        let miguel = try await server.newAccount()
        for fields in [
            [], ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none"], ["User-Agent: curl/8.5.0"],
            // A form.
            ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1"],
            // The fields that fetch of Node 18 and later sends by itself.
            ["Accept: */*", "Accept-Language: *", "Sec-Fetch-Mode: cors", "User-Agent: node"],
        ] {
            for credentials in [[], [basic(miguel.name, "wrong")], ["Authorization: Digest x"]]
            where !(credentials.isEmpty && path == "/api/tokens" && method == "POST") {
                let answer = try await server.send(method, path, headers: fields + credentials)
                #expect(answer.status == 401, "\(fields) \(credentials)")
                #expect(answer.all("WWW-Authenticate") == [Self.basicChallenge], "\(fields) \(credentials)")
            }
        }
    }

    /// The challenge follows the scheme that the client used (RFC 6749 section 5.2).
    @Test(arguments: [("POST", "/oauth/introspect"), ("POST", "/oauth/revoke"), ("GET", "/api/revocations")])
    func aClientIsAskedForWhatItCameWith(method: String, path: String) async throws {
        func challenges(_ headers: String...) async throws -> [String] {
            let form = "Content-Type: application/x-www-form-urlencoded"
            let answer = try await server.send(method, path, headers: [form] + headers, body: "token=x")
            #expect(answer.status == 401)
            #expect(answer.code == "invalid_client")
            return answer.all("WWW-Authenticate")
        }
        #expect(try await challenges() == [Self.basicChallenge])
        #expect(try await challenges(basic("a", "b")) == [Self.basicChallenge])
        #expect(try await challenges("Sec-Fetch-Mode: cors", basic("a", "b")) == [Self.basicChallenge])
        #expect(try await challenges("Sec-Fetch-Mode: cors") == [Self.bearerChallenge])
    }
}
