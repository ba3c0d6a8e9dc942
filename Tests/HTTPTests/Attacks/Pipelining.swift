import Foundation
import Support
import Testing

/// Attacks that send many requests at once on a few connections, to keep all others waiting.
///
/// Each test has its own server, because it depends on what else waits there. They run one after
/// the other, because each takes the whole machine.
@Suite(.serialized) struct Pipelining {
    /// A number of connections above that of cores.
    private static let connections = 2 * ProcessInfo.processInfo.activeProcessorCount + 2
    private static let requests = 1000

    private static func get(_ path: String, _ fields: [String] = []) -> String {
        (["GET \(path) HTTP/1.1", "Host: a"] + fields + ["", ""]).joined(separator: "\r\n")
    }

    /// Every connection gets a turn, whatever the others have sent. The order of the log shows it,
    /// for requests that all arrived before the server ran.
    @Test(arguments: [
        "/nothing", "/api/users/999999999", "/api/revocations", "/api/token", "/api/resource", "/api/verify",
    ])
    func whoSendsOneRequestDoesNotWaitForAllOfTheOthers(path: String) async throws {
        let server = try await RunningServer(["--throttle", "no", "--hashing-patience", "600"])
        let miguel = try await server.newAccount()
        let authorization = bearer(try await server.token(miguel))
        // From here on the token is remembered, and answered before the router.
        #expect(try await server.send("GET", "/api/verify", headers: [authorization]).status == 200)
        let flood = String(
            repeating: Self.get(path, path == "/api/verify" ? [authorization] : []), count: Self.requests)
        var others: [HTTPConnection] = []
        for _ in 0..<Self.connections { others.append(try await server.connect()) }
        let health = try await server.connect()
        let start = server.log.utf8.count
        server.pause()
        for connection in others { try await connection.write(flood) }
        try await health.write(Self.get("/health/live"))
        server.resume()
        #expect(try await health.readAnswer().status == 200)
        for connection in others {
            for _ in 0..<Self.requests { _ = try await connection.readAnswer() }
        }
        let count = Self.connections * Self.requests
        var lines: [Substring] = []
        try await wait(for: "the log") {
            lines = Substring(server.log.utf8.dropFirst(start)).split(separator: "\n").filter { $0.contains(" route=") }
            return lines.count >= count + 1
        }
        let isHealthy = try #require(lines.firstIndex { $0.contains(" route=/health/live ") })
        #expect(isHealthy < count / 4)
    }

    /// A client that waits for `100 Continue` gets it after the answers to earlier requests.
    @Test func whoWaitsToBeInvitedIsInvitedInTurn() async throws {
        let server = try await RunningServer()
        let miguel = try await server.newAccount()
        let body = json(["username": "susan", "password": "python"])
        let connection = try await server.connect()
        try await connection.write(
            Self.get("/api/token", [miguel.basic])
                + "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\n\r\n")
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 Continue\r\n"))
        try await connection.write(body)
        #expect(try await connection.readAnswer().status == 201)
    }

    /// The others send more than is answered until a sign-in succeeds.
    @Test(arguments: ["/nothing", "/api/users/999999999", "/api/revocations", "/api/verify"])
    func whoSignsInIsLetInWhileTheOthersGoOn(path: String) async throws {
        let server = try await RunningServer(["--throttle", "no", "--hashing-patience", "600"])
        let miguel = try await server.newAccount()
        let request = Self.get(path, [bearer(try await server.token(miguel))])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.connections {
                group.addTask {
                    let connection = try await server.connect()
                    try await connection.write(String(repeating: request, count: 20))
                    while !Task.isCancelled {
                        _ = try await connection.readAnswer()
                        try await connection.write(request)
                    }
                }
            }
            for _ in 0..<3 {
                let answer = try await server.send("GET", "/api/token", headers: [miguel.basic])
                #expect(answer.status == 200)
            }
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    /// The server makes no more answers while the client reads none.
    @Test(arguments: ["/api/verify", "/api/resource", "/health/live", "/nothing"])
    func whoNeverReadsCostsNoMemory(path: String) async throws {
        let server = try await RunningServer(["--request-timeout", "600", "--log-level", "error"])
        let token = try await server.token(server.newAccount())
        let connection = try await server.connect()
        connection.patience = .seconds(3)
        #expect(try await connection.send("GET", path, headers: [bearer(token)]).status != 503)
        let before = try server.residentMemory()
        let flood = String(repeating: Self.get(path, [bearer(token)]), count: 1000)
        var sent = 0
        // Until the server stops reading.
        while sent < 300_000, try server.residentMemory() - before < 40 << 20,
            (try? await connection.write(flood)) != nil
        {
            sent += 1000
        }
        #expect(try server.residentMemory() - before < 40 << 20, "after \(sent) requests")
        #expect(try await server.send("GET", "/health/live").status == 200)
    }

    /// The system then delivers everything that has arrived, whether it was asked for or not.
    @Test func whoEndsTheOwnHalfBehindManyRequestsGetsEveryAnswer() async throws {
        let server = try await RunningServer()
        let connection = try await server.connect()
        let count = 20_000
        nonisolated(unsafe) let writer = connection
        let writing = Task {
            try await writer.write(String(repeating: Self.get("/health/live"), count: count - 1) + Self.get("/nothing"))
            writer.finishWriting()
        }
        for _ in 1..<count { #expect(try await connection.readAnswer().status == 200) }
        #expect(try await connection.readAnswer().status == 404)
        #expect(await connection.isEnded())
        try await writing.value
    }

    @Test(arguments: ["/api/resource", "/api/me", "/health/live"])
    func whatIsArrivingWhenTheServerStopsIsAnswered(path: String) async throws {
        let server = try await RunningServer()
        let token = try await server.token(server.newAccount())
        #expect(try await server.send("GET", path, headers: [bearer(token)]).status == 200)
        let connection = try await server.connect()
        #expect(try await connection.send("GET", "/health/live").status == 200)
        let request = Self.get(path, [bearer(token), "Content-Length: 2"]) + "{"
        try await connection.write(request)
        // The request has been read by now: the server needs that to know of it.
        for _ in 0..<10 { #expect(try await server.send("GET", "/health/live").status == 200) }
        async let status = server.stop()
        try await wait(for: "nobody to be let in") { (try? await server.connect()) == nil }
        try await connection.write("}")
        #expect(try await connection.readAnswer().status == 200)
        #expect(await connection.isEnded())
        #expect(try await status == 0)
    }

    /// A request that waits behind others waits for the server: the client's time does not run.
    @Test func aRequestThatWaitsBehindOthersIsNotLate() async throws {
        let server = try await RunningServer([
            "--request-timeout", "1", "--hashing-threads", "1", "--password-passes", "64", "--hashing-patience", "600",
        ])
        let connection = try await server.connect()
        let attempts = String(repeating: Self.get("/api/token", [basic("nobody", "python")]), count: 8)
        try await connection.write(attempts + "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
        for number in 0..<8 {
            #expect(try await connection.readAnswer().status == 401)
            if number == 7 { try await connection.write("}") }
        }
        #expect([404, 408].contains(try await connection.readAnswer().status))
    }
}

extension RunningServer {
    /// The resident memory in bytes.
    fileprivate func residentMemory() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/\(processID)/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(fields[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
