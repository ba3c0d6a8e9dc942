import Foundation
import Support
import Testing

/// Connections without a request: they end by themselves, keep no client out, and do not delay a
/// stop.
@Suite struct ConnectionTests {
    /// The first bytes of a TLS connection, up to different points: the header of a record, and
    /// half a ClientHello.
    static let beginnings = [
        "", "\u{16}", "\u{16}\u{3}\u{1}\u{2}\0", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7C}\u{3}\u{3}abcdefgh",
    ]

    /// Servers of their own: an idle connection ends soon, a slow request hardly ever.
    @Suite struct Idle {
        static let shared = Task { try await SecureServer("--idle-timeout", "1", "--request-timeout", "3600") }

        @Test(arguments: beginnings)
        func whoStopsBeforeTheHandshakeIsOverIsCutOff(bytes: String) async throws {
            let connection = try await Self.shared.value.connect()
            try await connection.write(bytes)
            #expect(await connection.isEnded())
        }

        @Test(arguments: beginnings)
        func whoDripsTheHandshakeIsCutOff(bytes: String) async throws {
            let connection = try await Self.shared.value.connect()
            try await connection.write(bytes)
            try await connection.dripping("\0") { #expect(await $0.isEnded()) }
        }

        @Test(arguments: ["h2", "http/1.1"])
        func whoSaysNothingAfterTheHandshakeIsCutOff(application: String) async throws {
            let client = try await SecureClient(to: Self.shared.value, speaking: application)
            #expect(try await client.isEnded())
        }

        @Test(arguments: ["GET / HTTP/1.1\r", "GET /", ""])
        func whoDripsAHeadIsCutOff(line: String) async throws {
            let client = try await SecureClient(to: Self.shared.value)
            client.send(line)
            try await client.drip("X: a\r")
        }

        @Test func aConnectionOfHTTP2WithoutAStreamIsClosed() async throws {
            let client = try await SecureClient(to: Self.shared.value, speaking: "h2")
            client.send(HTTP2Line.opening)
            #expect(try await client.isEnded())
        }

        @Test(arguments: [HTTP2Line.ping, HTTP2Line.windowUpdate])
        func aConnectionOfHTTP2ThatOnlyDripsFramesIsClosed(frame: String) async throws {
            let client = try await SecureClient(to: Self.shared.value, speaking: "h2")
            client.send(HTTP2Line.opening)
            try await client.drip(frame)
        }

        @Test func whoStopsInTheFieldsOfHTTP2IsCutOff() async throws {
            let client = try await SecureClient(to: Self.shared.value, speaking: "h2")
            client.send(HTTP2Line.opening + "\n" + HTTP2Line.halfRequest)
            #expect(try await client.isEnded())
        }

        @Test func whoDripsTheFieldsOfHTTP2IsCutOff() async throws {
            let client = try await SecureClient(to: Self.shared.value, speaking: "h2")
            client.send(HTTP2Line.opening + "\n" + HTTP2Line.halfRequest)
            try await client.drip(HTTP2Line.continuation)
        }

        /// Opens another connection when the machine was so slow that the second was over before
        /// the request arrived.
        private func open(_ application: String, sending line: String) async throws -> SecureClient {
            var open: SecureClient?
            try await wait(for: "a client that is fast enough") {
                let client = try await SecureClient(to: Self.shared.value, speaking: application)
                client.send(line)
                try await wait(for: "the answer or the end") { !client.isOpen || client.hasRead(answer) }
                if client.isOpen { open = client }
                return open != nil
            }
            return try #require(open)
        }

        private let answer = #"{"status":"ok"}"#
        private let requests = [
            "h2": HTTP2Line.opening + "\n" + HTTP2Line.request("GET", "/health/live", stream: 1),
            "http/1.1": "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r",
        ]

        @Test(arguments: ["h2", "http/1.1"])
        func whoSaysNothingAfterARequestIsCutOff(application: String) async throws {
            let client = try await open(application, sending: requests[application] ?? "")
            #expect(try await client.isEnded())
        }

        @Test func aConnectionOfHTTP2ThatDripsPingsAfterARequestIsClosed() async throws {
            let client = try await open("h2", sending: requests["h2"] ?? "")
            try await client.drip(HTTP2Line.ping)
        }

        /// The server waits for nothing that the client owes it: no acknowledgement, no closing
        /// alert.
        @Test(arguments: ["h2", "http/1.1"])
        func whoIsFrozenAfterARequestIsCutOff(application: String) async throws {
            let server = try await SecureServer("--idle-timeout", "1", "--max-connections", "1")
            let client = try SecureClient(to: server, speaking: application)
            client.send(requests[application] ?? "")
            try await wait(for: "the answer or the end") { !client.isOpen || client.hasRead(answer) }
            client.freeze()
            // The only connection that there is room for.
            #expect(try await server.curl("/health/live", "--retry", "9").contains(" 200"))
        }

        /// A request that never ends, or one whose answer is never read.
        @Test(arguments: [
            (
                "h2",
                HTTP2Line.opening + "\n" + HTTP2Line.request("POST", "/api/users", stream: 1, isWhole: false) + "\n"
                    + HTTP2Line.request("GET", "/health/live", stream: 3)
            ),
            ("h2", HTTP2Line.openingWithoutWindow + "\n" + HTTP2Line.request("GET", "/health/live", stream: 1)),
            ("h2", HTTP2Line.openingWithoutWindow + "\n" + HTTP2Line.request("GET", "/nothing", stream: 1)),
            (
                "http/1.1",
                "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    + "POST /api/users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r"
            ),
            ("http/1.1", "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r"),
        ])
        func whoIsFrozenInARequestIsCutOff(application: String, lines: String) async throws {
            let server = try await SecureServer(
                "--idle-timeout", "1", "--request-timeout", "1", "--max-connections", "1")
            let client = try SecureClient(to: server, speaking: application)
            client.send(lines)
            try await wait(for: "the first answer or the end") {
                !client.isOpen || server.log.contains("request method=")
            }
            client.freeze()
            #expect(try await server.curl("/health/live", "--retry", "9").contains(" 200"))
        }

        /// The same without TLS.
        @Test(arguments: [["--idle-timeout", "1", "--request-timeout", "3600"], ["--request-timeout", "1"]])
        func silenceInTheClearEnds(arguments: [String]) async throws {
            let server = try await RunningServer(arguments)
            let connection = try await server.connect()
            #expect(await connection.isEnded())
        }

        /// The idle timeout ends with the head of a request: the rest may take as long as it is
        /// allowed to.
        @Test func aRequestInFlightIsNotIdle() async throws {
            let server = try await RunningServer(["--idle-timeout", "1", "--request-timeout", "3600"])
            let (connection, silent) = (try await server.connect(), try await server.connect())
            try await connection.write(
                "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n")
            // Opened later than the request, and idle for a second.
            #expect(await silent.isEnded())
            try await connection.write("{}")
            #expect(try await connection.readAnswer().status == 400)
        }
    }

    /// Servers of their own, with room for few connections.
    @Test(arguments: beginnings)
    func whoSaysNothingKeepsNobodyOut(bytes: String) async throws {
        let server = try await SecureServer("--max-connections", "20", "--idle-timeout", "2")
        var silent: [HTTPConnection] = []
        for _ in 0..<40 {
            let connection = try await server.connect()
            try await connection.write(bytes)
            silent.append(connection)
        }
        #expect(try await server.curl("/health/live").contains(" 200"))
        for connection in silent { #expect(await connection.isEnded()) }
    }

    /// Each test stops a server of its own, whose settings let every connection stay for an hour.
    @Suite struct Stopping {
        private let patient = ["--idle-timeout", "3600", "--request-timeout", "3600"]

        @Test func connectionsWithoutARequestAreClosedAtOnce() async throws {
            let server = try await SecureServer(patient + ["--shutdown-timeout", "3600"])
            var silent: [HTTPConnection] = []
            for bytes in beginnings {
                let connection = try await server.connect()
                try await connection.write(bytes)
                silent.append(connection)
            }
            let clients = try ["h2", "http/1.1"].map { try SecureClient(to: server, speaking: $0) }
            clients[0].send(HTTP2Line.opening + "\n" + HTTP2Line.request("GET", "/health/live", stream: 1))
            clients[1].send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r")
            for client in clients { try await client.read(until: #"{"status":"ok"}"#) }
            let streamless = try SecureClient(to: server, speaking: "h2")
            streamless.send(HTTP2Line.opening)
            // Sends no closing alert.
            clients[1].freeze()
            #expect(try await server.stop() == 0)
            for connection in silent { #expect(await connection.isEnded()) }
            #expect(try await clients[0].isEnded())
            #expect(try await streamless.isEnded())
        }

        @Test(arguments: ["h2", "http/1.1"])
        func aRequestInFlightIsCutOffWhenTheTimeIsOver(application: String) async throws {
            let server = try await SecureServer(patient + ["--shutdown-timeout", "1"])
            let client = try SecureClient(to: server, speaking: application)
            if application == "h2" {
                client.send(
                    HTTP2Line.opening + "\n" + HTTP2Line.request("POST", "/api/users", stream: 1, isWhole: false)
                        + "\n" + HTTP2Line.request("GET", "/health/live", stream: 3))
                try await client.read(until: #"{"status":"ok"}"#)
            } else {
                client.send(
                    "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
                        + "Expect: 100-continue\r\n\r")
                try await client.read(until: "HTTP/1.1 100 ")
            }
            client.freeze()
            #expect(try await server.stop() == 0)
        }

        @Test func aRequestInFlightInTheClearIsCutOffWhenTheTimeIsOver() async throws {
            let server = try await RunningServer(patient + ["--shutdown-timeout", "1"])
            let connection = try await server.connect()
            try await connection.write(
                "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
                    + "Expect: 100-continue\r\n\r\n")
            _ = try await connection.read(until: "HTTP/1.1 100 ")
            #expect(try await server.stop() == 0)
            #expect(await connection.isEnded())
        }

        @Test func theLastAnswerSaysThatItIsTheLast() async throws {
            let server = try await RunningServer(patient + ["--shutdown-timeout", "3600"])
            let connection = try await server.connect()
            let body = #"{"username":"miguel","password":"python"}"#
            try await connection.write(
                "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n")
            _ = try await connection.read(until: "HTTP/1.1 100 Continue\r\n\r\n")
            async let status = server.stop()
            try await wait(for: "the port to close") { (try? await server.connect()) == nil }
            try await connection.write(body)
            let answer = try await connection.readAnswer()
            #expect(answer.status == 201)
            #expect(answer["Connection"] == "close")
            #expect(await connection.isEnded())
            #expect(try await status == 0)
        }

        /// A log that is not read any more blocks the thread that writes it.
        @Test func whatWaitsForTheLogIsNotWaitedFor() async throws {
            let directory = try TemporaryDirectory()
            let port = try FreePort.next()
            let command = #"mkfifo log && exec "$0" "$@" 2<>log"#
            let server = try ExternalProcess(
                ExternalProcess.program("sh"),
                ["-c", command, ExternalProcess.restAuth.path, "serve", "--port", "\(port)"]
                    + ["--database", "sqlite:rest-auth.sqlite", "--shutdown-timeout", "1"], directory: directory)
            try await server.answers(on: port, path: "/health/live")
            let connection = try await HTTPConnection(port: port)
            // More lines than a pipe holds.
            for _ in 0..<2000 { #expect(try await connection.send("GET", "/health/live").status == 200) }
            server.send(SIGTERM)
            #expect(try await server.exitStatus() == 0)
        }

        /// Uses a database that is reached over the network and has gone silent, so that answers
        /// wait for it.
        @Test func whatWaitsForTheDatabaseIsNotWaitedFor() async throws {
            let database = try await PostgresServer.shared()
            let proxy = try DatabaseProxy(to: database)
            defer { proxy.end() }
            let url = try await database.makeDatabase()
            let name = try #require(url.split(separator: "?").first?.split(separator: "/").last)
            let server = try await RunningServer(
                patient + ["--shutdown-timeout", "1", "--database-timeout", "60"],
                directory: TemporaryDirectory(database: proxy.url(String(name))))
            let miguel = try await server.newAccount()
            proxy.stall()
            let connection = try await server.connect()
            try await connection.write("GET /api/token HTTP/1.1\r\nHost: a\r\n\(miguel.basic)\r\n\r\n")
            // Sent later than the request, and answered at once.
            #expect(try await server.send("GET", "/health/live").status == 200)
            #expect(try await server.stop() == 0)
            #expect(await connection.isEnded())
        }
    }

    /// TLS 1.3, and TLS 1.2 with only the cipher suites that have forward secrecy and authenticated
    /// encryption.
    @Suite struct Ciphers {
        static let rsa = Task { try await SecureServer([], key: ["-newkey", "rsa:2048"]) }

        private func negotiate(_ options: String..., with server: SecureServer) async throws -> String {
            try await SecureServer.run(
                "openssl", ["s_client", "-connect", "127.0.0.1:\(server.port)"] + options, in: server.directory)
        }

        @Test(arguments: [
            "AES128-SHA", "AES256-SHA", "AES128-SHA256", "AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
            "DES-CBC3-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256",
            "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256",
        ])
        func whatIsWeakIsRefused(cipher: String) async throws {
            let text = try await negotiate("-tls1_2", "-cipher", "\(cipher):@SECLEVEL=0", with: Self.rsa.value)
            #expect(text.contains("Cipher is (NONE)") || text.contains("no cipher match"), "\(text)")
        }

        @Test(arguments: [
            "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
        ])
        func whatIsStrongIsSpoken(cipher: String) async throws {
            let text = try await negotiate("-tls1_2", "-cipher", cipher, with: Self.rsa.value)
            #expect(text.contains("Cipher is \(cipher)"), "\(text)")
        }

        @Test(arguments: ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA384"])
        func whatIsWeakIsRefusedWithTheOtherKindOfKey(cipher: String) async throws {
            let server = try await SecureServer.shared.value
            let text = try await negotiate("-tls1_2", "-cipher", "\(cipher):@SECLEVEL=0", with: server)
            #expect(text.contains("Cipher is (NONE)"), "\(text)")
        }

        @Test(arguments: [true, false]) func theNewestVersionIsSpoken(isRSA: Bool) async throws {
            let server = try await isRSA ? Self.rsa.value : SecureServer.shared.value
            #expect(try await negotiate("-tls1_3", with: server).contains("New, TLSv1.3, Cipher is TLS_"))
        }

        @Test(arguments: ["-tls1", "-tls1_1"]) func olderVersionsAreRefused(version: String) async throws {
            let text = try await negotiate(version, "-cipher", "ALL:@SECLEVEL=0", with: Self.rsa.value)
            #expect(text.contains("Cipher is (NONE)"), "\(text)")
        }
    }
}
