import Foundation
import Support
import Testing

/// What an import takes of the server, and which rules of the settings it keeps. Each test has a
/// server of its own, as one import runs at a time.
@Suite struct OperatorBulkLimitsTests {
    private static let path = "/api/operator/users/import"
    private static let type = "Content-Type: application/x-ndjson"

    private static func line(_ name: String, _ more: String = "") -> String {
        "{\"username\":\"\(name)\",\"password_hash\":\"!\"\(more)}\n"
    }

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    private func importing(_ body: String, at server: RunningServer, as account: Account) async throws -> String {
        let connection = try await server.connect()
        try await connection.write(head(account, "Content-Length: \(body.utf8.count)") + body)
        return try await connection.read(until: "\r\n0\r\n\r\n")
    }

    private func head(_ account: Account, _ length: String) -> String {
        """
        POST \(Self.path)?without_password=true HTTP/1.1\r\nHost: x\r\n\(account.basic)\r\n\(Self.type)\r\n\
        \(length)\r\n\r\n
        """
    }

    // MARK: Time

    /// Bytes that keep trickling in are no line.
    @Test(arguments: ["x", " "]) func aLineThatTakesTooLongEndsTheImport(byte: String) async throws {
        let server = try await RunningServer(["--request-timeout", "4s", "--throttle", "no"])
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        try await connection.write(head(boss, "Transfer-Encoding: chunked"))
        try await connection.write(Self.chunk(Self.line("susan")))
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.read(until: "}\n").contains("susan"))
        try await wait(for: "the next import to be admitted") {
            try await connection.write(Self.chunk(byte))
            let next = try await server.send(
                "POST", Self.path, headers: [boss.basic, Self.type], body: "")
            #expect(next.status == 200 || next.code == "import_running")
            return next.status == 200
        }
        let end = try await connection.read(until: "}\n")
        #expect(end.contains("\"done\":false,\"imported\":1,") && end.contains("\"code\":\"bad_request\""), "\(end)")
        #expect(await connection.isEnded())
        let names = try await server.send("GET", "/api/operator/users", as: boss).entries.map {
            $0["username"] as? String
        }
        #expect(names.contains("susan") && names.count == 2)
    }

    /// A client that sends nothing is told as well.
    @Test func aBodyThatStallsIsSaidToBeIncomplete() async throws {
        let server = try await RunningServer(["--request-timeout", "4s", "--throttle", "no"])
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        try await connection.write(head(boss, "Content-Length: 1000") + Self.line("susan") + "{\"username\":\"david\"")
        let end = try await connection.read(until: "\r\n0\r\n\r\n")
        #expect(end.contains("susan") && end.contains("\"done\":false,\"imported\":1,"), "\(end)")
        #expect(await connection.isEnded())
    }

    /// Its route is at work already, so it answers, and the log has what the client got.
    @Test(arguments: [(true, 200), (false, 401)])
    func whatIsNoBodyIsLoggedAsItIsAnswered(isOperator: Bool, status: Int) async throws {
        let server = try await RunningServer(["--throttle", "no"])
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        let head = head(boss, "Transfer-Encoding: chunked")
            .replacing(boss.basic, with: isOperator ? boss.basic : basic(boss.name, "wrong"))
        try await connection.write(head + "zz\r\n")
        #expect(try await connection.readAnswer().status == status)
        if isOperator { #expect(try await connection.read(until: "}\n").contains("\"done\":false,\"imported\":0,")) }
        #expect(await connection.isEnded())
        try await wait(for: "the line") { server.log.contains("route=\(Self.path) status=") }
        #expect(server.log.contains("route=\(Self.path) status=\(status)"))
    }

    // MARK: Size

    @Test func blankLinesCostNothingAndAreCounted() async throws {
        let server = try await RunningServer(["--throttle", "no"])
        let boss = try await server.newOperator()
        let blank = String(repeating: "\n \t\r\n", count: 1_000_000)
        let wide = String(repeating: " ", count: 1_000_000) + "\n"
        let report = try await importing(blank + wide + Self.line("susan") + blank + " ", at: server, as: boss)
        #expect(report.contains("{\"line\":2000002,\"username\":\"susan\""))
        #expect(report.contains("{\"done\":true,\"imported\":1,"))
        #expect(report.matches(of: /"line":/).count == 1)
        #expect(try await importing(blank, at: server, as: boss).matches(of: /\{/).count == 1)
    }

    // MARK: Ids

    @Test func idsComeInAnyOrder() async throws {
        let server = try await RunningServer(["--throttle", "no"])
        let boss = try await server.newOperator()
        let connection = try await server.connect()
        try await connection.write(head(boss, "Transfer-Encoding: chunked"))
        for (index, id) in [90, 30, 60, 31].enumerated() {
            try await connection.write(Self.chunk(Self.line("user-\(id)", ",\"id\":\(id)")))
            if index == 0 { #expect(try await connection.readAnswer().status == 200) }
            #expect(try await connection.read(until: "}\n").contains("\"outcome\":\"without password\",\"id\":\(id)"))
        }
        try await connection.write("0\r\n\r\n")
        #expect(try await connection.read(until: "0\r\n\r\n").contains("\"imported\":4,\"renumbered\":0"))
        #expect(try await server.newAccount().id == 91)
    }

    // MARK: Settings

    @Test func theRulesOfTheSettingsAreKept() async throws {
        let server = try await RunningServer([
            "--throttle", "no", "--sign-in-by-email", "yes", "--token-claims", "plan",
        ])
        let boss = try await server.newOperator()
        let claim = String(repeating: "x", count: 1024)
        let report = try await importing(
            Self.line("susan@example.com") + Self.line("david", ",\"app_metadata\":{\"plan\":\"\(claim)\"}")
                + Self.line("anna", ",\"app_metadata\":{\"plan\":\"pro\"},\"email\":\"a@b\",\"email_verified\":true"),
            at: server, as: boss)
        #expect(report.contains("\"line\":1,\"username\":\"susan@example.com\",\"outcome\":\"refused\""))
        #expect(report.contains("sign_in_by_email") && report.contains("1024 bytes"), "\(report)")
        #expect(report.contains("\"imported\":1,") && report.contains("\"refused\":2"))
    }
}
