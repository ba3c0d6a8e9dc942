import Foundation
import Support
import Testing

/// The commands for users, while a server runs on the same database.
@Suite(.server()) struct UsersCommandTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func users(_ arguments: String..., input: String? = nil) async throws -> CommandOutcome {
        try await server.run(["users"] + arguments, input: input)
    }

    /// The listed users with these names.
    private func listed(_ names: [String]) async throws -> [[String: Any]] {
        try await users("list", "--json").output.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }.filter { names.contains($0["username"] as? String ?? "") }
    }

    /// The listed lines with these names, in any case.
    private func lines(_ names: [String]) async throws -> [Substring] {
        let names = names.map { $0.lowercased() }
        return try await users("list").output.split(separator: "\n")
            .filter { names.contains($0.lowercased().components(separatedBy: "\t")[1]) }
    }

    @Test func anAddedUserSignsInAtOnce() async throws {
        let name = RunningServer.newName()
        let outcome = try await users("add", name, "--password-stdin", input: "python\n")
        #expect(outcome.status == 0)
        let id = try #require(try await listed([name]).first?["id"] as? Int)
        #expect(outcome.output == "Added \(name) with id \(id).\n")
        #expect(try await server.send("GET", "/api/resource", headers: [basic(name, "python")]).status == 200)
    }

    @Test func aLinkIsMadeByWhichTheUserSetsAPassword() async throws {
        let account = try await server.newAccount()
        func reset(_ token: String, _ password: String) async throws -> HTTPAnswer {
            try await server.send(
                "PUT", "/api/tokens/reset", headers: ["Content-Type: application/json"],
                body: json(["token": token, "new_password": password]))
        }
        let outcome = try await users("link", account.name)
        #expect(outcome.status == 0 && outcome.output.hasSuffix("\n"), "\(outcome.error)")
        let token = String(outcome.output.dropLast())
        #expect(try await reset(token, "monty").status == 204)
        #expect(try await server.send("GET", "/api/token", headers: [basic(account.name, "monty")]).status == 200)
        #expect(try await reset(token, "again").code == "link_invalid")
        let page = "https://example.com/password"
        let line = try await users("link", "--id", "\(account.id)", "--json", "--password-link-url", page).output
        let link = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(Set(link.keys) == ["token", "expires_at", "url"] && link["expires_at"] is String)
        let second = try #require(link["token"] as? String)
        #expect(link["url"] as? String == "\(page)#\(second)")
        let plain = try await users("link", account.name, "--password-link-url", page).output
        #expect(plain.hasPrefix("\(page)#") && plain.hasSuffix("\n"))
        #expect(try await reset(second, "python").status == 204)
        let nobody = try await users("link", RunningServer.newName())
        #expect(nobody.status == 1 && nobody.error.contains("there is no user") && nobody.output.isEmpty)
    }

    /// When SQLite closes a database, it leaves only the one file.
    @Test func aCommandLeavesNothingBesideTheDatabase() async throws {
        let directory = try TemporaryDirectory()
        let url = "sqlite:rest-auth.sqlite"
        for arguments in [["users", "add", "susan", "--password-stdin"], ["users", "list"], ["keys", "rotate"]] {
            let outcome = try await runCommand(
                arguments + ["--database", url], directory: directory, input: "cat\n")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(directory.contents.sorted() == ["rest-auth.secret", "rest-auth.sqlite"], "\(arguments)")
        }
    }

    @Test func aTakenNameAndABadPasswordAreRefusedInOneLine() async throws {
        let (miguel, susan) = (try await server.newAccount(), RunningServer.newName("susan"))
        for (name, input) in [(miguel.name.uppercased(), "python\n"), (susan, "\n"), ("a:b", "python\n")] {
            let outcome = try await users("add", name, "--password-stdin", input: input)
            #expect(outcome.status == 1)
            #expect(outcome.error.hasPrefix("rest-auth: "))
            #expect(outcome.error.split(separator: "\n").count == 1)
        }
        #expect(try await users("add", susan, "--password-stdin", input: "").status == 1)
        #expect(try await users("add", susan).error.contains("--password-stdin"))
        #expect(try await lines([miguel.name, susan, "a:b"]).count == 1)
    }

    @Test func theListIsInTheOrderOfIdsAndAlsoJSONLines() async throws {
        var accounts: [Account] = []
        for name in ["susan", "miguel", "david"] { accounts.append(try await server.newAccount(name)) }
        _ = try await users("disable", accounts[1].name)
        let users = try await listed(accounts.map(\.name))
        #expect(users.map { $0["username"] as? String } == accounts.map(\.name))
        #expect(users.map { $0["id"] as? Int } == accounts.map(\.id))
        #expect(accounts.map(\.id) == accounts.map(\.id).sorted())
        #expect(users.map { $0["disabled_at"] is String } == [false, true, false])
        #expect(!users.contains { $0.keys.contains("password_hash") })
        #expect(try await lines(accounts.map(\.name)).count == 3)
    }

    @Test func aUserIsShownByNameOrId() async throws {
        let miguel = try await server.newAccount("Miguel")
        #expect(try await users("show", miguel.name.lowercased()).output.contains(miguel.name))
        let shown = try await users("show", "--id", "\(miguel.id)", "--json")
        #expect(shown.output.contains(#""username":"\#(miguel.name)""#))
    }

    @Test(arguments: ["show", "disable", "enable", "delete"])
    func whoDoesNotExistIsAnError(command: String) async throws {
        for reference in [["nobody"], ["--id", "999999999"]] {
            let outcome = try await server.run(["users", command] + reference)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("there is no user"))
        }
        #expect(try await users(command).status != 0)
        #expect(try await users(command, "miguel", "--id", "1").status != 0)
    }

    @Test func anotherPasswordTakesThePlaceOfTheFirst() async throws {
        let miguel = try await server.newAccount()
        #expect(try await users("set-password", miguel.name, "--password-stdin", input: "monty\n").status == 0)
        let monty = basic(miguel.name, "monty")
        #expect(try await server.send("GET", "/api/resource", headers: [monty]).status == 200)
        #expect(try await server.send("GET", "/api/resource", headers: [miguel.basic]).status == 401)
    }

    @Test(arguments: ["disable", "delete"])
    func whoIsRefusedByTheCommandIsRefusedByTheServerWithinASecond(command: String) async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        let connection = try await server.connect()
        // The token is remembered by the server: from here on it reads no row for it.
        for _ in 0..<3 {
            #expect(try await connection.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 200)
        }
        #expect(try await users(command, miguel.name).status == 0)
        try await server.waitForRefusal(of: token)
        #expect(try await connection.send("GET", "/api/token", headers: [miguel.basic]).status == 401)
        #expect(try await connection.send("GET", "/api/token", headers: [basic(token, "x")]).status == 401)
    }

    @Test func anEnabledUserIsAdmittedAgain() async throws {
        let miguel = try await server.newAccount()
        _ = try await users("disable", miguel.name)
        #expect(try await server.send("GET", "/api/resource", headers: [miguel.basic]).status == 401)
        #expect(try await users("enable", miguel.name).status == 0)
        #expect(try await server.send("GET", "/api/resource", headers: [miguel.basic]).status == 200)
    }

    @Test func aDatabaseThatDoesNotExistIsNotMadeByLooking() async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(["users", "list"], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("there is no database rest-auth.sqlite"))
        #expect(directory.contents.isEmpty)
    }
}
