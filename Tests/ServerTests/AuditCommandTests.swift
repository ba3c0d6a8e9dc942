import Foundation
import GRDB
import Support
import Testing

/// The audit trail as an operator uses it.
@Suite struct AuditCommandTests {
    /// Each test has its own server, and so its own trail.
    let server: RunningServer

    init() async throws { server = try await RunningServer() }

    private func audit(_ arguments: String...) async throws -> CommandOutcome {
        try await server.run(["audit"] + arguments)
    }

    /// Waits until all events so far are sealed, and returns the head.
    private func head() async throws -> String {
        try await wait(for: "all to be sealed") {
            let verified = try await audit("verify")
            return verified.status == 0 && !verified.output.contains("wait for their seal")
        }
        return try await audit("head").output.trimmingCharacters(in: .newlines)
    }

    private func change(_ sql: String) throws {
        let queue = try DatabaseQueue(path: server.databasePath)
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    @Test func whatHappenedIsListedVerifiedAndExported() async throws {
        let miguel = try await server.newAccount()
        let susan = try await server.newAccount("susan")
        _ = try await server.signIn(miguel)
        _ = try await server.signIn(susan)
        let head = try await head()
        #expect(head.wholeMatch(of: /[0-9]+ [0-9a-f]{64} [0-9T:.-]+Z/) != nil)
        let listed = try await audit("list", "--user", miguel.name).output.split(separator: "\n")
        #expect(listed.count >= 2)
        #expect(listed.allSatisfy { $0.contains("\tuser \(miguel.id)\t") })
        #expect(listed.first?.contains("\"session.started\"") == true)
        #expect(try await audit("list", "--id", "\(susan.id)", "--limit", "1").output.split(separator: "\n").count == 1)
        #expect(try await audit("list", "--since", "2999-01-01").output.isEmpty)
        #expect(try await audit("list", "--until", "7d").output.isEmpty)
        let starts = try await audit("export", "--event", "session.started", "--since", "1h").output
        let lines = try starts.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        #expect(lines.dropFirst().dropLast().map { $0["user_id"] as? Int } == [miguel.id, susan.id])
        #expect((lines.first?["anchor"] as? [String: Any])?["number"] as? Int == 0)
        #expect(lines.last?["head"] as? String == head)
        let verified = try await audit("verify", "--since-head", head)
        #expect(verified.status == 0)
        #expect(verified.output.contains("events are as they were sealed"))
        let file = server.directory.path + "/heads.txt"
        try Data("\(head)\r\n\n\(head)".utf8).write(to: URL(fileURLWithPath: file))
        #expect(try await audit("verify", "--since-head", file).status == 0)
        let piped = try await server.run(["audit", "verify", "--since-head", "-"], input: "\(head)\n")
        #expect(piped.status == 0, "\(piped.error)")
        #expect(try await audit("list", "--since", "1d12h", "--until", "0s").output == audit("list").output)
    }

    /// Checks an export with nothing but the page *Audit*, as anybody can.
    @Test func anExportCanBeCheckedAgainstItsHead() async throws {
        for _ in 0..<3 { _ = try await server.newAccount() }
        let head = try await head()
        try change(
            """
            INSERT INTO audit_events (at, name, actor_kind, actor_id, details, number, seal)
            VALUES (1900000000.000001, 'user.enabled', 'operator', '', '{}', 9000, x'00')
            """)
        let text = try await audit("export").output
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/audit_export.py").path
        let checked = try await ExternalProcess(
            ExternalProcess.program("python3"), [script], directory: server.directory, input: .text(text)
        ).outcome()
        #expect(checked.status == 0 && checked.output == "\(head)\n1\n", "\(checked.error)")
    }

    @Test func aTrailThatIsBrokenIsExportedAndBeginsAnew() async throws {
        for _ in 0..<3 { _ = try await server.newAccount() }
        let head = try await head()
        try change("UPDATE audit_chain SET seal = zeroblob(36)")
        let broken = try await audit("export")
        #expect(broken.status == 1 && broken.error.contains("broken"))
        #expect(broken.output.split(separator: "\n").count >= 5)
        for arguments in [["--reason", "lost"], ["--force"], ["--force", "--reason", ""]] {
            let outcome = try await server.run(["audit", "restart"] + arguments)
            #expect(outcome.status != 0 && outcome.output.isEmpty, "\(arguments)")
        }
        #expect(try await audit("verify").status == 1)
        let number = try #require(head.split(separator: " ").first.flatMap { Int($0) })
        let restarted = try await audit("restart", "--force", "--reason", "seal lost")
        #expect(restarted.status == 0 && restarted.output.contains("after number \(number)."), "\(restarted.error)")
        let verified = try await audit("verify")
        #expect(verified.status == 0, "\(verified.error)")
        let last = try await audit("list", "--limit", "1").output
        #expect(last.contains(#""audit.restarted""#) && last.contains(#"reason="seal lost""#), "\(last)")
        #expect(last.contains("by \"operator\" \"\(NSUserName())\""))
        // The server continues to record and seal events.
        _ = try await server.newAccount()
        #expect(try await self.head() != head)
        #expect(try await audit("verify", "--since-head", head).error.contains("begun anew"))
    }

    @Test func whatIsNoListOfHeadsIsRefusedAtTheLine() async throws {
        _ = try await server.newAccount()
        let head = try await head()
        let file = server.directory.path + "/heads.txt"
        func expect(_ words: String, _ text: String) async throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            let outcome = try await audit("verify", "--since-head", file)
            #expect(outcome.status == 1 && outcome.error.contains(words), "\(outcome.error)")
        }
        try await expect("line 4 of", "\(head)\n\n\n1 2 3\n")
        try await expect("line 2 of", "\(head)\n\(String(repeating: " ", count: 5000))\n")
        try await expect("no head", "\n \n")
        try await expect("no head", "")
        let pipe = server.directory.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        for path in [pipe, "/dev/zero", server.directory.path + "/nothing"] {
            let outcome = try await audit("verify", "--since-head", path)
            #expect(outcome.status == 1 && outcome.error.contains("not a file that can be read"), "\(outcome.error)")
        }
    }

    @Test func whatWasTamperedWithEndsWithStatusOneAndANumber() async throws {
        for _ in 0..<3 { _ = try await server.newAccount() }
        let head = try await head()
        try change("UPDATE audit_events SET user_id = 100 WHERE number = 2")
        let altered = try await audit("verify")
        #expect(altered.status == 1)
        #expect(altered.error.contains("row 2 is not what was sealed"))
        try change("DELETE FROM audit_events; DELETE FROM audit_chain")
        let removed = try await audit("verify", "--since-head", head)
        #expect(removed.status == 1)
        #expect(removed.error.contains("missing"))
    }

    @Test func whatCannotBeIsAnErrorInAFewWords() async throws {
        let file = server.directory.path + "/heads.txt"
        try Data("no head\n".utf8).write(to: URL(fileURLWithPath: file))
        for arguments in [
            ["list", "--since", "yesterday"], ["list", "--since", "7x"], ["list", "--since", "12h1d"],
            ["list", "--since", "3600"], ["list", "--until", ""],
            ["list", "--since", "99999999999999999999d"], ["list", "--event", "nothing.happened"],
            ["list", "--user", "nobody"], ["list", "--limit", "0"], ["list", "--user", "a", "--id", "1"],
            ["export", "--limit", "x"], ["verify", "--since-head", "1 2 3"], ["verify", "--since-head", file],
            ["verify", "--since-head", server.directory.path], ["nothing"],
        ] {
            let outcome = try await server.run(["audit"] + arguments)
            #expect(outcome.status != 0, "\(arguments)")
            #expect(!outcome.error.isEmpty && outcome.output.isEmpty, "\(arguments)")
            #expect(!outcome.error.contains("Fatal"), "\(arguments)")
        }
    }

    @Test func whatIsInTheRowsCannotSteerTheTerminal() async throws {
        _ = try await server.newAccount()
        try change(
            """
            PRAGMA ignore_check_constraints = 1;
            INSERT INTO audit_events (at, name, actor_kind, actor_id, address, details)
            VALUES (1, 'a\u{1B}[2J', 'operator\u{1B}[3J', 'b\u{9B}31m\u{202E}', 'c\nd', '{"e":"\u{85}"}')
            """)
        let output = try await audit("list").output
        let scalars = output.unicodeScalars.filter { [.control, .format].contains($0.properties.generalCategory) }
        #expect(!scalars.contains { $0 != "\t" && $0 != "\n" })
        #expect(output.contains("u{1b}"))
    }
}
