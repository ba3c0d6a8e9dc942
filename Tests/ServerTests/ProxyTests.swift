import Foundation
import Support
import Testing

/// Real proxies, run from the very files of `Examples/Proxies` with nothing but the ports replaced,
/// in front of the server and of an application that answers with what it was asked.
@Suite struct ProxyTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer(["--trusted-proxies", "127.0.0.1"])
        _ = try server.register("miguel", "python")
    }

    private func bearerToken() throws -> String { try server.token("miguel", "python") }

    // MARK: Who gets through

    @Test(arguments: Proxy.allCases) func whoSignsInReachesTheApplicationByName(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        let token = try bearerToken()
        for header in [basic("miguel", "python"), bearer(token), basic(token, "x")] {
            // On one connection, again and again: each request is asked about.
            let connection = try front.connect()
            for path in ["/", "/a/b%20c?d=e&f", "/"] {
                let answer = try connection.send("GET", path, headers: [header])
                #expect(answer.status == 200)
                let seen = Seen(answer.json)
                #expect(seen.path == path)
                #expect(seen.identity == ["remote-user": "miguel", "remote-user-id": "1"])
                #expect(seen.fields["authorization"] == nil)
                #expect(seen.fields["x-forwarded-for"] == ["127.0.0.1"])
                #expect(seen.fields["x-forwarded-proto"] == ["http"])
                #expect(seen.fields["x-forwarded-host"] == ["127.0.0.1"])
            }
        }
        #expect(front.application.requests.count == 9)
    }

    @Test(arguments: Proxy.allCases) func whoDoesNotIsGivenTheChallengeAndGetsNoFurther(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        let token = try bearerToken()
        let headers = [
            [], [basic("miguel", "wrong")], [basic("nobody", "python")], [bearer(token + "x")], [bearer("nonsense")],
            ["Authorization: Digest x"], ["Authorization:"], ["Remote-User: miguel", "Remote-User-Id: 1"],
        ]
        for headers in headers {
            for (method, path) in [
                ("GET", "/"), ("POST", "/notes"), ("OPTIONS", "/"), ("GET", "/api/../"), ("GET", "/oauth"),
            ] {
                let answer = try front.send(method, path, headers: headers)
                #expect(answer.status == 401, "\(method) \(path) \(headers)")
                #expect(answer.all("WWW-Authenticate").first == #"Basic realm="Authentication Required""#)
            }
        }
        #expect(front.application.requests.isEmpty)
    }

    @Test(arguments: Proxy.allCases) func theFirstRequestAfterTheEndOfASessionIsRefused(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        let token = try bearerToken()
        let connection = try front.connect()
        for _ in 0..<3 { #expect(try connection.send("GET", "/", headers: [bearer(token)]).status == 200) }
        #expect(try connection.send("DELETE", "/api/tokens", headers: [bearer(token)]).status == 204)
        #expect(try connection.send("GET", "/", headers: [bearer(token)]).status == 401)
        #expect(front.application.requests.count == 3)
    }

    // MARK: What cannot be forged

    private static let forgedFields = [
        "Remote-User: eve", "Remote-User-Id: 99", "Remote-Groups: admin", "remote-groups: admin",
        "REMOTE-GROUPS: admin",
        "Remote_User: eve",
        "Remote_Groups: admin", "remote_user-id: 99", "Remote-User_Id: 99",
    ]

    @Test(arguments: Proxy.allCases) func theClientsOwnIdentityFieldsNeverReachTheApplication(proxy: Proxy) async throws
    {
        let front = try await Front(proxy, auth: server.port)
        let token = try bearerToken()
        // Nobody granted this user a role, so the server's answer about them is empty: nothing
        // takes the place of what was forged.
        for forged in Self.forgedFields.map({ [$0] }) + [Self.forgedFields] {
            let answer = try front.send("GET", "/", headers: [bearer(token)] + forged)
            #expect(answer.status == 200)
            #expect(Seen(answer.json).identity == ["remote-user": "miguel", "remote-user-id": "1"], "\(forged)")
        }
    }

    @Test(arguments: Proxy.allCases) func rolesAreTheServersAndNotTheClients(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        try await server.command("users", "grant", "miguel", "staff", "admin")
        let answer = try front.send("GET", "/", headers: [basic("miguel", "python"), "Remote-Groups: root"])
        #expect(
            Seen(answer.json).identity == [
                "remote-user": "miguel", "remote-user-id": "1", "remote-groups": "admin,staff",
            ])
    }

    @Test(arguments: Proxy.allCases) func theClientCannotHaveTheIdentityTakenAway(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        for names in ["Remote-User", "close, Remote-User-Id", "remote-groups, remote-user, remote-user-id"] {
            let answer = try front.send(
                "GET", "/", headers: [basic("miguel", "python"), "Connection: \(names)", "Remote-Groups: admin"])
            #expect(answer.status == 200)
            #expect(Seen(answer.json).identity == ["remote-user": "miguel", "remote-user-id": "1"], "\(names)")
        }
    }

    @Test(arguments: Proxy.allCases) func namesArriveAsTheyWereTyped(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        // What the proxies' own languages would read something into, and what is not ASCII.
        for name in ["Zoë, Миша", "$host", "${host}", "{env.PATH}", "{http.request.header.Host}", "100%41"] {
            #expect(try server.register(name, "python").status == 201)
            let answer = try front.send("GET", "/", headers: [basic(name, "python")])
            #expect(Seen(answer.json).identity["remote-user"] == name)
        }
    }

    @Test(arguments: Proxy.allCases) func forwardedFieldsOfTheClientDoNotCount(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        let forged = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"]
        let answer = try front.send(
            "POST", "/api/users", headers: forged + ["Content-Type: application/json"],
            body: #"{"username":"susan","password":"python"}"#)
        #expect(answer.status == 201)
        #expect(answer["Location"] == "http://127.0.0.1/api/users/2")
        let seen = Seen(try front.send("GET", "/", headers: forged + [basic("susan", "python")]).json)
        #expect(seen.fields["x-forwarded-for"] == ["127.0.0.1"])
        #expect(seen.fields["x-forwarded-proto"] == ["http"])
        #expect(seen.fields["x-forwarded-host"] == ["127.0.0.1"])
        try await wait(seconds: 5, for: "the lines") { server.log.contains("route=/api/verify status=200") }
        #expect(!server.log.contains("6.6.6.6"))
    }

    // MARK: Bodies

    @Test(arguments: Proxy.allCases) func aBodyGoesToTheApplicationAlone(proxy: Proxy) async throws {
        let auth = try await EchoServer()
        let front = try await Front(proxy, auth: auth.port)
        let long = String(repeating: "ü", count: 50_000)
        for (method, body) in [("POST", "hello"), ("PUT", "x=1"), ("DELETE", "all"), ("POST", long)] {
            let answer = try front.send(method, "/notes", headers: ["Content-Type: text/plain"], body: body)
            #expect(answer.status == 200)
            #expect(answer.json["method"] as? String == method)
            #expect(answer.json["body"] as? String == body)
        }
        let connection = try front.connect()
        try connection.write(
            "POST /notes HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        #expect(try connection.readAnswer().json["body"] as? String == "hello")

        #expect(auth.requests.count == 5)
        for asked in auth.requests {
            #expect(asked["method"] as? String == "GET")
            #expect(asked["body"] as? String == "")
            let seen = Seen(asked)
            #expect(seen.path == "/api/verify")
            #expect(seen.fields["content-length"] ?? ["0"] == ["0"])
            #expect(seen.fields["transfer-encoding"] == nil)
        }
    }

    // MARK: When nobody can tell

    @Test(arguments: Proxy.allCases) func withoutTheServerNobodyGetsThrough(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        let token = try bearerToken()
        #expect(try front.send("GET", "/", headers: [bearer(token)]).status == 200)
        #expect(try await server.stop() == 0)
        for headers in [[bearer(token)], [basic("miguel", "python")], []] {
            #expect((500...599).contains(try front.send("GET", "/", headers: headers).status))
        }
        #expect(front.application.requests.count == 1)
    }

    @Test(arguments: Proxy.allCases, [302, 400, 403, 404, 500, 503])
    func anyOtherAnswerOfTheServerLetsNobodyThrough(proxy: Proxy, status: Int) async throws {
        let auth = try await EchoServer(status: status)
        let front = try await Front(proxy, auth: auth.port)
        let answer = try front.send("GET", "/", headers: [basic("miguel", "python")])
        #expect(answer.status >= 300)
        if status == 503 {
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "7")
        }
        #expect(front.application.requests.isEmpty)
    }

    @Test(arguments: Proxy.allCases, [401, 500, 503]) func theApplicationsOwnRefusalsAreLeftAlone(
        proxy: Proxy, status: Int
    ) async throws {
        let front = try await Front(proxy, auth: server.port, applicationStatus: status)
        let answer = try front.send("GET", "/", headers: [basic("miguel", "python")])
        #expect(answer.status == status)
        #expect(Seen(answer.json).identity["remote-user"] == "miguel")
        #expect(answer["WWW-Authenticate"] == nil)
    }

    // MARK: The server itself

    @Test(arguments: Proxy.allCases) func theServersOwnPathsAreOpenToEveryone(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        for (path, status) in [
            ("/.well-known/jwks.json", 200), ("/.well-known/oauth-authorization-server", 200),
            ("/api/revocations", 200),
            ("/api/users/1", 200), ("/api/token", 401), ("/oauth/introspect", 405), ("/api/nothing", 404),
        ] {
            let answer = try front.send("GET", path)
            #expect(answer.status == status, "\(path)")
            #expect(answer["X-Content-Type-Options"] == "nosniff")
        }
        let metadata = try front.send("GET", "/.well-known/oauth-authorization-server").json
        #expect(metadata["jwks_uri"] as? String == "http://127.0.0.1/.well-known/jwks.json")
        let token = try #require(
            front.send("GET", "/api/token", headers: [basic("miguel", "python")]).json["token"] as? String)
        #expect(try front.send("GET", "/", headers: [bearer(token)]).status == 200)
        #expect(front.application.requests.count == 1)
    }

    @Test(arguments: Proxy.allCases) func noTokenAndNoPasswordStandsInTheProxysLogs(proxy: Proxy) async throws {
        let front = try await Front(proxy, auth: server.port)
        let token = try bearerToken()
        for header in [
            basic(token, "x"), bearer(token), basic("miguel", "python"), basic(token + "x", "x"),
            basic("miguel", "geheim"),
        ] {
            _ = try front.send("GET", "/logged", headers: [header])
        }
        if proxy == .nginx {
            try await wait(seconds: 5, for: "the lines") { front.logs.components(separatedBy: "/logged").count == 6 }
        }
        for secret in [
            token, "python", "geheim", String(basic("miguel", "python").dropFirst("Authorization: Basic ".count)),
        ] {
            #expect(!front.logs.contains(secret))
        }
    }
}

// MARK: - What stands around the server

enum Proxy: String, CaseIterable, CustomTestStringConvertible {
    case nginx, caddy

    var testDescription: String { rawValue }

    fileprivate var example: String { self == .nginx ? "nginx.conf" : "Caddyfile" }

    fileprivate func arguments(_ file: String, in directory: TemporaryDirectory) -> [String] {
        switch self {
        // The second directive is for tests that run as root: its workers would be someone who may
        // not enter the directory.
        case .nginx: ["-e", "stderr", "-p", directory.path, "-c", file, "-g", "daemon off; user root;"]
        case .caddy: ["run", "--config", file, "--adapter", "caddyfile"]
        }
    }
}

/// One of the proxies with an application behind it.
private final class Front {
    let application: EchoServer
    private let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    init(_ proxy: Proxy, auth: Int, applicationStatus: Int = 200) async throws {
        directory = try TemporaryDirectory()
        application = try await EchoServer(status: applicationStatus)
        port = try FreePort.next()
        let ports = ["8080": port, "5000": auth, "3000": application.port]
        let example = ExternalProcess.repository.appendingPathComponent("Examples/Proxies/\(proxy.example)")
        let text = try String(contentsOf: example, encoding: .utf8)
            .replacing(/127\.0\.0\.1:(8080|5000|3000)/) { "127.0.0.1:\(ports[String($0.1)] ?? 0)" }
        let file = "\(directory.path)/\(proxy.example)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        process = try ExternalProcess(
            ExternalProcess.program(proxy.rawValue), proxy.arguments(file, in: directory),
            environment: ["HOME": directory.path],
            directory: directory)
        try await process.answers(on: port, path: "/.well-known/ready")
    }

    deinit { process.end() }

    func connect() throws -> HTTPConnection { try HTTPConnection(port: port) }

    /// One request on a connection of its own.
    func send(_ method: String, _ path: String, headers: [String] = [], body: String? = nil) throws -> HTTPAnswer {
        try connect().send(method, path, headers: headers, body: body)
    }

    /// Everything that the proxy has written.
    var logs: String {
        let files = ["access.log", "error.log"].map {
            try? String(contentsOfFile: "\(directory.path)/\($0)", encoding: .utf8)
        }
        return files.compactMap(\.self).joined() + process.outputText + process.errorText
    }
}

/// `Tests/Scripts/echo_server.py`: answers with what it was asked.
private final class EchoServer {
    let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    init(status: Int = 200) async throws {
        directory = try TemporaryDirectory()
        port = try FreePort.next()
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/echo_server.py")
        process = try ExternalProcess(
            ExternalProcess.program("python3"), [script.path, "\(port)", "\(status)"], directory: directory)
        try await process.answers(on: port)
    }

    deinit { process.kill() }

    /// What it was asked, without the questions whether it is there.
    var requests: [[String: Any]] {
        process.outputLines.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
            .filter { ($0["path"] as? String)?.hasSuffix("/ready") == false }
    }
}

/// A request as the application saw it.
private struct Seen {
    let path: String
    /// All values of each field, by its name in lower case.
    let fields: [String: [String]]

    init(_ json: [String: Any]) {
        path = json["path"] as? String ?? ""
        let pairs = (json["headers"] as? [[String]] ?? []).map { ($0[0], [$0[1]]) }
        fields = Dictionary(pairs, uniquingKeysWith: +)
    }

    /// Every field that says who it is, also in the spellings that many applications take for the
    /// same. One with nothing in it says nothing.
    var identity: [String: String] {
        fields.filter { $0.key.hasPrefix("remote") }.mapValues { $0.joined(separator: " and ") }.filter {
            !$0.value.isEmpty
        }
    }
}
