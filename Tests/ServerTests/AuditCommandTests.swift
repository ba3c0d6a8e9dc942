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
            try await audit("verify").output.split(separator: "\n").count == 1
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
        #expect(lines.dropLast().map { $0["user_id"] as? Int } == [miguel.id, susan.id])
        #expect(lines.last?["head"] as? String == head)
        let verified = try await audit("verify", "--since-head", head)
        #expect(verified.status == 0)
        #expect(verified.output.contains("events are as they were sealed"))
        let file = server.directory.path + "/heads.txt"
        try Data("\(head)\n\(head)\n".utf8).write(to: URL(fileURLWithPath: file))
        #expect(try await audit("verify", "--since-head", file).status == 0)
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
            ["list", "--since", "yesterday"], ["list", "--since", "7x"], ["list", "--until", ""],
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
            INSERT INTO audit_events (at, name, actor_kind, actor_id, address, details)
            VALUES (1, 'a\u{1B}[2J', 'operator', 'b\u{9B}31m\u{202E}', 'c\nd', '{"e":"\u{85}"}')
            """)
        let output = try await audit("list").output
        let scalars = output.unicodeScalars.filter { [.control, .format].contains($0.properties.generalCategory) }
        #expect(!scalars.contains { $0 != "\t" && $0 != "\n" })
        #expect(output.contains("u{1b}"))
    }
}
