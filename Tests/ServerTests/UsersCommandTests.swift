import Foundation
import Support
import Testing

/// The commands for an operator, while a server runs on the same database.
@Suite struct UsersCommandTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
    }

    private func users(_ arguments: String..., input: String? = nil) async throws -> CommandOutcome {
        try await server.run(["users"] + arguments, input: input)
    }

    @Test func anAddedUserSignsInAtOnce() async throws {
        let outcome = try await users("add", "miguel", "--password-stdin", input: "python\n")
        #expect(outcome.status == 0)
        #expect(outcome.output == "Added miguel with id 1.\n")
        #expect(try server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }

    @Test func aTakenNameAndABadPasswordAreRefusedInOneLine() async throws {
        _ = try server.register("miguel", "python")
        for (name, input) in [("MIGUEL", "python\n"), ("susan", "\n"), ("a:b", "python\n")] {
            let outcome = try await users("add", name, "--password-stdin", input: input)
            #expect(outcome.status == 1)
            #expect(outcome.error.hasPrefix("rest-auth: "))
            #expect(outcome.error.split(separator: "\n").count == 1)
        }
        #expect(try await users("add", "susan", "--password-stdin", input: "").status == 1)
        #expect(try await users("add", "susan").error.contains("--password-stdin"))
        #expect(try await users("list").output.split(separator: "\n").count == 1)
    }

    @Test func theListIsInTheOrderOfIdsAndAlsoJSONLines() async throws {
        for name in ["susan", "miguel", "david"] { _ = try server.register(name, "python") }
        _ = try await users("disable", "miguel")
        let lines = try await users("list", "--json").output.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        #expect(lines.map { $0["username"] as? String } == ["susan", "miguel", "david"])
        #expect(lines.map { $0["id"] as? Int } == [1, 2, 3])
        #expect(lines.map { $0["disabled_at"] is String } == [false, true, false])
        #expect(!lines.contains { $0.keys.contains("password_hash") })
        #expect(try await users("list").output.split(separator: "\n").count == 3)
    }

    @Test func aUserIsShownByNameOrId() async throws {
        _ = try server.register("Miguel", "python")
        #expect(try await users("show", "miguel").output.contains("Miguel"))
        #expect(try await users("show", "--id", "1", "--json").output.contains(#""username":"Miguel""#))
    }

    @Test(arguments: [["show"], ["disable"], ["enable"], ["delete"]])
    func whoDoesNotExistIsAnError(command: [String]) async throws {
        for reference in [["nobody"], ["--id", "99"]] {
            let outcome = try await server.run(["users"] + command + reference)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("there is no user"))
        }
        #expect(try await users(command[0]).status != 0)
        #expect(try await users(command[0], "miguel", "--id", "1").status != 0)
    }

    @Test func anotherPasswordTakesThePlaceOfTheFirst() async throws {
        _ = try server.register("miguel", "python")
        #expect(try await users("set-password", "miguel", "--password-stdin", input: "monty\n").status == 0)
        #expect(try server.send("GET", "/api/resource", headers: [basic("miguel", "monty")]).status == 200)
        #expect(try server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 401)
    }

    @Test(arguments: ["disable", "delete"])
    func whoIsRefusedByTheCommandIsRefusedByTheServerWithinASecond(command: String) async throws {
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        let connection = try server.connect()
        // The token is known to the server: from here on it reads no row for it.
        for _ in 0..<3 {
            #expect(try connection.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 200)
        }
        #expect(try await users(command, "miguel").status == 0)
        try await server.waitForRefusal(of: token)
        #expect(try connection.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 401)
        #expect(try connection.send("GET", "/api/token", headers: [basic(token, "x")]).status == 401)
    }

    @Test func anEnabledUserIsAdmittedAgain() async throws {
        _ = try server.register("miguel", "python")
        _ = try await users("disable", "miguel")
        #expect(try server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 401)
        #expect(try await users("enable", "miguel").status == 0)
        #expect(try server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }

    @Test func aDatabaseThatDoesNotExistIsNotMadeByLooking() async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(["users", "list"], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("there is no database rest-auth.sqlite"))
        #expect(directory.contents.isEmpty)
    }
}
