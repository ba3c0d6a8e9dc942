import Foundation
import Support
import Testing

/// HTTP/2 without TLS, for clients with prior knowledge (RFC 9113 section 3.3): the limits are the
/// same as with TLS and HTTP/1.
@Suite struct ClearTextHTTP2Tests {
    private static let setting = ["--http2-cleartext", "yes"]
    private static let alive = #"{"status":"ok"}"#

    /// A server whose timeouts end no connection during the tests.
    private static let shared = Task {
        try await RunningServer(
            setting + [
                "--throttle", "no", "--hashing-threads", "1", "--hashing-patience", "600", "--idle-timeout", "3600",
                "--request-timeout", "3600",
            ])
    }

    private static func curl(_ path: String, at server: RunningServer, _ options: [String]) async throws -> String {
        let common = ["-sS", "-i", "-H", "Content-Type: application/json", "http://127.0.0.1:\(server.port)\(path)"]
        return try await SecureServer.run("curl", common + options, in: server.directory)
    }

    private static func member(_ name: String) -> String { json(["username": name, "password": "python"]) }

    @Test(arguments: [
        (["--http2-prior-knowledge"], "HTTP/2 201"), (["--http1.1"], "HTTP/1.1 201"),
        // A request to upgrade is answered as HTTP/1.
        (["--http2"], "HTTP/1.1 201"), (["--http1.0"], "HTTP/1."),
    ])
    func bothAreSpokenOnOnePort(options: [String], answer: String) async throws {
        let server = try await Self.shared.value
        let text = try await Self.curl(
            "/api/users", at: server, options + ["-d", Self.member(RunningServer.newName())])
        #expect(text.hasPrefix(answer), "\(text)")
        #expect(text.contains(" 201"))
        #expect(text.contains(": http://127.0.0.1:\(server.port)/api/users/"))
        #expect(!text.lowercased().contains("strict-transport-security"))
    }

    @Test(arguments: ["access_token=x", "a=b&access%5Ftoken="]) func aTokenInTheQueryIsRefused(query: String)
        async throws
    {
        let server = try await Self.shared.value
        let miguel = try await server.newAccount()
        let options = ["--http2-prior-knowledge", "-u", "\(miguel.name):\(miguel.password)"]
        for (path, status) in [("/api/resource", "HTTP/2 200"), ("/api/resource?\(query)", "HTTP/2 400")] {
            let text = try await Self.curl(path, at: server, options)
            #expect(text.hasPrefix(status), "\(text)")
            #expect(text.contains("invalid_request") == (path != "/api/resource"))
        }
    }

    /// Uses a server of its own, without the setting.
    @Test func itIsNotSpokenUnlessAsked() async throws {
        let server = try await RunningServer()
        let text = try await Self.curl("/health/live", at: server, ["--http2-prior-knowledge"])
        #expect(!text.contains(Self.alive))
        let connection = try await server.connect()
        let request = HTTP2Line.request("GET", "/health/live", stream: 1)
        try await connection.write(HTTP2Line.opening + "\n" + request + "\n")
        #expect(try await connection.readAnswer().status == 400)
        #expect(await connection.isEnded())
    }

    @Test func theBeginningMayComeInPieces() async throws {
        let server = try await Self.shared.value
        let http2 = HTTP2Line.opening + "\n" + HTTP2Line.request("GET", "/health/live", stream: 1) + "\n"
        for (text, pieces) in [(http2, 30), ("PRIVATE / HTTP/1.1\r\n", 4), ("PUT /api/tokens HTTP/1.1\r\n", 5)] {
            let connection = try await server.connect()
            for byte in text.utf8.prefix(pieces) { try await connection.write([byte]) }
            // A later request is answered, so the server has received these bytes.
            #expect(try await server.send("GET", "/health/live").status == 200)
            try await connection.write(Array(text.utf8.dropFirst(pieces)))
            if text == http2 {
                _ = try await connection.read(until: Self.alive)
            } else {
                try await connection.write("Host: a\r\nContent-Length: 0\r\n\r\n")
                let status = try await connection.readAnswer().status
                #expect(status >= 400 && status < 500)
            }
        }
    }

    @Test(arguments: ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "GET", "POST"])
    func whoEndsBeforeItIsClearIsLetGo(text: String) async throws {
        let server = try await Self.shared.value
        let connection = try await server.connect()
        try await connection.write(text)
        connection.finishWriting()
        #expect(await connection.isEnded())
        #expect(server.isRunning)
    }

    /// Texts that only begin like the preface.
    @Test(arguments: [
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRI * HTTP/1.1\r\nHost: a\r\n\r\n",
        "pri * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    func anotherBeginningIsRefused(text: String) async throws {
        let connection = try await Self.shared.value.connect()
        try await connection.write(text)
        let status = try await connection.readAnswer().status
        #expect(status >= 400 && status < 500)
    }

    /// However many streams a connection opens, it has one turn in a round.
    @Test func allOfManyStreamsAreAnswered() async throws {
        let server = try await Self.shared.value
        let body = try await server.send("GET", "/.well-known/oauth-authorization-server").body
        let issuer = String(try #require(body.firstMatch(of: /"issuer":"[^"]*"/)?.0))
        for (path, part) in [("/health/live", Self.alive), ("/.well-known/oauth-authorization-server", issuer)] {
            let connection = try await server.connect()
            let streams = stride(from: UInt8(1), through: 127, by: 2)
            let requests = streams.map { HTTP2Line.head("GET", path, stream: $0) }
            try await connection.write(HTTP2Line.opening + "\n" + requests.joined())
            for _ in streams { _ = try await connection.read(until: part) }
        }
    }

    @Test(arguments: [["--data-binary", "@-"], ["-X", "POST", "-T", "-"]])
    func aBodyThatIsTooLargeIsRefused(options: [String]) async throws {
        let server = try await Self.shared.value
        for path in ["/api/users", "/api/token", "/nothing"] {
            let answer = try await SecureServer.run(
                "curl",
                ["-sS", "-i", "--http2-prior-knowledge", "-H", "Expect:", "http://127.0.0.1:\(server.port)\(path)"]
                    + options,
                in: server.directory, input: String(repeating: " ", count: 200_000))
            #expect(answer.hasPrefix("HTTP/2 413"), "\(answer.prefix(200))")
            #expect(answer.contains("content_too_large"))
            // HSTS is only sent over TLS.
            #expect(!answer.lowercased().contains("strict-transport-security"))
        }
    }

    /// HTTP/2 needs no field for the length of a body, or for its presence.
    @Test(arguments: ["--http2-prior-knowledge", "--http1.1"])
    func aBodyWhoseLengthNobodyAnnouncedIsRead(version: String) async throws {
        let server = try await Self.shared.value
        let answer = try await SecureServer.run(
            "curl",
            [
                "-sS", "-i", version, "-H", "Content-Type: application/json", "-X", "POST", "-T", "-",
                "http://127.0.0.1:\(server.port)/api/users",
            ], in: server.directory, input: Self.member(RunningServer.newName()))
        #expect(answer.contains(" 201"), "\(answer)")
    }

    /// The client's side of an HTTP/2 stream ends with every request; the client is still there.
    @Test func streamsThatWaitForTheirTurnAreAnswered() async throws {
        let server = try await Self.shared.value
        let nobody = basic("nobody", "python").replacing("Authorization: ", with: "")
        let requests = stride(from: UInt8(1), through: 11, by: 2).map {
            HTTP2Line.head("GET", "/api/token", stream: $0, fields: [("authorization", nobody)])
        }
        let connection = try await server.connect()
        try await connection.write(HTTP2Line.opening + "\n" + requests.joined())
        for _ in requests { _ = try await connection.read(until: #""code":"invalid_credentials""#) }
    }

    /// An incomplete request changes nothing.
    @Test(arguments: ["reset", "leave"])
    func aStreamThatEndsBeforeItsBodyRegistersNobody(end: String) async throws {
        let server = try await Self.shared.value
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/half_stream.py").path
        for _ in 0..<5 {
            let miguel = Self.member(RunningServer.newName())
            let output = try await SecureServer.run(
                "python3", [script, "\(server.port)", end, miguel, "clear"], in: server.directory)
            #expect(output == "done\n")
            let answer = try await Self.curl("/api/users", at: server, ["--http2-prior-knowledge", "-d", miguel])
            #expect(answer.hasPrefix("HTTP/2 201"))
        }
    }

    /// Reads the whole log. Hashing is so expensive that most streams still wait when their client
    /// disconnects.
    @Test func streamsThatAreTakenBackLeaveTheQueue() async throws {
        let server = try await RunningServer(
            Self.setting + [
                "--password-passes", "64", "--throttle", "no", "--hashing-threads", "1", "--hashing-patience", "600",
            ])
        let nobody = basic("nobody", "python").replacing("Authorization: ", with: "")
        let requests = stride(from: UInt8(1), through: 39, by: 2).map {
            HTTP2Line.head("GET", "/api/token", stream: $0, fields: [("authorization", nobody)])
        }
        do {
            let connection = try await server.connect()
            let last = HTTP2Line.head("GET", "/health/live", stream: 41)
            try await connection.write(HTTP2Line.opening + "\n" + requests.joined() + last)
            // The answer comes after the turns of the others.
            _ = try await connection.read(until: Self.alive)
        }
        // This request waits behind all of them, so when it is answered they are over.
        #expect(try await server.send("GET", "/api/token", headers: ["Authorization: \(nobody)"]).status == 401)
        #expect(try await server.stop() == 0)
        #expect(server.log.components(separatedBy: "route=/api/token ").count == 22)
        #expect(server.log.components(separatedBy: "status=503").count > 10)
    }

    /// Servers of their own: an idle connection ends soon, a slow request hardly ever.
    @Suite struct Idle {
        private static let shared = Task {
            try await RunningServer(setting + ["--idle-timeout", "1", "--request-timeout", "3600"])
        }

        /// Whether the server ends a connection whose client sends `lines`, and then `line`
        /// repeatedly, or nothing more.
        private func isEnded(after lines: String, dripping line: String? = nil) async throws -> Bool {
            let connection = try await Self.shared.value.connect()
            try await connection.write(lines)
            guard let line else { return await connection.isEnded() }
            return try await connection.dripping(line) { await $0.isEnded() }
        }

        @Test(arguments: ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", HTTP2Line.opening + "\n"])
        func whoSaysNothingMoreIsCutOff(beginning: String) async throws {
            #expect(try await isEnded(after: beginning))
        }

        /// HTTP/1 on the same port has the limits that it has alone.
        @Test(arguments: ["GET", "GET / HTTP/1.1\r\n", "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"])
        func whoSpeaksHTTP1IsCutOffAsEver(beginning: String) async throws {
            #expect(try await isEnded(after: beginning))
            // Never silent for long enough, and never at the end of a head.
            if beginning.hasSuffix("1.1\r\n") {
                #expect(try await isEnded(after: beginning, dripping: "X-A: b\r\n"))
            }
        }

        @Test(arguments: [HTTP2Line.ping, HTTP2Line.windowUpdate])
        func whoOnlyDripsFramesIsCutOff(frame: String) async throws {
            #expect(try await isEnded(after: HTTP2Line.opening + "\n", dripping: frame + "\n"))
        }

        @Test(arguments: [nil, HTTP2Line.continuation + "\n"])
        func whoStopsInTheFieldsIsCutOff(drip: String?) async throws {
            #expect(
                try await isEnded(after: HTTP2Line.opening + "\n" + HTTP2Line.halfRequest + "\n", dripping: drip))
        }

        @Test(arguments: [nil, HTTP2Line.ping + "\n"])
        func whoSaysNothingAfterARequestIsCutOff(drip: String?) async throws {
            let request = HTTP2Line.request("GET", "/health/live", stream: 1)
            #expect(try await isEnded(after: HTTP2Line.opening + "\n" + request + "\n", dripping: drip))
        }

        /// Servers with room for one connection: a request that never ends, or one whose answer is
        /// never read.
        @Test(arguments: [
            HTTP2Line.opening + "\n" + HTTP2Line.request("POST", "/api/users", stream: 1, isWhole: false) + "\n",
            HTTP2Line.openingWithoutWindow + "\n" + HTTP2Line.request("GET", "/health/live", stream: 1) + "\n",
            HTTP2Line.openingWithoutWindow + "\n" + HTTP2Line.request("GET", "/nothing", stream: 1) + "\n",
        ])
        func whoIsFrozenInARequestKeepsNobodyOut(lines: String) async throws {
            let server = try await RunningServer(
                setting + ["--idle-timeout", "1", "--request-timeout", "1", "--max-connections", "1"])
            let connection = try await server.connect()
            try await connection.write(lines)
            let answer = try await curl("/health/live", at: server, ["--http2-prior-knowledge", "--retry", "9"])
            #expect(answer.contains(" 200"))
            #expect(await connection.isEnded())
        }
    }

    /// Each test stops a server of its own, whose settings let every connection stay for an hour.
    @Suite struct Stopping {
        private let patient = setting + ["--idle-timeout", "3600", "--request-timeout", "3600"]

        @Test func connectionsWithoutARequestAreClosedAtOnce() async throws {
            let server = try await RunningServer(patient + ["--shutdown-timeout", "3600"])
            var connections: [HTTPConnection] = []
            let request = HTTP2Line.request("GET", "/health/live", stream: 1) + "\n"
            for beginning in ["", "PRI * HTTP", HTTP2Line.opening + "\n", HTTP2Line.opening + "\n" + request] {
                let connection = try await server.connect()
                try await connection.write(beginning)
                if beginning.hasSuffix(request) { _ = try await connection.read(until: alive) }
                connections.append(connection)
            }
            #expect(try await server.stop() == 0)
            for connection in connections { #expect(await connection.isEnded()) }
        }

        @Test func aRequestInFlightIsCutOffWhenTheTimeIsOver() async throws {
            let server = try await RunningServer(patient + ["--shutdown-timeout", "1"])
            let connection = try await server.connect()
            try await connection.write(
                HTTP2Line.opening + "\n" + HTTP2Line.request("POST", "/api/users", stream: 1, isWhole: false) + "\n"
                    + HTTP2Line.request("GET", "/health/live", stream: 3) + "\n")
            _ = try await connection.read(until: alive)
            #expect(try await server.stop() == 0)
            #expect(await connection.isEnded())
        }
    }

    @Test func withTLSItIsRefusedAtStart() async throws {
        let server = try await SecureServer.shared.value
        let files = ["certificate", "key"].map { "\(server.directory.path)/process-\($0).pem" }
        let outcome = try await runCommand(
            ["config", "check", "--http2-cleartext", "yes", "--tls-certificate", files[0], "--tls-key", files[1]],
            directory: TemporaryDirectory())
        #expect(outcome.status != 0)
        #expect(outcome.error.contains("--http2-cleartext"))
        #expect(outcome.error.contains("take it out"))
    }
}
