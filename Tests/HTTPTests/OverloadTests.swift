import Support
import Testing

/// Load of more passwords than can be hashed: they are refused at once, and all other requests are
/// served.
///
/// Each test has its own server, because it depends on what else is in the queue.
@Suite struct OverloadTests {
    @Test func aFullQueueAnswers503AndTokensAreServedAllTheSame() async throws {
        let server = try await RunningServer([
            "--hashing-threads", "1", "--hashing-queue", "1", "--password-passes", "16",
        ])
        try await server.register("miguel", "python")
        let token = try await server.token("miguel", "python")
        // All arrive at once, however long it takes to send them.
        server.pause()
        var connections: [HTTPConnection] = []
        for _ in 0..<20 {
            let connection = try await server.connect()
            try await connection.write(Self.attempt("miguel"))
            connections.append(connection)
        }
        server.resume()
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        var answers: [HTTPAnswer] = []
        for connection in connections { answers.append(try await connection.readAnswer()) }
        #expect(answers.contains { $0.status == 200 })
        let refusals = answers.filter { $0.status != 200 }
        // One is hashed while one waits; of twenty at once most find the queue full.
        #expect(refusals.count >= 10)
        for refusal in refusals {
            #expect(refusal.status == 503)
            #expect(refusal.code == "overloaded")
            #expect((Int(refusal["Retry-After"] ?? "") ?? 0) > 0)
        }
        // After the burst nothing is refused.
        #expect(try await server.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 200)
    }

    // MARK: Clients that disconnect

    /// Settings under which a hash takes about half a second: long compared with everything else in
    /// a test.
    private static let slow = ["--hashing-threads", "1", "--password-passes", "64", "--hashing-patience", "60"]

    private static func attempt(_ username: String) -> String {
        "GET /api/token HTTP/1.1\r\nHost: a\r\n\(basic(username, "python"))\r\n\r\n"
    }

    private static let registration: String = {
        let body = json(["username": "miguel", "password": "python"])
        return "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }()

    @Test func whoHangsUpLeavesTheQueue() async throws {
        let server = try await RunningServer(Self.slow)
        #expect(try await server.register("miguel", "python").status == 201)
        // All have disconnected before the first gets its turn, however long it takes to send the
        // requests.
        server.pause()
        for _ in 0..<100 {
            let connection = try await server.connect()
            try await connection.write(Self.attempt("nobody"))
        }
        server.resume()
        #expect(try await server.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 200)
        try await wait(for: "the end of all requests") {
            server.log.components(separatedBy: "route=/api/token ").count == 102
        }
        // Only the hash that was being computed was finished.
        #expect(server.log.components(separatedBy: "login_failed").count < 20)
        #expect(server.log.components(separatedBy: "login_succeeded").count == 2)
        #expect(!server.log.contains("request failed"))
    }

    @Test func whoHangsUpBeforeTheTurnRegistersNobody() async throws {
        let server = try await RunningServer(Self.slow)
        try await wait(for: "ten who had all gone while the one before them was computed") {
            let start = server.log.count
            let first = try await server.connect()
            try await first.write(Self.attempt("nobody"))
            for _ in 0..<10 {
                let connection = try await server.connect()
                try await connection.write(Self.registration)
            }
            let hadGoneBefore = !server.log.dropFirst(start).contains("route=/api/token ")
            #expect(try await first.readAnswer().status == 401)
            try await wait(for: "the end of all requests") {
                server.log.dropFirst(start).components(separatedBy: "route=/api/users ").count == 11
            }
            guard hadGoneBefore else { return false }
            // One request may have had its turn before the one that was sent first.
            #expect(server.log.dropFirst(start).components(separatedBy: "status=503").count >= 10)
            return true
        }
    }

    @Test func whoEndsOnlyTheOwnHalfIsAnswered() async throws {
        let server = try await RunningServer(["--hashing-threads", "1"])
        for (request, status) in zip([Self.registration, Self.attempt("miguel")], [201, 200]) {
            // The only thread may still be busy with an earlier request: then the request is not
            // allowed to wait.
            try await wait(for: "a free thread") {
                let connection = try await server.connect()
                try await connection.write(request)
                connection.finishWriting()
                let answer = try await connection.readAnswer()
                #expect(await connection.isEnded())
                guard answer.status != 503 else { return false }
                #expect(answer.status == status)
                return true
            }
        }
    }

    /// The server cannot tell whether the client still listens, so a request that would have to
    /// wait is told to come back.
    @Test func whoEndsOnlyTheOwnHalfAndWouldHaveToWaitIsTold() async throws {
        let server = try await RunningServer(Self.slow)
        // All arrive at once, however long it takes to send them.
        server.pause()
        var connections: [HTTPConnection] = []
        for _ in 0..<5 {
            let connection = try await server.connect()
            try await connection.write(Self.attempt("nobody"))
            connection.finishWriting()
            connections.append(connection)
        }
        server.resume()
        var answers: [HTTPAnswer] = []
        for connection in connections { answers.append(try await connection.readAnswer()) }
        #expect(answers.contains { $0.status == 401 })
        let refusals = answers.filter { $0.status != 401 }
        #expect(!refusals.isEmpty)
        for refusal in refusals {
            #expect(refusal.status == 503)
            #expect(refusal.code == "overloaded")
            #expect((Int(refusal["Retry-After"] ?? "") ?? 0) > 0)
        }
    }

    @Test func whoSendsTheNextRequestBeforeTheAnswerHasNotGone() async throws {
        let server = try await RunningServer(Self.slow)
        let other = try await server.connect()
        try await other.write(Self.attempt("nobody"))
        let connection = try await server.connect()
        try await connection.write(Self.attempt("nobody") + Self.attempt("nobody"))
        #expect(try await connection.readAnswer().status == 401)
        #expect(try await connection.readAnswer().status == 401)
        #expect(try await other.readAnswer().status == 401)
    }
}
