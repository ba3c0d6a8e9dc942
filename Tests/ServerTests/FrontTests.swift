import Foundation
import Support
import Testing

/// Everything in front of the routes: logs, proxies, other origins, TLS.
@Suite struct FrontTests {
    /// Each test reads the whole log of its own server.
    @Suite struct Logs {
        @Test func aRequestIsOneLineWithThePatternAndNothingOfTheRequest() async throws {
            let server = try await RunningServer(["--log-format", "json"])
            let miguel = try await server.newAccount()
            let path = "/api/users/\(miguel.id)?password=geheim"
            _ = try await server.send("GET", path, headers: ["X-Secret: geheim", basic(miguel.name, "geheim")])
            try await wait(for: "the line") { server.log.contains("/api/users/{id}") }
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

        /// Two ids from a counter would show how many requests came between them.
        @Test func theIdsOfRequestsHaveNothingInCommon() async throws {
            let server = try await RunningServer()
            let connection = try await server.connect()
            var ids: [UInt64] = []
            for _ in 0..<200 {
                let text = try #require(try await connection.send("GET", "/nothing").json["request_id"] as? String)
                #expect(text.wholeMatch(of: /[0-9a-f]{16}/) != nil)
                ids.append(try #require(UInt64(text, radix: 16)))
            }
            // In a counter that is only multiplied or masked with a constant, differences repeat.
            #expect(Set(ids).count == ids.count)
            for distance in 1...8 {
                let steps = zip(ids.dropFirst(distance), ids).map { $0 &- $1 }
                #expect(Set(steps).count == steps.count)
            }
        }

        @Test func aNameInTheLogCannotBeginALine() async throws {
            let server = try await RunningServer()
            let name = "eve request method=GET status=200"
            #expect(try await server.register(name, "python").status == 201)
            _ = try await server.send("GET", "/api/token", headers: [basic(name, "x")])
            try await wait(for: "the line") { server.log.contains("login_failed") }
            #expect(server.log.contains(#"username="eve request"#))
            #expect(server.log.split(separator: "\n").allSatisfy { $0.hasPrefix("20") })
        }

        /// The name may be a password that was typed into the wrong field.
        @Test func whatNobodyIsCalledIsNotInTheLog() async throws {
            let server = try await RunningServer(["--log-level", "debug"])
            let (miguel, typed) = (try await server.newAccount(), "correct-horse-battery")
            // Often enough to be throttled, and with as many names as are reported as an attack.
            for number in 0..<12 {
                for name in [typed, "\(typed)\(number)", "\(typed)|"] {
                    let answer = try await server.send("GET", "/api/token", headers: [basic(name, "x")])
                    #expect(answer.status == 401 || answer.status == 429)
                    #expect(!answer.body.contains(typed))
                }
                _ = try await server.send("GET", "/api/token", headers: [basic(miguel.name, "x")])
                let path = "/api/users/\(typed)?\(typed)=\(typed)"
                _ = try await server.send("GET", path, headers: ["\(typed): \(typed)"])
                _ = try await server.send("GET", "/\(typed)")
            }
            #expect(try await server.stop() == 0)
            for event in ["login_failed", "login_throttled"] {
                let lines = server.log.split(separator: "\n").filter { $0.contains(event) }
                #expect(lines.contains { !$0.contains("username=") }, "\(event)")
                #expect(lines.contains { $0.contains("username=\(miguel.name)") }, "\(event)")
            }
            #expect(!server.log.contains(typed))
        }

        @Test func aHigherLevelIsQuiet() async throws {
            let server = try await RunningServer(["--log-level", "error"])
            _ = try await server.newAccount()
            #expect(try await server.stop() == 0)
            #expect(server.log.isEmpty)
        }
    }

    /// Tests on servers with settings of their own, which read the whole log.
    @Suite struct Proxies {
        private func register(at server: RunningServer, _ headers: String...) async throws -> HTTPAnswer {
            try await server.send(
                "POST", "/api/users", headers: ["Content-Type: application/json"] + headers,
                body: #"{"username":"miguel","password":"python"}"#)
        }

        @Test func forwardedFieldsOfAStrangerDoNotCount() async throws {
            for proxies in [[], ["--trusted-proxies", "10.0.0.0/8"]] {
                let server = try await RunningServer(proxies)
                let answer = try await register(
                    at: server, "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
                    "X-Forwarded-For: 1.2.3.4")
                #expect(answer["Location"] == "http://127.0.0.1/api/users/1")
                try await wait(for: "the line") { server.log.contains("status=201") }
                #expect(!server.log.contains("1.2.3.4"))
            }
        }

        @Test func forwardedFieldsOfATrustedProxyCount() async throws {
            let server = try await RunningServer(["--trusted-proxies", "127.0.0.1,10.0.0.0/8"])
            let answer = try await register(
                at: server, "X-Forwarded-Proto: https", "X-Forwarded-Host: auth.example.com",
                "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1")
            #expect(answer["Location"] == "https://auth.example.com/api/users/1")
            try await wait(for: "the line") { server.log.contains("status=201") }
            #expect(server.log.contains("address=1.2.3.4"))
            #expect(!server.log.contains("6.6.6.6"))
        }

        @Test func thePublicURLWinsOverWhatTheClientSays() async throws {
            let server = try await RunningServer(["--public-url", "https://auth.example.com/accounts/"])
            let answer = try await register(at: server, "Host: evil.example")
            #expect(answer["Location"] == "https://auth.example.com/accounts/api/users/1")
        }
    }

    @Suite(.server()) struct NoOtherOrigins {
        @Test func withoutConfiguredOriginsNothingIsSaidOfThem() async throws {
            let server = try SharedServer.current()
            let answer = try await server.send("GET", "/api/resource", headers: ["Origin: https://app.example.com"])
            #expect(!answer.headers.contains { $0.name.hasPrefix("access-control") })
        }
    }

    @Suite(.server("--cors-origins", "https://app.example.com")) struct OtherOrigins {
        let server: RunningServer

        init() throws { server = try SharedServer.current() }

        @Test func aPreflightIsAnsweredWithoutCredentials() async throws {
            let asked = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"]
            func ask(_ origin: String) async throws -> HTTPAnswer {
                try await server.send("OPTIONS", "/api/resource", headers: ["Origin: \(origin)"] + asked)
            }
            let answer = try await ask("https://app.example.com")
            #expect(answer.status == 204)
            #expect(answer["Access-Control-Allow-Origin"] == "https://app.example.com")
            #expect(answer["Access-Control-Allow-Headers"]?.contains("Authorization") == true)
            #expect(answer["Vary"] == "Origin")
            let stranger = try await ask("https://evil.example")
            #expect(stranger["Access-Control-Allow-Origin"] == nil)
        }

        @Test func anAllowedOriginMayReadAnswersAndRefusalsAlike() async throws {
            for path in ["/api/resource", "/api/users/1", "/nothing"] {
                let answer = try await server.send("GET", path, headers: ["Origin: https://app.example.com"])
                #expect(answer["Access-Control-Allow-Origin"] == "https://app.example.com", "\(path)")
                #expect(answer["Access-Control-Allow-Credentials"] == nil)
                let origin = "Origin: https://app.example.com.evil.example"
                let stranger = try await server.send("GET", path, headers: [origin])
                #expect(stranger["Access-Control-Allow-Origin"] == nil)
            }
        }
    }

    @Suite struct TLS {
        @Test func itSpeaksHTTP2AndHTTP1AndTellsBrowsersToComeBack() async throws {
            let server = try await SecureServer.shared.value
            for (option, version) in [("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")] {
                let name = RunningServer.newName()
                let answer = try await server.curl("/api/users", option, "-d", member(name))
                #expect(answer.hasPrefix("\(version) 201"))
                #expect(answer.lowercased().contains("strict-transport-security: max-age="))
                let location = try #require(
                    answer.firstMatch(of: /https:\/\/localhost:([0-9]+)\/api\/users\/[0-9]+/))
                #expect(location.1 == "\(server.port)")
                #expect(try await server.curl(String(location.0), option).contains("\"\(name)\""))
            }
            let old = try await SecureServer.run(
                "openssl",
                ["s_client", "-connect", "127.0.0.1:\(server.port)", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"],
                in: server.directory)
            #expect(old.contains("Cipher is (NONE)"))
        }

        /// HTTP/2 needs no field for the length of a body, or for its presence.
        @Test(arguments: ["--http2", "--http1.1"])
        func aBodyWhoseLengthNobodyAnnouncedIsRead(version: String) async throws {
            let server = try await SecureServer.shared.value
            let miguel = member(RunningServer.newName())
            _ = try await server.curl("/api/users", version, "-d", miguel)
            func refreshToken(_ answer: String) throws -> String {
                String(try #require(answer.firstMatch(of: /"refresh_token":"([^"]+)"/)?.1))
            }
            func stream(_ method: String, _ token: String) async throws -> String {
                let body = json(["refresh_token": token])
                return try await server.curl("/api/tokens", version, "-X", method, "-T", "-", input: body)
            }
            let first = try await refreshToken(server.curl("/api/tokens", version, "-d", miguel))
            let second = try await refreshToken(stream("PUT", first))
            #expect(second != first)
            #expect(try await stream("DELETE", second).contains(" 204"))
            #expect(try await stream("PUT", second).contains("invalid_grant"))
        }

        /// An incomplete request changes nothing.
        @Test(arguments: ["reset", "leave"])
        func aStreamThatEndsBeforeItsBodyRegistersNobody(end: String) async throws {
            let server = try await SecureServer.shared.value
            let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/half_stream.py").path
            for _ in 0..<5 {
                let miguel = member(RunningServer.newName())
                let output = try await SecureServer.run(
                    "python3", [script, "\(server.port)", end, miguel], in: server.directory)
                #expect(output == "done\n")
                #expect(try await server.curl("/api/users", "--http2", "-d", miguel).hasPrefix("HTTP/2 201"))
            }
        }

        @Test(arguments: ["--http2", "--http1.1"], [["--data-binary", "@-"], ["-X", "POST", "-T", "-"]])
        func aBodyThatIsTooLargeIsRefused(version: String, options: [String]) async throws {
            let server = try await SecureServer.shared.value
            let body = String(repeating: " ", count: 200_000)
            for path in ["/api/users", "/api/token", "/nothing"] {
                let answer = try await server.curl(path, options: [version, "-H", "Expect:"] + options, input: body)
                #expect(answer.firstMatch(of: /^HTTP\/[12.]+ 413/) != nil, "\(answer.prefix(200))")
                #expect(answer.contains("content_too_large"))
                #expect(answer.lowercased().contains("strict-transport-security: max-age="))
            }
        }

        /// A field may have half of the head on an ordinary path. The HTTP/2 library reads no head
        /// above 16 KiB, on any path.
        @Test(arguments: ["--http2", "--http1.1"])
        func aHeadThatIsTooLargeIsRefusedInEitherVersion(version: String) async throws {
            let server = try await SecureServer.shared.value
            func ask(_ path: String, _ sizes: Int...) async throws -> String {
                let fields = sizes.flatMap { ["-H", "Cookie: session=" + String(repeating: "x", count: $0)] }
                return try await server.curl(path, options: [version] + fields)
            }
            for path in ["/api/me", "/health/live", "/nothing"] {
                let answer = try await ask(path, 9000)
                #expect(answer.firstMatch(of: /^HTTP\/[12.]+ 431/) != nil, "\(answer.prefix(200))")
                #expect(answer.contains("request_header_fields_too_large"))
                #expect(answer.lowercased().contains("strict-transport-security: max-age="))
                #expect(try await ask(path, 7000).contains(" 431") == false)
            }
            for path in ["/api/verify", "/api/verify/any/path", "/api/verify?role=editor"] {
                #expect(try await ask(path, 15_000).firstMatch(of: /^HTTP\/[12.]+ 401/) != nil)
            }
            #expect(try await ask("/health/live").contains(" 200"))
        }

        /// However many streams a connection opens, it has one turn in a round.
        @Test func allOfManyStreamsAreAnswered() async throws {
            let server = try await SecureServer.shared.value
            for (path, status) in [("/health/live", 200), ("/api/users/999999999", 400), ("/api/revocations", 200)] {
                let more = Array(repeating: server.url + path, count: 249)
                let answers = try await server.curl(
                    path, options: ["--http2", "-Z", "--parallel-immediate", "--parallel-max", "250"] + more)
                #expect(answers.components(separatedBy: "HTTP/2 \(status)").count == 251)
            }
        }

        /// The client's side of an HTTP/2 stream ends with every request; the client is still
        /// there.
        @Test func streamsThatWaitForTheirTurnAreAnswered() async throws {
            let server = try await SecureServer.shared.value
            let name = RunningServer.newName()
            _ = try await server.curl("/api/users", "--http2", "-d", member(name))
            let more = Array(repeating: server.url + "/api/token", count: 5)
            let answers = try await server.curl(
                "/api/token", options: ["--http2", "-Z", "--parallel-immediate", "-u", "\(name):python"] + more)
            #expect(answers.components(separatedBy: "HTTP/2 200").count == 7)
        }

        /// Reads the whole log. Hashing is so expensive that most streams still wait while they are
        /// reset.
        @Test func streamsThatAreTakenBackLeaveTheQueue() async throws {
            try await wait(for: "a client whose requests all come before it goes") {
                let server = try await SecureServer("--password-passes", "64")
                let more = Array(repeating: server.url + "/api/token", count: 19)
                _ = try await server.curl(
                    "/api/token", options: ["--http2", "-Z", "-u", "nobody:python", "--max-time", "1"] + more)
                // Arrives after all of them, so when it is answered they are over.
                let last = try await server.curl("/api/token", "--http2", "-u", "nobody:python")
                #expect(last.hasPrefix("HTTP/2 401"))
                #expect(try await server.stop() == 0)
                guard server.log.components(separatedBy: "route=/api/token ").count == 22 else { return false }
                #expect(server.log.components(separatedBy: "status=503").count > 10)
                return true
            }
        }

        private func member(_ name: String) -> String { json(["username": name, "password": "python"]) }
    }
}
