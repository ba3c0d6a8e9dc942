import Foundation
import Support
import Testing

/// What stands in front of the routes: logs, proxies, other origins, TLS.
@Suite struct FrontTests {
    // MARK: Logs

    @Test func aRequestIsOneLineWithThePatternAndNothingOfTheRequest() async throws {
        let server = try await RunningServer(["--log-format", "json"])
        _ = try server.register("miguel", "python")
        _ = try server.send(
            "GET", "/api/users/1?password=geheim", headers: ["X-Secret: geheim", basic("miguel", "geheim")])
        try await wait(seconds: 5, for: "the line") { server.log.contains("/api/users/{id}") }
        let line = try #require(server.log.split(separator: "\n").last { $0.contains("/api/users/{id}") })
        let fields = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(fields["message"] as? String == "request")
        #expect(fields["route"] as? String == "/api/users/{id}")
        #expect(fields["status"] as? Int == 200)
        #expect(fields["duration_us"] is Int)
        #expect(fields["request_id"] is String)
        #expect(fields["address"] as? String == "127.0.0.1")
        #expect(!server.log.contains("geheim"))
        #expect(!server.log.contains("python"))
    }

    @Test func aNameInTheLogCannotBeginALine() async throws {
        let server = try await RunningServer()
        _ = try server.send("GET", "/api/token", headers: [basic("eve request method=GET status=200 \"", "x")])
        _ = try server.send("GET", "/api/token", headers: [basic("eve", "x")])
        try await wait(seconds: 5, for: "the lines") { server.log.components(separatedBy: "login_failed").count == 3 }
        #expect(server.log.contains("username=eve"))
        #expect(server.log.split(separator: "\n").allSatisfy { $0.hasPrefix("20") })
    }

    @Test func aHigherLevelIsQuiet() async throws {
        let server = try await RunningServer(["--log-level", "error"])
        _ = try server.register("miguel", "python")
        #expect(try await server.stop() == 0)
        #expect(server.log.isEmpty)
    }

    // MARK: Proxies

    private static let registration = #"{"username":"miguel","password":"python"}"#

    @Test func forwardedFieldsOfAStrangerDoNotCount() async throws {
        for proxies in [[], ["--trusted-proxies", "10.0.0.0/8"]] {
            let server = try await RunningServer(proxies)
            let answer = try server.send(
                "POST", "/api/users",
                headers: [
                    "Content-Type: application/json", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
                    "X-Forwarded-For: 1.2.3.4",
                ], body: Self.registration)
            #expect(answer["Location"] == "http://127.0.0.1/api/users/1")
            try await wait(seconds: 5, for: "the line") { server.log.contains("status=201") }
            #expect(!server.log.contains("1.2.3.4"))
        }
    }

    @Test func forwardedFieldsOfATrustedProxyCount() async throws {
        let server = try await RunningServer(["--trusted-proxies", "127.0.0.1,10.0.0.0/8"])
        let answer = try server.send(
            "POST", "/api/users",
            headers: [
                "Content-Type: application/json", "X-Forwarded-Proto: https", "X-Forwarded-Host: auth.example.com",
                "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1",
            ], body: Self.registration)
        #expect(answer["Location"] == "https://auth.example.com/api/users/1")
        try await wait(seconds: 5, for: "the line") { server.log.contains("status=201") }
        #expect(server.log.contains("address=1.2.3.4"))
        #expect(!server.log.contains("6.6.6.6"))
    }

    @Test func thePublicURLWinsOverWhatTheClientSays() async throws {
        let server = try await RunningServer(["--public-url", "https://auth.example.com/accounts/"])
        let answer = try server.send(
            "POST", "/api/users", headers: ["Host: evil.example", "Content-Type: application/json"],
            body: Self.registration)
        #expect(answer["Location"] == "https://auth.example.com/accounts/api/users/1")
    }

    // MARK: Other origins

    @Test func withoutConfiguredOriginsNothingIsSaidOfThem() async throws {
        let server = try await RunningServer()
        let answer = try server.send("GET", "/health/live", headers: ["Origin: https://app.example.com"])
        #expect(!answer.headers.contains { $0.name.hasPrefix("access-control") })
    }

    @Test func aPreflightIsAnsweredWithoutCredentials() async throws {
        let server = try await RunningServer(["--cors-origins", "https://app.example.com"])
        let asked = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"]
        let answer = try server.send("OPTIONS", "/api/resource", headers: ["Origin: https://app.example.com"] + asked)
        #expect(answer.status == 204)
        #expect(answer["Access-Control-Allow-Origin"] == "https://app.example.com")
        #expect(answer["Access-Control-Allow-Headers"]?.contains("Authorization") == true)
        #expect(answer["Vary"] == "Origin")
        let stranger = try server.send("OPTIONS", "/api/resource", headers: ["Origin: https://evil.example"] + asked)
        #expect(stranger["Access-Control-Allow-Origin"] == nil)
    }

    @Test func anAllowedOriginMayReadAnswersAndRefusalsAlike() async throws {
        let server = try await RunningServer(["--cors-origins", "https://app.example.com"])
        for path in ["/api/resource", "/health/live", "/nothing"] {
            let answer = try server.send("GET", path, headers: ["Origin: https://app.example.com"])
            #expect(answer["Access-Control-Allow-Origin"] == "https://app.example.com", "\(path)")
            #expect(answer["Access-Control-Allow-Credentials"] == nil)
            let stranger = try server.send("GET", path, headers: ["Origin: https://app.example.com.evil.example"])
            #expect(stranger["Access-Control-Allow-Origin"] == nil)
        }
    }

    // MARK: TLS

    @Test func overTLSItSpeaksHTTP2AndHTTP1AndTellsBrowsersToComeBack() async throws {
        let server = try await secureServer()
        let two = try curl(server, "/api/users", "--http2", "-d", #"{"username":"miguel","password":"python"}"#)
        #expect(two.hasPrefix("HTTP/2 201"))
        #expect(two.lowercased().contains("strict-transport-security: max-age="))
        #expect(two.contains("https://localhost:\(server.port)/api/users/1"))
        let one = try curl(server, "/api/users", "--http1.1", "-d", #"{"username":"susan","password":"python"}"#)
        #expect(one.hasPrefix("HTTP/1.1 201"))
        #expect(one.contains("https://localhost:\(server.port)/api/users/2"))
        let old = try run(
            "openssl", ["s_client", "-connect", "127.0.0.1:\(server.port)", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"])
        #expect(old.contains("Cipher is (NONE)"))
    }

    /// HTTP/2 needs no field that says how long a body is, or that there is one.
    @Test(arguments: ["--http2", "--http1.1"])
    func aBodyWhoseLengthNobodyAnnouncedIsRead(version: String) async throws {
        let server = try await secureServer()
        _ = try curl(server, "/api/users", version, "-d", #"{"username":"miguel","password":"python"}"#)
        func refreshToken(_ answer: String) throws -> String {
            String(try #require(answer.firstMatch(of: /"refresh_token":"([^"]+)"/)?.1))
        }
        func stream(_ method: String, _ token: String) throws -> String {
            try curl(server, "/api/tokens", version, "-X", method, "-T", "-", input: json(["refresh_token": token]))
        }
        let first = try refreshToken(
            curl(server, "/api/tokens", version, "-d", #"{"username":"miguel","password":"python"}"#))
        let second = try refreshToken(stream("PUT", first))
        #expect(second != first)
        #expect(try stream("DELETE", second).contains(" 204"))
        #expect(try stream("PUT", second).contains("invalid_grant"))
    }

    /// In HTTP/2 a stream's half ends with every request; that is no client who goes.
    @Test func streamsThatWaitForTheirTurnAreAnswered() async throws {
        let server = try await secureServer("--hashing-threads", "1")
        _ = try curl(server, "/api/users", "--http2", "-d", #"{"username":"miguel","password":"python"}"#)
        let more = Array(repeating: "https://localhost:\(server.port)/api/token", count: 5)
        let answers = try curl(
            server, "/api/token", options: ["--http2", "-Z", "--parallel-immediate", "-u", "miguel:python"] + more)
        #expect(answers.components(separatedBy: "HTTP/2 200").count == 7)
    }

    @Test func streamsThatAreTakenBackLeaveTheQueue() async throws {
        let server = try await secureServer("--hashing-threads", "1", "--password-passes", "64")
        let more = Array(repeating: "https://localhost:\(server.port)/api/token", count: 19)
        _ = try curl(
            server, "/api/token", options: ["--http2", "-Z", "-u", "nobody:python", "--max-time", "0.3"] + more)
        try await wait(seconds: 20, for: "the end of all requests") {
            server.log.components(separatedBy: "route=/api/token ").count == 21
        }
        #expect(server.log.components(separatedBy: "status=503").count > 10)
    }

    private func secureServer(_ arguments: String...) async throws -> RunningServer {
        let directory = try TemporaryDirectory()
        try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", "\(directory.path)/process-key.pem", "-out",
                "\(directory.path)/process-cert.pem",
            ])
        return try await RunningServer(
            ["--tls-certificate", "process-cert.pem", "--tls-key", "process-key.pem"] + arguments, directory: directory,
            scheme: "https")
    }

    /// Head and body of the answer to a request that curl makes.
    private func curl(_ server: RunningServer, _ path: String, _ options: String..., input: String? = nil) throws
        -> String
    {
        try curl(server, path, options: options, input: input)
    }

    private func curl(_ server: RunningServer, _ path: String, options: [String], input: String? = nil) throws -> String
    {
        let common = [
            "-sS", "-i", "--cacert", "\(server.directory.path)/process-cert.pem", "--resolve",
            "localhost:\(server.port):127.0.0.1", "-H",
            "Content-Type: application/json", "https://localhost:\(server.port)\(path)",
        ]
        return try run("curl", common + options, input: input)
    }

    /// The output of a command of the system.
    @discardableResult
    private func run(_ command: String, _ arguments: [String], input: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        let source = Pipe()
        process.standardInput = source
        try process.run()
        try source.fileHandleForWriting.write(contentsOf: Data((input ?? "").utf8))
        try source.fileHandleForWriting.close()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
