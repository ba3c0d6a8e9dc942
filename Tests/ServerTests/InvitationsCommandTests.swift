import Foundation
import Support
import Testing

/// The commands for invitations, while a server runs on the same database.
@Suite(.server("--registration", "invitation")) struct InvitationsCommandTests {
    let server: RunningServer
    /// A note by which each test knows its own invitations.
    let note: String

    init() throws {
        server = try SharedServer.current()
        note = RunningServer.newName("Jürgen's team")
    }

    private func invitations(_ arguments: String...) async throws -> CommandOutcome {
        try await server.run(["invitations"] + arguments)
    }

    private func list() async throws -> [[String: Any]] {
        try await invitations("list", "--json").output.split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }.filter { $0["note"] as? String == note }
    }

    private func register(_ username: String, _ code: String) async throws -> Int {
        try await server.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": RunningServer.newName(username), "password": "python", "invitation": code])
        ).status
    }

    @Test func codesAreShownOnceAndEachIsGoodForOne() async throws {
        let created = try await invitations("create", "--count", "3", "--note", note, "--expires-in", "30d")
        #expect(created.status == 0)
        let codes = created.output.split(separator: "\n").map(String.init)
        #expect(Set(codes).count == 3)
        for code in codes { #expect(code.wholeMatch(of: /([2-9A-Z]{4}-){6}[2-9A-Z]{4}/) != nil) }
        let lines = try await list()
        #expect(lines.map { $0["note"] as? String } == [note, note, note])
        for line in lines {
            #expect(Set(line.keys) == ["id", "note", "created_at", "expires_at"])
            let dates = try ["created_at", "expires_at"].map { name in
                try Date(#require(line[name] as? String), strategy: .iso8601)
            }
            #expect(dates[1].timeIntervalSince(dates[0]) == 30 * 86400)
        }
        let text = try await invitations("list").output
        #expect(text.split(separator: "\n").filter { $0.hasSuffix("\t\(note)") }.count == 3)
        for code in codes { #expect(!text.contains(code)) }
        #expect(try await register("miguel", codes[1]) == 201)
        #expect(try await register("susan", codes[1]) == 403)
        #expect(try await list().count == 2)
    }

    @Test func anInvitationIsTakenBack() async throws {
        let code = try await invitations("create", "--note", note).output.trimmingCharacters(in: .newlines)
        let id = try #require(try await list().first?["id"] as? String)
        #expect(try await invitations("delete", id).output == "Deleted \(id).\n")
        #expect(try await register("miguel", code) == 403)
        let again = try await invitations("delete", id)
        #expect(again.status == 1)
        #expect(again.error == "rest-auth: there is no invitation \(id)\n")
        #expect(try await !invitations("list").output.contains(id))
    }

    @Test func anInvitationEnds() async throws {
        let created = try await invitations("create", "--expires-in", "1s", "--note", note)
        let code = created.output.trimmingCharacters(in: .newlines)
        try await wait(for: "the invitation to expire") { try await list().isEmpty }
        #expect(try await register("miguel", code) == 403)
    }

    /// Uses a database of its own, because it counts invitations.
    @Test func whatCannotBeIsAnErrorAndMakesNothing() async throws {
        let server = try await RunningServer()
        for arguments in [
            ["create", "--expires-in", "0d"], ["create", "--expires-in", "7"], ["create", "--expires-in", "7w"],
            ["create", "--expires-in", "d"], ["create", "--expires-in", "-1d"], ["create", "--expires-in", "367d"],
            ["create", "--expires-in", "99999999999999999d"], ["create", "--count", "0"],
            ["create", "--count", "1001"],
            ["create", "--note", "a\nb"], ["create", "--note", String(repeating: "x", count: 201)], ["delete"],
            ["delete", "nonsense"], ["nonsense"],
        ] {
            let outcome = try await server.run(["invitations"] + arguments)
            #expect(outcome.status != 0, "\(arguments)")
            #expect(outcome.output.isEmpty, "\(arguments)")
            #expect(!outcome.error.isEmpty, "\(arguments)")
            #expect(!outcome.error.contains("Fatal"), "\(arguments)")
        }
        for form in [[], ["--json"]] {
            let list = try await server.run(["invitations", "list"] + form)
            #expect(list.status == 0)
            #expect(list.output.isEmpty)
        }
    }
}
