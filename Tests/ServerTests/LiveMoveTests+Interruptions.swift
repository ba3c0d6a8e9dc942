import Foundation
import Support
import Testing

extension LiveMoveTests {
    @Test func anImportThatWasKilledIsRepeatedAndTheOldServerRunsOn() async throws {
        try await fill(60_000, "--once")
        let before = try digest(oldDatabase)
        #expect(try await killWhileImporting())
        #expect(try digest(oldDatabase) == before)
        #expect(besideTheOldDatabase == ["data.sqlite"])
        let old = try await startFlask()
        #expect(try await old.send("GET", "/api/resource", headers: [basic("user-7", "python")]).status == 200)
        try await old.stop()

        let outcome = try await run(Self.importing)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("refused: 0."))
        let rows = try await storedUsers()
        #expect(rows.count == 60_000)
        #expect(rows.enumerated().allSatisfy { $1.hasPrefix("[\($0 + 1),\($0 + 1),\"user-\($0 + 1)\",") })
        #expect(try digest(oldDatabase) == before)
    }

    /// Kills an import in the middle; starts again when it had already ended.
    private func killWhileImporting() async throws -> Bool {
        for _ in 1...50 {
            for name in directory.contents where name.hasPrefix("rest-auth.") {
                try FileManager.default.removeItem(atPath: "\(directory.path)/\(name)")
            }
            let process = try ExternalProcess(ExternalProcess.restAuth, Self.importing, directory: directory)
            try await wait(for: "a part") { process.errorText.contains("importing, ") || !process.isRunning }
            process.kill()
            let status = try await process.exitStatus()
            try #require(status == SIGKILL || status == 0, "\(process.errorText)")
            let count = try await storedHashes().count
            #expect(count >= 1)
            if status == SIGKILL, count < 60_000 { return true }
        }
        return false
    }

    @Test func aNewServerThatIsGivenUpLeavesTheOldOneAsItWas() async throws {
        try await fill(20)
        let before = try digest(oldDatabase)
        #expect(try await run(Self.importing).status == 0)
        let new = try await startNew(secret: secret)
        _ = try await new.register("newcomer", "python")
        let held = try await madeToken(5, "pyjwt", seconds: 600)
        #expect(try await new.send("GET", "/api/resource", headers: [bearer(held)]).status == 200)
        try await new.kill()
        #expect(try digest(oldDatabase) == before)
        #expect(besideTheOldDatabase == ["data.sqlite"])
        let old = try await startFlask()
        #expect(try await old.send("GET", "/api/resource", headers: [basic("user-7", "password-7")]).status == 200)
        // A user who registers there meanwhile comes with the next import.
        let body = json(["username": "latecomer", "password": "python"])
        #expect(try await old.send("POST", "/api/users", headers: Self.isJSON, body: body).status == 201)
        try await old.stop()
        let again = try await run(Self.importing + ["--renumber"])
        #expect(again.output == "Imported: 1, of these with another id 1; there already: 20; refused: 0.\n")
        // The user has another id here, and the tokens still carry the old one.
        let later = try await startNew(secret: secret)
        for (id, name) in [(21, "latecomer"), (5, "user-5")] {
            let token = try await madeToken(id, "itsdangerous", seconds: 600)
            let answer = try await later.send("GET", "/api/resource", headers: [bearer(token)])
            #expect(answer.json["data"] as? String == "Hello, \(name)!")
        }
        #expect(try await later.stop() == 0)
    }

    @Test(arguments: ["the quick brown fox jumps over the lazy dog", "short", "hard to guess string"])
    func aServerDoesNotStartWithASecretThatOthersKnow(known: String) async throws {
        let outcome = try await runCommand(
            ["serve", "--port", "0"], environment: ["REST_AUTH_LEGACY_SECRET": known], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("REST_AUTH_LEGACY_SECRET: the legacy secret is published or easy to guess"))
        #expect(outcome.error.contains("go without it"))
        #expect(!outcome.error.contains(known))
        #expect(directory.contents.isEmpty)
    }

    @Test func theSecretIsNeverShown() async throws {
        let outcome = try await runCommand(
            ["config", "check"], environment: ["REST_AUTH_LEGACY_SECRET": secret], directory: directory)
        #expect(outcome.output.contains("legacy_secret = (secret)"))
        #expect(!(outcome.output + outcome.error).contains(secret))
        #expect(try await run(["serve", "--legacy-secret", secret]).status != 0)
    }

    /// The page shows the commands that this test runs.
    @Test func thePageHasTheseCommands() throws {
        let file = "Sources/RESTAuth/RESTAuth.docc/Moving-from-Flask.md"
        let page = try String(contentsOf: ExternalProcess.repository.appendingPathComponent(file), encoding: .utf8)
        for command in [Self.trial, Self.importing] {
            #expect(page.contains("    $ rest-auth \(command.joined(separator: " "))\n"))
        }
        #expect(page.contains("    $ \(Self.serving)\n"))
    }
}
