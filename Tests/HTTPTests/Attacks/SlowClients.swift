import Foundation
import Support
import Testing

/// Attacks that open connections and send or read slowly, to keep others out.
@Suite(.server("--request-timeout", "1", "--idle-timeout", "1")) struct SlowClients {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test(arguments: [
        "", "G", "GET /health/live HTTP/1.1", "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n", "\r\n\r\n",
    ])
    func whoStopsInTheHeadIsCutOff(head: String) async throws {
        let connection = try await server.connect()
        try await connection.write(head)
        #expect(await connection.isEnded())
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nX-Drip: ", "a"), ("GET / HTTP/1.1\r\n", "X: a\r\n"), ("GET /", "a"), ("", "\r\n"),
    ])
    func whoDripsAHeadIsCutOff(head: String, drop: String) async throws {
        let connection = try await server.connect()
        try await connection.write(head)
        try await connection.dripping(drop) { #expect(await $0.isEnded()) }
    }

    @Test(arguments: [
        "Content-Length: 31\r\n\r\n{\"username\":", "Content-Length: 31\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1f\r\n{\"username\":",
        "Transfer-Encoding: chunked\r\n\r\n1f",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Trailer",
        "Content-Length: 31\r\nExpect: 100-continue\r\n\r\n",
    ])
    func whoStopsInTheBodyIsToldAndCutOff(rest: String) async throws {
        let connection = try await open(sending: "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\(rest)")
        try await expectTimeout(on: connection) { connection.finishWriting() }
    }

    @Test(arguments: [
        ("Content-Length: 60000\r\n\r\n", " "), ("Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n1;", "a"),
    ])
    func whoDripsABodyIsToldAndCutOff(rest: String, drop: String) async throws {
        let connection = try await open(sending: "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\(rest)")
        try await connection.dripping(drop) { try await expectTimeout(on: $0) }
    }

    /// The answer has arrived, and the body of the request never ends.
    @Test(arguments: ["/nothing", "/health/live", "/api/token"])
    func whoDripsABodyThatNobodyReadsIsCutOff(path: String) async throws {
        let connection = try await open(
            sending: "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n")
        try await connection.dripping(" ") {
            let status = try await $0.readAnswer().status
            #expect((400..<500).contains(status))
            #expect(await $0.isEnded())
        }
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n",
    ])
    func whoDripsAfterTheEndIsCutOff(request: String) async throws {
        try await open(sending: request).dripping("a") {
            let status = try await $0.readAnswer().status
            #expect([400, 413].contains(status))
            #expect(await $0.isEnded())
        }
    }

    @Test func anIdleConnectionIsClosed() async throws {
        let connection = try await open { connection async throws in
            for _ in 0..<3 { #expect(try await connection.send("GET", "/health/live").status == 200) }
        }
        #expect(await connection.isEnded())
    }

    @Test func anIdleConnectionWithHalfARequestIsClosed() async throws {
        let connection = try await open { connection in
            #expect(try await connection.send("GET", "/health/live").status == 200)
            try await connection.write("GET /health/live HTTP/1.1\r\nHost")
        }
        #expect(await connection.isEnded())
    }

    @Test func twoHundredHalfRequestsKeepNobodyOut() async throws {
        var halves: [HTTPConnection] = []
        for number in 0..<200 {
            let connection = try await server.connect()
            try await connection.write(
                number.isMultiple(of: 2)
                    ? "GET /health/live HTTP/1.1\r\nHost"
                    : "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 31\r\n\r\n{")
            halves.append(connection)
        }
        for (path, status) in [("/health/live", 200), ("/api/resource", 401)] {
            let other = try await open(
                sending: "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(basic("nobody", "python"))\r\n\r\n")
            #expect(try await other.readAnswer().status == status)
        }
        for connection in halves { #expect(await connection.isEnded()) }
    }

    /// The server must not keep answers that it cannot send, nor wait for ever to send them.
    ///
    /// On a server of its own, where no connection ends because it is idle.
    @Test func whoNeverReadsIsCutOff() async throws {
        let server = try await RunningServer(["--request-timeout", "1", "--idle-timeout", "600"])
        let others = try server.sockets()
        let connection = try await open(to: server) { connection async throws in
            for _ in 0..<10 { #expect(try await connection.send("GET", "/health/live").status == 200) }
        }
        let own = try server.sockets().subtracting(others)
        #expect(!own.isEmpty)
        // More than the buffers of both sockets hold: the server has to stop reading, too.
        let flood = String(repeating: "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", count: 200_000)
        nonisolated(unsafe) let writer = connection
        let writing = Task { try await writer.write(flood) }
        defer { writing.cancel() }
        try await wait(for: "the server to give up") {
            let other = try await open(to: server, sending: "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            #expect(try await other.readAnswer().status == 200)
            return try own.isDisjoint(with: server.sockets())
        }
        try await writing.value
    }

    // MARK: -

    private func expectTimeout(on connection: HTTPConnection, then end: () -> Void = {}) async throws {
        let answer = try await connection.readAnswer()
        #expect(answer.status == 408)
        #expect(answer.code == "request_timeout")
        #expect(answer["Connection"] == "close")
        end()
        #expect(await connection.isEnded())
    }

    /// A connection on which this was sent in time.
    private func open(to server: RunningServer? = nil, sending text: String) async throws -> HTTPConnection {
        try await open(to: server) { try await $0.write(text) }
    }

    /// A connection on which `work` was done within the server's timeout of a second; made again
    /// when the machine was too slow.
    private func open(
        to server: RunningServer? = nil, doing work: (HTTPConnection) async throws -> Void
    ) async throws -> HTTPConnection {
        var inTime: HTTPConnection?
        try await wait(for: "a client that is fast enough") {
            let start = ContinuousClock.now
            var isInTime: Bool { ContinuousClock.now - start < .seconds(1) }
            let connection = try await (server ?? self.server).connect()
            do {
                try await work(connection)
            } catch {
                guard !isInTime else { throw error }
            }
            if isInTime { inTime = connection }
            return inTime != nil
        }
        return try #require(inTime)
    }
}

extension RunningServer {
    /// The sockets that the process has open, by the system's numbers, which are not reused.
    fileprivate func sockets() throws -> Set<String> {
        let directory = "/proc/\(processID)/fd"
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        return Set(
            names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\($0)") }
        )
        .filter { $0.hasPrefix("socket:") }
    }
}
