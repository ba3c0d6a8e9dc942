import Foundation
import Support
import Testing

/// Someone opens connections and sends slowly, or reads slowly, to keep everyone else out.
@Suite(.server("--request-timeout", "1", "--idle-timeout", "1")) struct SlowClients {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test(arguments: [
        "", "G", "GET /health/live HTTP/1.1", "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n", "\r\n\r\n",
    ])
    func whoStopsInTheHeadIsCutOff(head: String) throws {
        let connection = try server.connect()
        try connection.write(head)
        #expect(connection.isEnded())
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nX-Drip: ", "a"), ("GET / HTTP/1.1\r\n", "X: a\r\n"), ("GET /", "a"), ("", "\r\n"),
    ])
    func whoDripsAHeadIsCutOff(head: String, drop: String) async throws {
        let connection = try server.connect()
        try await connection.dripping(drop, after: head) { #expect($0.isEnded()) }
    }

    @Test(arguments: [
        "Content-Length: 31\r\n\r\n{\"username\":", "Content-Length: 31\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1f\r\n{\"username\":",
        "Transfer-Encoding: chunked\r\n\r\n1f",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Trailer",
        "Content-Length: 31\r\nExpect: 100-continue\r\n\r\n",
    ])
    func whoStopsInTheBodyIsToldAndCutOff(rest: String) throws {
        let connection = try server.connect()
        try connection.write("POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\(rest)")
        try expectTimeout(on: connection) { connection.finishWriting() }
    }

    @Test(arguments: [
        ("Content-Length: 60000\r\n\r\n", " "), ("Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n1;", "a"),
    ])
    func whoDripsABodyIsToldAndCutOff(rest: String, drop: String) async throws {
        let connection = try server.connect()
        try await connection.dripping(drop, after: "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\(rest)") {
            try expectTimeout(on: $0)
        }
    }

    /// The answer is there, the body behind it never ends.
    @Test(arguments: ["/nothing", "/health/live", "/api/token"])
    func whoDripsABodyThatNobodyReadsIsCutOff(path: String) async throws {
        let connection = try server.connect()
        try await connection.dripping(
            " ", after: "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n"
        ) {
            let status = try $0.readAnswer().status
            #expect((400..<500).contains(status))
            #expect($0.isEnded())
        }
    }

    @Test func whoDripsAfterTheEndIsCutOff() async throws {
        for request in [
            "garbage\r\n\r\n", "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n",
        ] {
            let connection = try server.connect()
            try await connection.dripping("a", after: request) {
                let status = try $0.readAnswer().status
                #expect([400, 413].contains(status))
                #expect($0.isEnded())
            }
        }
    }

    @Test func anIdleConnectionIsClosed() throws {
        let connection = try server.connect()
        for _ in 0..<3 { #expect(try connection.send("GET", "/health/live").status == 200) }
        #expect(connection.isEnded())
    }

    @Test func anIdleConnectionWithHalfARequestIsClosed() throws {
        let connection = try server.connect()
        #expect(try connection.send("GET", "/health/live").status == 200)
        try connection.write("GET /health/live HTTP/1.1\r\nHost")
        #expect(connection.isEnded())
    }

    @Test func twoHundredHalfRequestsKeepNobodyOut() async throws {
        let halves = try (0..<200).map { number in
            let connection = try server.connect()
            try connection.write(
                number.isMultiple(of: 2)
                    ? "GET /health/live HTTP/1.1\r\nHost"
                    : "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 31\r\n\r\n{")
            return connection
        }
        #expect(try server.send("GET", "/health/live").status == 200)
        #expect(try server.send("GET", "/api/resource", headers: [basic("nobody", "python")]).status == 401)
        for connection in halves { #expect(connection.isEnded()) }
    }

    /// The server must not keep what it cannot get rid of, nor wait for ever to get rid of it.
    @Test func whoNeverReadsIsCutOff() async throws {
        let server = try await RunningServer(["--request-timeout", "1", "--idle-timeout", "1"])
        let connection = try server.connect()
        for _ in 0..<10 { #expect(try connection.send("GET", "/health/live").status == 200) }
        let sockets = try server.openSockets()
        connection.setTimeout(seconds: 1)
        // More than fits into both sockets' buffers: the writing ends when the server, too, has
        // stopped reading.
        try connection.write(String(repeating: "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", count: 200_000))
        #expect(try server.send("GET", "/health/live").status == 200)
        try await wait(seconds: 10, for: "the server to give up") { try server.openSockets() < sockets }
        withExtendedLifetime(connection) {}
    }

    private func expectTimeout(on connection: HTTPConnection, then end: () -> Void = {}) throws {
        let answer = try connection.readAnswer()
        #expect(answer.status == 408)
        #expect(answer.code == "request_timeout")
        #expect(answer["Connection"] == "close")
        end()
        #expect(connection.isEnded())
    }
}

extension HTTPConnection {
    /// Sends `drop` again and again, with a short pause, as long as `body` runs.
    fileprivate func dripping(_ drop: String, after head: String, while body: (HTTPConnection) throws -> Void)
        async throws
    {
        try write(head)
        // One task writes and the other reads, which a socket allows at once.
        nonisolated(unsafe) let connection = self
        let dripper = Task.detached {
            while !Task.isCancelled {
                try connection.write(drop)
                // The attack itself: a client that is never silent for long enough.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        let outcome = Result { try body(self) }
        dripper.cancel()
        _ = await dripper.result
        try outcome.get()
    }
}

extension RunningServer {
    /// How many sockets the process holds.
    fileprivate func openSockets() throws -> Int {
        let files = "/proc/\(processID)/fd"
        return try FileManager.default.contentsOfDirectory(atPath: files).count { name in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(files)/\(name)"))?.hasPrefix("socket:")
                == true
        }
    }
}
