import Foundation
import Support
import Synchronization
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

    // MARK: Forgery

    private static let forgedFields = [
        "Remote-User: eve", "Remote-User-Id: 99", "Remote-Groups: admin", "remote-groups: admin",
        "REMOTE-GROUPS: admin", "Remote_User: eve", "Remote_Groups: admin", "remote_user-id: 99", "Remote-User_Id: 99",
    ]

    @Test(arguments: Proxy.allCases)
    func theClientsOwnIdentityFieldsNeverReachTheApplication(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        // The user has no role, so the server's answer about roles is empty: it must still replace
        // the forged field.
        for forged in Self.forgedFields.map({ [$0] }) + [Self.forgedFields] {
            let answer = try await visitor.send("GET", "/", headers: [bearer(token)] + forged)
            #expect(answer.status == 200)
            #expect(Seen(answer.json).identity == identity(miguel), "\(forged)")
        }
    }

    @Test(arguments: Proxy.allCases) func rolesAreTheServersAndNotTheClients(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "staff", "admin")
        let answer = try await visitor.send("GET", "/", headers: [miguel.basic, "Remote-Groups: root"])
        #expect(Seen(answer.json).identity == identity(miguel).merging(["remote-groups": "admin,staff"]) { $1 })
    }

    @Test(arguments: Proxy.allCases) func theClientCannotHaveTheIdentityTakenAway(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        for names in ["Remote-User", "close, Remote-User-Id", "remote-groups, remote-user, remote-user-id"] {
            let answer = try await visitor.send(
                "GET", "/", headers: [miguel.basic, "Connection: \(names)", "Remote-Groups: admin"])
            #expect(answer.status == 200)
            #expect(Seen(answer.json).identity == identity(miguel), "\(names)")
        }
    }

    @Test(arguments: Proxy.allCases) func namesArriveAsTheyWereTyped(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        // Names with the proxies' own placeholders, and names that are not ASCII.
        for name in ["Zoë, Миша", "$host", "${host}", "{env.PATH}", "{http.request.header.Host}", "100%41"] {
            let account = try await server.newAccount(name)
            let answer = try await visitor.send("GET", "/", headers: [account.basic])
            #expect(Seen(answer.json).identity["remote-user"] == account.name)
        }
    }

    @Test(arguments: Proxy.allCases) func forwardedFieldsOfTheClientDoNotCount(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let (susan, miguel) = (RunningServer.newName("susan"), try await server.newAccount())
        let forged = ["X-Forwarded-For: 198.51.100.66", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"]
        func register() async throws -> HTTPAnswer {
            try await visitor.send(
                "POST", "/api/users", headers: forged + ["Content-Type: application/json"],
                body: json(["username": susan, "password": "python"]))
        }
        let answer = try await register()
        #expect(answer.status == 201)
        let location = try #require(answer["Location"])
        let seen = Seen(try await visitor.send("GET", "/", headers: forged + [basic(susan, "python")]).json)
        let id = try #require(seen.identity["remote-user-id"])
        #expect(location == "http://127.0.0.1/api/users/\(id)")
        #expect(seen.fields["x-forwarded-for"] == ["127.0.0.1"])
        #expect(seen.fields["x-forwarded-proto"] == ["http"])
        #expect(seen.fields["x-forwarded-host"] == ["127.0.0.1"])
        // The log tells whose requests these were.
        let again = try #require(try await register().json["request_id"] as? String)
        #expect(try await visitor.send("GET", "/", headers: forged + [basic(miguel.name, "x")]).status == 401)
        for field in ["request_id=\(again)", "username=\(miguel.name)"] {
            var line: Substring?
            try await wait(for: "the line with \(field)") {
                line = server.log.split(separator: "\n").first { $0.split(separator: " ").contains { $0 == field } }
                return line != nil
            }
            #expect(line?.contains("address=127.0.0.1 ") == true)
        }
        #expect(!server.log.contains("198.51.100.66"))
    }

    private func identity(_ account: Account) -> [String: String] {
        ["remote-user": account.name, "remote-user-id": "\(account.id)"]
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

// MARK: - Proxies and applications

enum Proxy: String, CaseIterable, CustomTestStringConvertible {
    case nginx, caddy, haproxy

    var testDescription: String { rawValue }

    /// Names of the proxy's file, and of the files that it includes.
    fileprivate var examples: [String] {
        switch self {
        case .nginx: ["nginx.conf"]
        case .caddy: ["Caddyfile"]
        case .haproxy: ["haproxy.cfg", "verify.lua"]
        }
    }

    fileprivate func arguments(_ file: String, in directory: TemporaryDirectory) -> [String] {
        switch self {
        // The second directive is for tests that run as root: nginx's workers would run as a user
        // who cannot enter the directory.
        case .nginx: ["-e", "stderr", "-p", directory.path, "-c", file, "-g", "daemon off; user root;"]
        case .caddy: ["run", "--config", file, "--adapter", "caddyfile"]
        case .haproxy: ["-db", "-f", file]
        }
    }
}

/// The client of one proxy in one test: every request has a mark, by which those that reach the
/// application are found.
private struct Visitor {
    /// The header line with the mark.
    let mark = "Test: \(UUID())"
    private let front: Front

    init(_ front: Front) { self.front = front }

    init(_ proxy: Proxy, auth: RunningServer) async throws { front = try await .shared(proxy, auth: auth.port) }
    init(_ proxy: Proxy, auth: EchoServer) async throws { front = try await .shared(proxy, auth: auth.port) }

    /// A connection, on which the mark has to be sent.
    func connect() async throws -> HTTPConnection { try await HTTPConnection(port: front.port) }

    /// Sends one request on a new connection.
    func send(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> HTTPAnswer {
        try await connect().send(method, path, headers: headers + [mark], body: body)
    }

    /// The requests that reached the application.
    var requests: [[String: Any]] { front.application.requests(with: mark) }
    var logs: String { front.logs }
}

/// One of the proxies with an application behind it.
private final class Front: Sendable {
    let application: EchoServer
    let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    private struct Place: Hashable {
        let proxy: Proxy
        let auth: Int
    }

    private static let started = Mutex<[Place: Task<Front, any Error>]>([:])

    /// The proxy in front of that port, shared by all tests.
    static func shared(_ proxy: Proxy, auth: Int) async throws -> Front {
        let place = Place(proxy: proxy, auth: auth)
        let starting = started.withLock { started in
            let starting = started[place] ?? Task { try await Front(proxy, auth: auth) }
            started[place] = starting
            return starting
        }
        return try await starting.value
    }

    /// - Parameters:
    ///   - port: the port of the proxy.
    ///   - isUnderPrefix: whether to use the lines for a prefix, which are comments in the file,
    ///     instead of those above them.
    init(_ proxy: Proxy, auth: Int, port: Int? = nil, isUnderPrefix: Bool = false) async throws {
        directory = try TemporaryDirectory()
        application = try await EchoServer.application.value
        self.port = try port ?? FreePort.next()
        let port = self.port
        let ports = ["8080": port, "5000": auth, "3000": application.port]
        for example in proxy.examples {
            let file = ExternalProcess.repository.appendingPathComponent("Examples/Proxies/\(example)")
            let original = try String(contentsOf: file, encoding: .utf8)
            let text = (isUnderPrefix ? Self.underPrefix(original) : original)
                .replacing(/127\.0\.0\.1:(8080|5000|3000)/) { "127.0.0.1:\(ports[String($0.1)] ?? 0)" }
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(example)"))
        }
        let file = "\(directory.path)/\(proxy.examples.first ?? "")"
        process = try ExternalProcess(
            ExternalProcess.program(proxy.rawValue), proxy.arguments(file, in: directory),
            environment: ["HOME": directory.path], directory: directory)
        try await process.answers(on: port, path: "/.well-known/jwks.json")
    }

    deinit { process.kill() }

    /// The file with the commented lines for a prefix in place of those for single paths.
    private static func underPrefix(_ text: String) -> String {
        text.replacing(
            /(?m)^[ \t]+acl is-rest-auth path -m reg .*\n/, with: ""
        )
        .replacing(
            /(?m)^(?<blank>[ \t]+)(location ~|@rest-auth path_regexp) [^$]*\$( \{)?\n(.+\n)*?\k<blank>\}\n/, with: ""
        )
        .replacing(/(?m)^(?<blank>[ \t]+)#(?! \S)/) { String($0.blank) }
    }

    /// Everything that the proxy has logged.
    var logs: String {
        let files = ["access.log", "error.log"].map {
            try? String(contentsOfFile: "\(directory.path)/\($0)", encoding: .utf8)
        }
        return files.compactMap(\.self).joined() + process.outputText + process.errorText
    }
}

/// `Tests/Scripts/echo_server.py`, which answers with the request.
private final class EchoServer: Sendable {
    /// The application behind every proxy.
    static let application = Task { try await EchoServer("Application") }
    /// A server in place of rest-auth.
    static let auth = Task { try await EchoServer("Auth") }

    let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    private init(_ name: String) async throws {
        directory = try TemporaryDirectory()
        port = try FreePort.next()
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/echo_server.py")
        process = try ExternalProcess(
            ExternalProcess.program("python3"), [script.path, "\(port)", name], directory: directory)
        try await process.answers(on: port)
    }

    deinit { process.kill() }

    /// The requests with this mark.
    func requests(with mark: String) -> [[String: Any]] {
        process.outputLines.filter { $0.contains(mark.dropFirst("Test: ".count)) }
            .compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
    }
}

/// A request as the application received it.
private struct Seen {
    let path: String
    /// All values of each field, by its name in lower case.
    let fields: [String: [String]]

    init(_ json: [String: Any]) {
        path = json["path"] as? String ?? ""
        let pairs = (json["headers"] as? [[String]] ?? []).map { ($0[0], [$0[1]]) }
        fields = Dictionary(pairs, uniquingKeysWith: +)
    }

    /// Every field with the identity, also in the spellings that many applications treat as the
    /// same. Empty fields are left out.
    var identity: [String: String] {
        fields.filter { $0.key.hasPrefix("remote") }.mapValues { $0.joined(separator: " and ") }
            .filter { !$0.value.isEmpty }
    }
}
