import Foundation
import Support
import Testing

/// Invitations for an operator, while a server runs on the same database.
@Suite struct InvitationsCommandTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer(["--registration", "invitation"])
    }

    private func invitations(_ arguments: String...) async throws -> CommandOutcome {
        try await server.run(["invitations"] + arguments)
    }

    private func list() async throws -> [[String: Any]] {
        try await invitations("list", "--json").output.split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    private func register(_ username: String, _ code: String) throws -> Int {
        try server.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": username, "password": "python", "invitation": code])
        ).status
    }

    @Test func codesAreShownOnceAndEachIsGoodForOne() async throws {
        let created = try await invitations("create", "--count", "3", "--note", "Jürgen's team", "--expires-in", "30d")
        #expect(created.status == 0)
        let codes = created.output.split(separator: "\n").map(String.init)
        #expect(Set(codes).count == 3)
        for code in codes { #expect(code.wholeMatch(of: /([2-9A-Z]{4}-){6}[2-9A-Z]{4}/) != nil) }
        let lines = try await list()
        #expect(lines.map { $0["note"] as? String } == ["Jürgen's team", "Jürgen's team", "Jürgen's team"])
        for line in lines {
            #expect(Set(line.keys) == ["id", "note", "created_at", "expires_at"])
            let dates = try ["created_at", "expires_at"].map {
                try Date(#require(line[$0] as? String), strategy: .iso8601)
            }
            #expect(dates[1].timeIntervalSince(dates[0]) == 30 * 86400)
        }
        let text = try await invitations("list").output
        #expect(text.split(separator: "\n").count == 3)
        for code in codes { #expect(!text.contains(code)) }
        #expect(try register("miguel", codes[1]) == 201)
        #expect(try register("susan", codes[1]) == 403)
        #expect(try await list().count == 2)
    }

    @Test func anInvitationIsTakenBack() async throws {
        let code = try await invitations("create").output.trimmingCharacters(in: .newlines)
        let id = try #require(try await list().first?["id"] as? String)
        #expect(try await invitations("delete", id).output == "Deleted \(id).\n")
        #expect(try register("miguel", code) == 403)
        let again = try await invitations("delete", id)
        #expect(again.status == 1)
        #expect(again.error == "rest-auth: there is no invitation \(id)\n")
        #expect(try await invitations("list").output.isEmpty)
    }

    @Test func anInvitationEnds() async throws {
        let code = try await invitations("create", "--expires-in", "1s").output.trimmingCharacters(in: .newlines)
        try await wait(seconds: 5, for: "the invitation to expire") { try await list().isEmpty }
        #expect(try register("miguel", code) == 403)
    }

    @Test(arguments: [
        ["create", "--expires-in", "0d"], ["create", "--expires-in", "7"], ["create", "--expires-in", "7w"],
        ["create", "--expires-in", "d"],
        ["create", "--expires-in", "-1d"], ["create", "--expires-in", "367d"],
        ["create", "--expires-in", "99999999999999999d"],
        ["create", "--count", "0"], ["create", "--count", "1001"], ["create", "--note", "a\nb"],
        ["create", "--note", String(repeating: "x", count: 201)], ["delete"], ["delete", "nonsense"], ["nonsense"],
    ])
    func whatCannotBeIsAnErrorAndMakesNothing(arguments: [String]) async throws {
        let outcome = try await server.run(["invitations"] + arguments)
        #expect(outcome.status != 0)
        #expect(outcome.output.isEmpty)
        #expect(!outcome.error.isEmpty)
        #expect(!outcome.error.contains("Fatal"))
        #expect(try await list().isEmpty)
    }
}
