import Foundation
import Support
import Testing

/// Importing and exporting users in streams; one test at a time, as a server takes one import at a
/// time.
@Suite(.server(), .serialized) struct OperatorBulkTests {
    private let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private static let path = "/api/operator/users/import"
    /// A line for a user without a usable hash.
    private static func line(_ name: String, _ more: String = "") -> String {
        "{\"username\":\"\(name)\",\"password_hash\":\"!\"\(more)}\n"
    }

    private static let type = "Content-Type: application/x-ndjson"

    private func head(
        _ account: Account, _ headers: [String], query: String = "?without_password=true"
    ) -> String {
        (["POST \(Self.path)\(query) HTTP/1.1", "Host: 127.0.0.1", account.basic] + headers)
            .map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    /// Sends a whole body, and returns the lines of the answer.
    private func importing(
        _ account: Account, _ body: [UInt8], query: String = "?without_password=true"
    ) async throws -> [[String: Any]] {
        let connection = try await server.connect()
        try await connection.write(head(account, [Self.type, "Content-Length: \(body.count)"], query: query))
        // The reports of these bodies fit into what the system keeps for a reader.
        try await connection.write(body)
        #expect(try await connection.readAnswer().status == 200)
        return Self.objects(in: try await connection.read(until: "\r\n0\r\n\r\n"))
    }

    private static func objects(in text: String) -> [[String: Any]] {
        text.components(separatedBy: .newlines).compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
        }
    }

    private func isThere(_ name: String, _ account: Account) async throws -> Bool {
        try await server.send("GET", "/api/operator/events?user=\(name)", as: account).status == 200
    }

    // MARK: Import

    /// Head and body in one write: what came after the head is held until the importer is admitted.
    @Test(arguments: [500, 2000, 5000, 9000, 20_000, 70_000])
    func aBodyThatComesWithItsHeadIsReadToItsEnd(size: Int) async throws {
        let boss = try await server.newOperator()
        for _ in 0..<3 {
            let line = Self.line("\"")
            let lines = max(1, size / line.utf8.count)
            let body = String(repeating: line, count: lines)
            let connection = try await server.connect()
            try await connection.write(head(boss, [Self.type, "Content-Length: \(body.utf8.count)"]) + body)
            #expect(try await connection.readAnswer().status == 200)
            let text = try await connection.read(until: "\r\n0\r\n\r\n")
            #expect(Self.objects(in: text).last?["refused"] as? Int == lines)
        }
    }

    @Test func aLineIsReportedWhileTheBodyComes() async throws {
        let boss = try await server.newOperator()
        let names = (0..<3).map { _ in RunningServer.newName() }
        let connection = try await server.connect()
        try await connection.write(head(boss, [Self.type, "Transfer-Encoding: chunked"]))
        for (index, name) in names.enumerated() {
            try await connection.write(Self.chunk(Self.line(name)))
            if index == 0 { #expect(try await connection.readAnswer().status == 200) }
            let report = try await connection.read(until: "}\n")
            #expect(report.contains("\"line\":\(index + 1)") && report.contains(name))
            #expect(report.contains("without password"))
            #expect(try await isThere(name, boss))
        }
        try await connection.write("0\r\n\r\n")
        let end = try await connection.read(until: "0\r\n\r\n")
        #expect(end.contains("\"done\":true,\"imported\":3,"))
        // The connection goes on.
        #expect(try await connection.send("GET", "/health/live").status == 200)
    }

    @Test func moreComesThanABodyMayHave() async throws {
        let boss = try await server.newOperator()
        let prefix = RunningServer.newName("many")
        let lines = (0..<5000).map { Self.line("\(prefix)-\($0)") }
        let report = try await importing(boss, Array(lines.joined().utf8))
        #expect(lines.joined().utf8.count > 3 * 65536)
        #expect(report.count == 5001)
        #expect(report.compactMap { $0["line"] as? Int } == Array(1...5000))
        #expect(report.last?["done"] as? Bool == true && report.last?["imported"] as? Int == 5000)
        // Once more: nobody comes in twice.
        let again = try await importing(boss, Array(lines.joined().utf8))
        #expect(again.last?["skipped"] as? Int == 5000 && again.last?["imported"] as? Int == 0)
    }

    @Test func whoIsRefusedIsNamedAndAllOthersComeIn() async throws {
        let boss = try await server.newOperator()
        let (one, two, three) = (RunningServer.newName(), RunningServer.newName(), RunningServer.newName())
        var body = Array(Self.line(one).utf8)
        body += Array("\n   \r\nnonsense\n".utf8)
        body += [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x7D, 0x0A]
        body += Array(Self.line(one.uppercased()).utf8)
        body += Array(Self.line("a b  c").utf8)
        body += Array("{\"username\":\"x\",\"username\":\"y\",\"password_hash\":\"!\"}\n".utf8)
        body += Array(Self.line(RunningServer.newName(), ",\"roles\":[\"rest-auth:other\"]").utf8)
        body += Array(Self.line(two, ",\"roles\":[\"rest-auth:operator\",\"admin\"]").utf8)
        body += Array(Self.line(three).dropLast().utf8)
        let report = try await importing(boss, body)
        #expect(report.compactMap { $0["line"] as? Int } == [1, 4, 5, 6, 7, 8, 9, 10, 11])
        #expect(
            report.compactMap { $0["outcome"] as? String } == [
                "without password", "refused", "refused", "refused", "refused", "refused", "refused",
                "without password", "without password",
            ])
        #expect(
            report.compactMap { $0["kind"] as? String } == [
                "not readable", "not readable", "name twice", "name not acceptable", "not readable",
                "roles not acceptable",
            ])
        #expect(report.last?["refused"] as? Int == 6 && report.last?["imported"] as? Int == 3)
        #expect(!report.description.contains("\\u{fffd}"))
    }

    @Test func aLineWithoutEndTakesNoMemoryAndSpoilsNothing() async throws {
        let boss = try await server.newOperator()
        let (one, two) = (RunningServer.newName(), RunningServer.newName())
        let body =
            Array(Self.line(one).utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 10_000_000) + [0x0A]
            + Array(Self.line(two).utf8)
        let report = try await importing(boss, body)
        #expect(report.compactMap { $0["line"] as? Int } == [1, 2, 3])
        #expect((report[1]["reason"] as? String)?.contains("longer than") == true)
        #expect(report.last?["imported"] as? Int == 2 && report.last?["refused"] as? Int == 1)
    }

    @Test func aTrialWritesNothing() async throws {
        let boss = try await server.newOperator()
        let name = RunningServer.newName()
        let query = "?dry_run=true&without_password=true"
        let report = try await importing(boss, Array(Self.line(name).utf8), query: query)
        #expect(report.first?["id"] is NSNull && report.last?["imported"] as? Int == 1)
        #expect(try await !isThere(name, boss))
        let strict = try await importing(boss, Array(Self.line(name).utf8), query: "")
        #expect(strict.first?["kind"] as? String == "no usable password")
        #expect(try await importing(boss, []).map { $0["done"] as? Bool } == [true])
    }

    @Test(arguments: [true, false]) func aBodyThatBreaksOffLeavesWhatWasReported(isChunked: Bool) async throws {
        let boss = try await server.newOperator()
        let (one, two) = (RunningServer.newName(), RunningServer.newName())
        let connection = try await server.connect()
        let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000"
        try await connection.write(head(boss, [Self.type, length]))
        try await connection.write(isChunked ? Self.chunk(Self.line(one)) : Self.line(one))
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.read(until: "}\n").contains(one))
        // Whole in itself, but for its end.
        let rest = String(Self.line(two).dropLast())
        try await connection.write(isChunked ? Self.chunk(rest) : rest)
        connection.finishWriting()
        let end = try? await connection.read(until: "}\n")
        #expect(end?.contains("\"done\":false") != false, "\(end ?? "")")
        #expect(await connection.isEnded())
        #expect(try await isThere(one, boss))
        #expect(try await !isThere(two, boss))
        // Another one can begin.
        #expect(try await importing(boss, Array(Self.line(two).utf8)).last?["imported"] as? Int == 1)
    }

    @Test func bytesThatAreNoChunksEndIt() async throws {
        let boss = try await server.newOperator()
        let name = RunningServer.newName()
        let connection = try await server.connect()
        try await connection.write(head(boss, [Self.type, "Transfer-Encoding: chunked"]))
        try await connection.write(Self.chunk(Self.line(name)))
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.read(until: "}\n").contains(name))
        try await connection.write("zzz\r\n")
        #expect(await connection.isEnded())
    }

    @Test func oneImportsAtATime() async throws {
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        try await connection.write(head(boss, [Self.type, "Transfer-Encoding: chunked"]))
        try await connection.write(Self.chunk(Self.line(RunningServer.newName())))
        #expect(try await connection.readAnswer().status == 200)
        _ = try await connection.read(until: "}\n")
        let second = try await server.send(
            "POST", Self.path, headers: [boss.basic, Self.type], body: Self.line(RunningServer.newName()))
        #expect(second.status == 429 && second.code == "import_running")
        #expect(second["Retry-After"] != nil)
        // Behind one that is refused with its whole body, the connection goes on.
        let third = try await server.connect()
        try await third.write(
            head(boss, [Self.type, "Content-Length: 3"]) + "{}\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await third.readAnswer().code == "import_running")
        #expect(try await third.readAnswer().status == 200)
        try await connection.write("0\r\n\r\n")
        #expect(try await connection.read(until: "0\r\n\r\n").contains("\"done\":true"))
        try await wait(for: "the next one to be admitted") {
            try await importing(boss, Array(Self.line(RunningServer.newName()).utf8)).last?["imported"] as? Int == 1
        }
    }

    @Test(arguments: [true, false]) func whoIsNoOperatorAnyMoreImportsNoMore(isRole: Bool) async throws {
        let boss = try await server.newOperator()
        let token = bearer(try await server.signIn(boss).access)
        let other = try await server.newOperator()
        let (one, two) = (RunningServer.newName(), RunningServer.newName())
        let connection = try await server.connect()
        let head = head(boss, [Self.type, "Transfer-Encoding: chunked"]).replacing(boss.basic, with: token)
        try await connection.write(head + Self.chunk(Self.line(one)))
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.read(until: "}\n").contains(one))
        if isRole {
            try await server.command("users", "revoke", boss.name, "rest-auth:operator")
        } else {
            try await server.command("sessions", "revoke", "--user", boss.name)
        }
        try await connection.write(Self.chunk(Self.line(two)))
        let end = try await connection.read(until: "}\n")
        #expect(end.contains("\"done\":false,\"imported\":1,"))
        #expect(end.contains(isRole ? "\"code\":\"forbidden\"" : "\"code\":\"invalid_token\""))
        #expect(await connection.isEnded())
        #expect(try await !isThere(two, other))
    }

    /// Of a service account, whose token was rotated because somebody else has it, and who sends no
    /// users any more.
    @Test(arguments: [false, true]) func whoHasAnotherTokenImportsNoMore(isBlank: Bool) async throws {
        let boss = try await server.newOperator()
        let (service, credential) = try await server.serviceToken(scopes: ["operator"])
        let connection = try await server.connect()
        let head = head(boss, [Self.type, "Transfer-Encoding: chunked"])
            .replacing(boss.basic, with: bearer(credential.token))
        try await connection.write(head + Self.chunk(Self.line(RunningServer.newName())))
        #expect(try await connection.readAnswer().status == 200)
        _ = try await connection.read(until: "}\n")
        let path = "/api/operator/service-accounts/\(service)/tokens/\(credential.id)/rotate"
        #expect(try await server.send("POST", path, as: boss, json: ["overlap": 0]).status == 201)
        let name = RunningServer.newName()
        try await connection.write(Self.chunk(isBlank ? "\n" : Self.line(name)))
        let end = try await connection.read(until: "}\n")
        #expect(end.contains("\"done\":false,\"imported\":1,") && end.contains("\"code\":\"invalid_token\""), "\(end)")
        #expect(await connection.isEnded())
        #expect(try await !isThere(name, boss))
    }

    // MARK: What is refused before the body

    @Test func whoIsNoOperatorSendsNoLongBody() async throws {
        let miguel = try await server.newAccount()
        for credentials in [miguel.basic, basic(miguel.name, "wrong"), "X-No: credentials"] {
            for length in ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"] {
                let connection = try await server.connect()
                let head = head(miguel, [Self.type, length]).replacing(miguel.basic, with: credentials)
                // More than the server would keep of any body.
                try await connection.write(head + String(repeating: "x", count: length.hasPrefix("C") ? 1_000_000 : 0))
                let answer = try await connection.readAnswer()
                #expect([401, 403].contains(answer.status) && answer.code != nil, "\(answer.status)")
                #expect(answer["Connection"] == "close")
                #expect(await connection.isEnded())
            }
        }
    }

    @Test func theBodyIsAskedForWhenItIsWelcome() async throws {
        let (boss, miguel) = try await (server.newOperator(), server.newAccount())
        let line = Self.line(RunningServer.newName())
        let headers = [Self.type, "Content-Length: \(line.utf8.count)", "Expect: 100-continue"]
        let connection = try await server.connect()
        try await connection.write(head(boss, headers))
        #expect(try await connection.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100"))
        try await connection.write(line)
        #expect(try await connection.read(until: "0\r\n\r\n").contains("\"imported\":1"))
        let refused = try await server.connect()
        try await refused.write(head(miguel, headers))
        #expect(try await refused.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 403"))
    }

    @Test(arguments: [
        ("Content-Type: application/json", "", 415), ("Content-Type: text/csv", "", 415), ("X-Type: none", "", 415),
        ("Content-Type: application/x-ndjson\r\nContent-Encoding: gzip", "", 415),
        ("Content-Type: application/x-ndjson", "?renumber=1", 400),
        ("Content-Type: application/x-ndjson", "?dryrun=true", 400),
        ("Content-Type: application/x-ndjson", "?dry_run=true&dry_run=false", 400),
    ])
    func whatIsNoListOfLinesIsRefused(type: String, query: String, status: Int) async throws {
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        try await connection.write(
            head(boss, [type, "Content-Length: 3"], query: query) + "{}\n")
        let answer = try await connection.readAnswer()
        #expect(answer.status == status && answer.code != nil)
    }

    @Test func compressedBytesAreNoUsers() async throws {
        let boss = try await server.newOperator()
        let report = try await importing(boss, [0x1F, 0x8B, 0x08, 0x00, 0x0A, 0x00, 0x80, 0x0A])
        #expect(report.compactMap { $0["kind"] as? String } == ["not readable", "not readable"])
    }

    /// Other bodies keep their limit.
    @Test func onlyThisBodyMayBeLong() async throws {
        let boss = try await server.newOperator()
        for path in [
            "/api/operator/clients", "/api/operator/users/import/", "/api/operator/users/importx", "/api/users",
        ] {
            let answer = try await server.send(
                "POST", path, headers: [boss.basic, Self.type], body: String(repeating: "x", count: 65537))
            #expect(answer.status == 413, "\(path)")
        }
    }

    // MARK: Export

    private func exported(_ account: Account, _ query: String = "") async throws -> [[String: Any]] {
        let connection = try await server.connect()
        try await connection.write(
            "GET /api/operator/users/export\(query) HTTP/1.1\r\nHost: x\r\n\(account.basic)\r\n\r\n")
        let answer = try await connection.readAnswer()
        #expect(answer.status == 200 && answer["Content-Type"] == "application/x-ndjson")
        return Self.objects(in: try await connection.read(until: "\r\n0\r\n\r\n"))
    }

    @Test func everybodyIsExported() async throws {
        let (boss, miguel) = try await (server.newOperator(), server.newAccount())
        let users = try await exported(boss)
        let own = try #require(users.first { $0["id"] as? Int == miguel.id })
        #expect(own["username"] as? String == miguel.name && own["password_hash"] == nil)
        let secret = try await exported(boss, "?include_password_hashes=true")
        let known = try #require(secret.first { $0["id"] as? Int == miguel.id })
        #expect((known["password_hash"] as? String)?.hasPrefix("$argon2id$") == true)
        let events = try await server.send("GET", "/api/operator/events?event=users.exported&limit=100", as: boss)
        let own2 = events.entries.filter { ($0["actor"] as? [String: Any])?["id"] as? String == "\(boss.id)" }
        #expect(own2.count == 2)
        #expect(try await server.send("HEAD", "/api/operator/users/export", as: boss).status == 200)
        #expect(try await server.send("GET", "/api/operator/users/export?hashes=true", as: boss).status == 400)
    }

    private func exportedNames(_ account: Account) async throws -> [String] {
        try await exported(account).compactMap { $0["username"] as? String }
    }

    @Test func whoIsDeletedMeanwhileSpoilsNothing() async throws {
        let boss = try await server.newOperator()
        let prefix = RunningServer.newName("gone")
        let lines = (0..<3000).map { Self.line("\(prefix)-\($0)") }
        #expect(try await importing(boss, Array(lines.joined().utf8)).last?["imported"] as? Int == 3000)
        async let exported = exportedNames(boss)
        for number in [0, 1500, 2999] { try await server.command("users", "delete", "\(prefix)-\(number)") }
        let names = try await exported.filter { $0.hasPrefix(prefix) }
        #expect((2997...3000).contains(names.count) && Set(names).count == names.count)
    }

    // MARK: HTTP/2

    @Test func itIsTheSameOverHTTP2() async throws {
        let server = try await RunningServer(["--http2-cleartext", "yes", "--throttle", "no"])
        let boss = try await server.newOperator()
        let lines = (0..<3000).map { Self.line("many-\($0)") }.joined()
        let file = "\(server.directory.path)/users.jsonl"
        try Data(lines.utf8).write(to: URL(fileURLWithPath: file))
        func curl(_ account: Account) async throws -> String {
            let curl = try ExternalProcess(
                ExternalProcess.program("curl"),
                [
                    "-sS", "--http2-prior-knowledge", "-u", "\(account.name):\(account.password)", "-H", Self.type,
                    "--data-binary", "@\(file)",
                    "http://127.0.0.1:\(server.port)\(Self.path)?without_password=true",
                ], directory: server.directory)
            _ = try await curl.exitStatus()
            return curl.outputText
        }
        #expect(try await curl(boss).contains("\"done\":true,\"imported\":3000,"))
        let miguel = try await server.newAccount()
        #expect(try await curl(miguel).contains("\"code\":\"forbidden\""))
        #expect(server.isRunning)
    }

    // MARK: Time

    @Test func itMayTakeLongerThanARequestAndMayNotStall() async throws {
        let server = try await RunningServer(["--request-timeout", "4s", "--throttle", "no"])
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        try await connection.write(head(boss, [Self.type, "Transfer-Encoding: chunked"]))
        let start = ContinuousClock.now
        var count = 0
        while ContinuousClock.now - start < .seconds(6) {
            try await connection.write(Self.chunk(Self.line("slow-\(count)")))
            if count == 0 { #expect(try await connection.readAnswer().status == 200) }
            _ = try await connection.read(until: "}\n")
            count += 1
        }
        #expect(count > 1)
        // From here on nothing comes.
        #expect(await connection.isEnded())
        let next = try await server.connect()
        try await next.write(head(boss, [Self.type, "Content-Length: 0"]))
        #expect(try await next.read(until: "0\r\n\r\n").contains("\"done\":true"))
    }
}
