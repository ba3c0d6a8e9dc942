import Support
import Testing

/// The size limits of a head: at `/api/verify` a proxy forwards fields that were meant for another
/// application.
@Suite(.server()) struct HeadLimitTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    /// A cookie of another application, with a value of `size` KiB.
    static func cookie(_ size: Int) -> String { "Cookie: session=" + String(repeating: "x", count: size << 10) }

    @Test func theCookiesOfAnApplicationPassWhereAProxyAsks() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        let many = (0..<15).map { "X-Field-\($0): " + String(repeating: "x", count: 2 << 10) }
        for (method, path) in [
            ("GET", "/api/verify"), ("GET", "/api/verify/any/path"), ("GET", "/api/verify/?x=y"),
            ("POST", "/api/verify"),
        ] {
            for fields in [[Self.cookie(9)], [Self.cookie(20)], [Self.cookie(31)], many] {
                for authorization in [miguel.basic, bearer(token), bearer(token)] {
                    let answer = try await server.send(method, path, headers: [authorization] + fields)
                    #expect(answer.status == 200, "\(method) \(path)")
                    #expect(answer["Remote-User"] == miguel.name)
                }
                #expect(try await server.send(method, path, headers: fields).status == 401)
            }
        }
        let path = "/api/verify/" + String(repeating: "x", count: 20 << 10)
        #expect(try await server.send("GET", path, headers: [miguel.basic]).status == 200)
    }

    @Test func moreThanThatIsRefusedThereToo() async throws {
        for path in ["/api/verify", "/api/verify/any/path", "/api/verify?x=y"] {
            for fields in [[Self.cookie(33)], [Self.cookie(20), Self.cookie(13)], [Self.cookie(1000)]] {
                try await expectTooLarge(path, fields, at: server)
            }
            try await expectTooLarge(path, Array(repeating: "X-Field: x", count: 101), at: server)
        }
        try await expectTooLarge("/api/verify/" + String(repeating: "x", count: 33 << 10), [], at: server)
    }

    /// The limit on all other paths.
    @Test func elsewhereItIsHalfAsMuch() async throws {
        for path in ["/api/me", "/api/token", "/health/live", "/", "/api/verifying", "/api/verify%2F", "/x/api/verify"]
        {
            #expect(try await server.send("GET", path, headers: [Self.cookie(7)]).status != 431, "\(path)")
            for fields in [[Self.cookie(9)], [Self.cookie(20)], [Self.cookie(6), Self.cookie(6), Self.cookie(6)]] {
                try await expectTooLarge(path, fields, at: server)
            }
        }
        try await expectTooLarge("/api/users/" + String(repeating: "1", count: 9 << 10), [], at: server)
    }

    /// Uses a server with settings of its own.
    @Test func bothAreSettings() async throws {
        let server = try await RunningServer(["--head-limit", "65536", "--verify-head-limit", "8192"])
        #expect(try await server.send("GET", "/health/live", headers: [Self.cookie(31)]).status == 200)
        #expect(try await server.send("GET", "/api/me", headers: [Self.cookie(31), Self.cookie(30)]).status == 401)
        try await expectTooLarge("/api/me", [Self.cookie(33)], at: server)
        #expect(try await server.send("GET", "/api/verify", headers: [Self.cookie(7)]).status == 401)
        try await expectTooLarge("/api/verify", [Self.cookie(9)], at: server)
    }

    private func expectTooLarge(
        _ path: String, _ headers: [String], at server: RunningServer, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await server.send("GET", path, headers: headers)
        #expect(answer.status == 431, "\(path.prefix(40))", sourceLocation: sourceLocation)
        #expect(answer.code == "request_header_fields_too_large", sourceLocation: sourceLocation)
        #expect(answer["Connection"] == "close", sourceLocation: sourceLocation)
        let detail = answer.json["detail"] as? String
        #expect(detail?.contains("verify_head_limit at /api/verify") == true, sourceLocation: sourceLocation)
    }
}
