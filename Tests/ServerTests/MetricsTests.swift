import Foundation
import GRDB
import RESTAuthSQLite
import RESTAuthServer
import Support
import Testing

/// The metrics port of the real binary.
@Suite struct MetricsTests {
    /// Starts a server with metrics, and returns its metrics port.
    func started(_ arguments: [String] = []) async throws -> (server: RunningServer, port: Int) {
        let port = try FreePort.next()
        let server = try await RunningServer(["--metrics-port", "\(port)"] + arguments)
        return (server, port)
    }

    func metrics(_ port: Int) async throws -> [String] {
        let answer = try await HTTPConnection(port: port).send("GET", "/metrics")
        #expect(answer.status == 200)
        return answer.body.components(separatedBy: "\n").dropLast()
    }

    private func value(_ series: String, in lines: [String]) -> Double? {
        lines.first { $0.hasPrefix(series + " ") }.flatMap { Double($0.dropFirst(series.count + 1)) }
    }

    // MARK: Exposed metrics

    @Test func everyFamilyIsThereAfterTheFirstRequests() async throws {
        let (server, port) = try await started()
        try await server.register("susan", "cat")
        _ = try await server.token("susan", "cat")
        let lines = try await metrics(port)
        for family in MetricFamily.all {
            #expect(lines.contains("# TYPE \(family.name) \(family.kind.rawValue)"), "\(family.name)")
        }
        let events = "rest_auth_events_total"
        #expect(value(events + #"{event="user.registered"}"#, in: lines) == 1)
        #expect(value(events + #"{event="login.succeeded"}"#, in: lines) == 1)
        #expect(value(events + #"{event="login.failed"}"#, in: lines) == 0)
        for kind in ["read", "write"] {
            #expect(value(#"rest_auth_storage_seconds_count{kind="\#(kind)"}"#, in: lines) ?? 0 > 0, "\(kind)")
        }
        #expect(value("rest_auth_hashing_wait_seconds_count", in: lines) == 2)
        #expect(value("rest_auth_hashing_threads", in: lines) ?? 0 >= 1)
    }

    @Test func aRequestIsCountedUnderItsRouteMethodAndStatus() async throws {
        let (server, port) = try await started()
        try await server.register("susan", "cat")
        let token = try await server.token("susan", "cat")
        // The first is verified behind the router, the others are remembered.
        for _ in 0..<3 { _ = try await server.send("GET", "/api/resource", headers: [bearer(token)]) }
        try await server.send("GET", "/api/resource", headers: [basic("susan", "dog")])
        try await server.send("GET", "/api/users/1")
        try await server.send("GET", "/nowhere")
        let lines = try await metrics(port)
        func count(_ route: String, _ method: String, _ status: String) -> Double? {
            let labels = #"{route="\#(route)",method="\#(method)",status="\#(status)"}"#
            return value("rest_auth_http_request_duration_seconds_count" + labels, in: lines)
        }
        #expect(count("/api/users", "POST", "2xx") == 1)
        #expect(count("/api/token", "GET", "2xx") == 1)
        #expect(count("/api/resource", "GET", "2xx") == 3)
        #expect(count("/api/resource", "GET", "4xx") == 1)
        #expect(count("/api/users/{id}", "GET", "2xx") == 1)
        #expect(count("-", "GET", "4xx") == 1)
        try await server.send("PROPFIND", "/api/resource")
        #expect(try await metrics(port).contains { $0.contains(#"{route="/api/resource",method="-",status="4xx""#) })
        #expect(count("/api/resource", "GET", "5xx") == nil)
    }

    /// Methods that a path does not answer share one series, so that no client can make many.
    @Test func methodsThatAPathDoesNotAnswerAreCountedTogether() async throws {
        let (server, port) = try await started()
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            #expect(try await server.send(method, "/api/resource").status == 405)
        }
        for method in ["GET", "HEAD", "OPTIONS"] { try await server.send(method, "/api/resource") }
        let series = #"rest_auth_http_request_duration_seconds_count{route="/api/resource",method=""#
        let lines = try await metrics(port).filter { $0.hasPrefix(series) }.map { $0.dropFirst(series.count) }
        #expect(
            lines == [
                #"-",status="4xx"} 6"#, #"GET",status="4xx"} 1"#, #"HEAD",status="4xx"} 1"#,
                #"OPTIONS",status="2xx"} 1"#,
            ])
    }

    @Test func theNumbersOfTheProcessAreTheKernels() async throws {
        let (server, port) = try await started()
        let lines = try await metrics(port)
        func number(_ name: String) throws -> Double { try #require(value(name, in: lines), "\(name)") }
        #expect(try number("process_cpu_seconds_total") > 0)
        #expect(try number("process_resident_memory_bytes") > 1_000_000)
        #expect(try number("process_virtual_memory_bytes") > number("process_resident_memory_bytes"))
        #expect(try number("process_open_fds") > 5)
        #expect(try number("process_max_fds") >= number("process_open_fds"))
        let directory = try FileManager.default.attributesOfItem(atPath: "/proc/\(server.processID)")
        let started = try #require(directory[.modificationDate] as? Date).timeIntervalSince1970
        #expect(try abs(number("process_start_time_seconds") - started) < 120)
        #expect(try number("rest_auth_http_connections_limit") == 10_000)
        #expect(lines.contains { $0.hasPrefix("rest_auth_build_info{version=") })
    }

    @Test func keysAndRevocationsAreThere() async throws {
        let (server, port) = try await started()
        try await server.register("susan", "cat")
        _ = try await server.token("susan", "cat")
        #expect(try await server.run(["users", "disable", "susan"]).status == 0)
        try await wait(for: "revocations to be read") {
            let lines = try await metrics(port)
            let age =
                Date.now.timeIntervalSince1970
                - (value("rest_auth_revocations_read_timestamp_seconds", in: lines) ?? 0)
            return abs(age) < 60 && value("rest_auth_revocations", in: lines) ?? 0 >= 1
        }
        let lines = try await metrics(port)
        let now = Date.now.timeIntervalSince1970
        #expect(value("rest_auth_signing_keys", in: lines) == 1)
        let first = try #require(value("rest_auth_signing_key_first_use_timestamp_seconds", in: lines))
        let rotation = try #require(value("rest_auth_signing_key_rotation_timestamp_seconds", in: lines))
        #expect(first <= now)
        #expect(abs(rotation - first - 30 * 86400) < 1)
    }

    @Test func openConnectionsAreCounted() async throws {
        let (server, port) = try await started()
        var connections: [HTTPConnection] = []
        for _ in 0..<3 {
            connections.append(try await server.connect())
            _ = try await connections.last?.send("GET", "/health/live")
        }
        #expect(try await value("rest_auth_http_connections", in: metrics(port)) ?? 0 >= 3)
        connections = []
        try await wait(for: "the connections to end") {
            try await value("rest_auth_http_connections", in: metrics(port)) == 0
        }
    }

    @Test func whatTheDatabaseRefusesIsCounted() async throws {
        let port = try FreePort.next()
        let directory = try TemporaryDirectory.withSQLite()
        let server = try await RunningServer(["--metrics-port", "\(port)"], directory: directory)
        try await server.register("susan", "cat")
        let before = try await metrics(port)
        #expect(value("rest_auth_storage_errors_total", in: before) == 0)
        #expect(value("rest_auth_throttle_unwritten", in: before) == 0)
        let database = try await SQLiteStorage(path: server.databasePath).database
        try await database.write {
            try $0.execute(
                sql: "CREATE TRIGGER full BEFORE INSERT ON throttles BEGIN SELECT RAISE(ABORT, 'full'); END")
        }
        try await server.send("GET", "/api/token", headers: [basic("susan", "dog")])
        try await wait(for: "the failure") {
            let lines = try await metrics(port)
            return value("rest_auth_throttle_unwritten", in: lines) ?? 0 > 0
                && value("rest_auth_storage_errors_total", in: lines) ?? 0 > 0
        }
        try await database.write { try $0.execute(sql: "DROP TRIGGER full") }
        try await wait(for: "the failure to be written") {
            try await value("rest_auth_throttle_unwritten", in: metrics(port)) == 0
        }
    }

    /// Every metric that the code records is in the list; others would be lost.
    @Test func everythingThatIsMeasuredIsInTheList() throws {
        let sources = ExternalProcess.repository.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        let known = Set(MetricFamily.all.map(\.name))
        var found: Set<String> = []
        for file in files.compactMap({ $0 as? URL }) where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /label: "(rest_auth_\w+)"/) { found.insert(String(match.output.1)) }
        }
        #expect(found.count > 10)
        #expect(found.subtracting(known) == [])
    }

    @Test func thePageNamesEveryFamily() throws {
        let page = try String(
            contentsOf: ExternalProcess.repository.appendingPathComponent("Sources/RESTAuth/RESTAuth.docc/Metrics.md"),
            encoding: .utf8)
        for family in MetricFamily.all {
            #expect(page.contains("| `\(family.name)` | \(family.kind.rawValue) |"), "\(family.name)")
        }
    }

    // MARK: Labels

    /// No text from a client becomes a label, and no behaviour of a client makes an unlimited
    /// number of series.
    @Test func noClientChoosesALabel() async throws {
        let (server, port) = try await started(["--http2-cleartext", "yes"])
        func strangeRequests(_ mark: String) async throws {
            try await server.send("GET", "/\(mark)/\(mark)?\(mark)=\(mark)", headers: ["User-Agent: \(mark)"])
            try await server.send(mark.uppercased(), "/api/resource", headers: ["X-Forwarded-For: \(mark)"])
            try await server.send("GET", "/api/token", headers: [basic(mark, mark), "Origin: https://\(mark)"])
            try await server.send("GET", "/api/users/\(mark)", headers: [bearer(mark)])
            try await server.send("GET", "/api/verify/\(mark)", headers: [bearer(mark)])
            try await server.register(mark, mark)
        }
        try await strangeRequests("marked0")
        let before = try await metrics(port)
        for number in 1...20 { try await strangeRequests("marked\(number)") }
        let after = try await metrics(port)
        #expect(before.count == after.count)
        #expect(!after.contains { $0.lowercased().contains("marked") })
    }

    @Test(arguments: [
        ("GET", "/", 404), ("GET", "/metrics/", 404), ("GET", "/metricss", 404), ("GET", "/METRICS", 404),
        ("GET", "/api/resource", 404), ("GET", "/health/live", 404), ("GET", "//metrics", 404),
        ("GET", "/%6Detrics", 404), ("POST", "/metrics", 405), ("DELETE", "/metrics", 405),
        ("OPTIONS", "/metrics", 405), ("PUT", "/metrics", 405), ("PROPFIND", "/metrics", 405), ("POST", "/", 404),
    ])
    func nothingElseIsServed(method: String, path: String, status: Int) async throws {
        let port = try await Self.shared()
        let answer = try await HTTPConnection(port: port).send(method, path)
        #expect(answer.status == status)
        #expect(answer.code == (status == 404 ? "not_found" : "method_not_allowed"))
        #expect(answer["Allow"] == (status == 405 ? "GET, HEAD" : nil))
        #expect(answer["Cache-Control"] == "no-store")
    }

    @Test(arguments: [
        "GET /metrics HTTP/1.1\r\n\r\n", "GET /metrics\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func whatIsNoRequestIsRefused(bytes: String) async throws {
        let port = try await Self.shared()
        let connection = try await HTTPConnection(port: port)
        try await connection.write(bytes)
        let answer = try await connection.readAnswer()
        #expect([400, 405].contains(answer.status))
        #expect(answer.code != nil)
        #expect(await connection.isEnded())
    }

    @Test func aBodyOrALargeHeadIsRefused() async throws {
        let port = try await Self.shared()
        let body = try await HTTPConnection(port: port)
            .send("GET", "/metrics", body: String(repeating: "a", count: 65537))
        #expect(body.code == "content_too_large")
        let head = try await HTTPConnection(port: port)
            .send("GET", "/metrics", headers: ["X-Filler: " + String(repeating: "a", count: 100_000)])
        #expect(head.code == "request_header_fields_too_large")
    }

    @Test func HEADHasTheSameFieldsAndNoBody() async throws {
        let port = try await Self.shared()
        let connection = try await HTTPConnection(port: port)
        let head = try await connection.send("HEAD", "/metrics?name=value")
        #expect(head.status == 200)
        #expect(head["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(Int(head["Content-Length"] ?? "") ?? 0 > 1000)
        // A body would be read as the next answer.
        #expect(try await connection.send("GET", "/metrics?name=value").status == 200)
    }

    @Test func requestsOnOneConnectionAreAnsweredInTurn() async throws {
        let port = try await Self.shared()
        let connection = try await HTTPConnection(port: port)
        let request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        try await connection.write(String(repeating: request, count: 5) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in 0..<5 { #expect(try await connection.readAnswer().status == 200) }
        #expect(try await connection.readAnswer().status == 404)
    }

    // MARK: Bounds

    @Test func whoSendsNoRequestIsCutOff() async throws {
        let (server, port) = try await started(["--request-timeout", "1", "--idle-timeout", "1"])
        // The server runs as long as it is referenced.
        defer { withExtendedLifetime(server) {} }
        let silent = try await HTTPConnection(port: port)
        #expect(await silent.isEnded())
        let slow = try await HTTPConnection(port: port)
        try await slow.write("GET /metrics HTTP/1.1\r\nHo")
        #expect(await slow.isEnded())
        let idle = try await HTTPConnection(port: port)
        #expect(try await idle.send("GET", "/metrics").status == 200)
        #expect(await idle.isEnded())
    }

    @Test func connectionsAreBounded() async throws {
        let (server, port) = try await started()
        // The server runs as long as it is referenced.
        defer { withExtendedLifetime(server) {} }
        var connections: [HTTPConnection] = []
        for _ in 0..<16 {
            connections.append(try await HTTPConnection(port: port))
            #expect(try await connections.last?.send("HEAD", "/metrics").status == 200)
        }
        let next = try await HTTPConnection(port: port)
        try await next.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        next.patience = .milliseconds(300)
        await #expect(throws: (any Error).self) { try await next.readAnswer() }
        connections.removeLast()
        next.patience = Patience.limit
        #expect(try await next.readAnswer().status == 200)
    }

    /// The metrics are read while all connections of clients are in use, and every hashing thread
    /// is busy.
    @Test func theMetricsOfAServerThatIsFullCanBeRead() async throws {
        let (server, port) = try await started(["--max-connections", "4", "--hashing-threads", "1"])
        // The server runs as long as it is referenced.
        defer { withExtendedLifetime(server) {} }
        var connections: [HTTPConnection] = []
        for number in 0..<4 {
            connections.append(try await server.connect())
            let body = json(["username": "susan\(number)", "password": "cat"])
            try await connections.last?.write(
                "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
        }
        try await wait(for: "four connections") {
            try await value("rest_auth_http_connections", in: metrics(port)) == 4
        }
        for connection in connections { #expect(try await connection.readAnswer().status == 201) }
    }

    // MARK: -

    private static let sharedServer = Task {
        let port = try FreePort.next()
        return (try await RunningServer(["--metrics-port", "\(port)"]), port)
    }

    /// The metrics port of a server for the tests that do not change it.
    private static func shared() async throws -> Int { try await sharedServer.value.1 }
}
