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
}
