import Support
import Testing

/// More passwords than can be hashed: refused at once, and everything else goes on.
@Suite struct OverloadTests {
    @Test func aFullQueueAnswers503AndTokensAreServedAllTheSame() async throws {
        let server = try await RunningServer(["--hashing-threads", "1", "--hashing-queue", "1"])
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        let connections = try (0..<20).map { _ in try server.connect() }
        for connection in connections {
            try connection.write("GET /api/token HTTP/1.1\r\nHost: a\r\n\(basic("miguel", "python"))\r\n\r\n")
        }
        #expect(try server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        let answers = try connections.map { try $0.readAnswer() }
        #expect(answers.contains { $0.status == 200 })
        let refusals = answers.filter { $0.status != 200 }
        // One is hashed while one waits; of twenty at once most find the queue full.
        #expect(refusals.count >= 10)
        for refusal in refusals {
            #expect(refusal.status == 503)
            #expect(refusal.code == "overloaded")
            #expect((Int(refusal["Retry-After"] ?? "") ?? 0) > 0)
        }
        // The storm is over: nobody is refused any more.
        #expect(try server.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 200)
    }

    // MARK: Clients that go

    /// Each hash of these servers takes half a second or so: long beside everything else that
    /// happens in a test.
    private static let slow = ["--hashing-threads", "1", "--password-passes", "64", "--hashing-patience", "60"]

    private static func attempt(_ username: String) -> String {
        "GET /api/token HTTP/1.1\r\nHost: a\r\n\(basic(username, "python"))\r\n\r\n"
    }

    @Test func whoHangsUpLeavesTheQueue() async throws {
        let server = try await RunningServer(Self.slow)
        #expect(try server.register("miguel", "python").status == 201)
        for _ in 0..<100 {
            let connection = try server.connect()
            try connection.write(Self.attempt("nobody"))
        }
        #expect(try server.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 200)
        try await wait(seconds: 20, for: "the end of all requests") {
            server.log.components(separatedBy: "route=/api/token ").count == 102
        }
        // Only what was being computed was finished.
        #expect(server.log.components(separatedBy: "login_failed").count < 20)
        #expect(server.log.components(separatedBy: "login_succeeded").count == 2)
        #expect(!server.log.contains("request failed"))
    }

    @Test func whoHangsUpBeforeTheTurnRegistersNobody() async throws {
        let server = try await RunningServer(Self.slow)
        let body = json(["username": "miguel", "password": "python"])
        let first = try server.connect()
        try first.write(Self.attempt("nobody"))
        for _ in 0..<10 {
            let connection = try server.connect()
            try connection.write(
                "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                    + body)
        }
        #expect(try first.readAnswer().status == 401)
        try await wait(seconds: 20, for: "the end of all requests") {
            server.log.components(separatedBy: "route=/api/users ").count == 11
        }
        // One may have had its turn before the one that was sent before.
        #expect(server.log.components(separatedBy: "status=503").count >= 10)
    }

    @Test func whoEndsOnlyTheOwnHalfIsAnswered() async throws {
        let server = try await RunningServer(["--hashing-threads", "1"])
        let body = json(["username": "miguel", "password": "python"])
        let requests = [
            "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)",
            Self.attempt("miguel"),
        ]
        for (request, status) in zip(requests, [201, 200]) {
            let connection = try server.connect()
            try connection.write(request)
            connection.finishWriting()
            #expect(try connection.readAnswer().status == status)
            #expect(connection.isEnded())
        }
    }

    /// From here nobody can tell whether the other half is still there, so who would have to wait
    /// is told to come back.
    @Test func whoEndsOnlyTheOwnHalfAndWouldHaveToWaitIsTold() async throws {
        let server = try await RunningServer(Self.slow)
        let connections = try (0..<5).map { _ in
            let connection = try server.connect()
            try connection.write(Self.attempt("nobody"))
            connection.finishWriting()
            return connection
        }
        let answers = try connections.map { try $0.readAnswer() }
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
        let other = try server.connect()
        try other.write(Self.attempt("nobody"))
        let connection = try server.connect()
        try connection.write(Self.attempt("nobody") + Self.attempt("nobody"))
        #expect(try connection.readAnswer().status == 401)
        #expect(try connection.readAnswer().status == 401)
        #expect(try other.readAnswer().status == 401)
    }
}
