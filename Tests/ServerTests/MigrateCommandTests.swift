import Foundation
import GRDB
import RESTAuthSQLite
import Support
import Testing

/// The command that moves everything, as an operator runs it: from one database into another.
@Suite struct MigrateCommandTests {
    let directory: TemporaryDirectory
    var source: String { directory.path + "/source.sqlite" }
    var target: String { directory.path + "/rest-auth.sqlite" }

    init() throws { directory = try .withSQLite() }

    private var arguments: [String] { ["migrate", "--from", "sqlite:\(source)", "--to", "sqlite:\(target)"] }

    private func migrate() async throws -> CommandOutcome { try await runCommand(arguments, directory: directory) }

    private func count(_ sql: String, in path: String) async throws -> Int? {
        try await DatabaseQueue(path: path).read { try Int.fetchOne($0, sql: sql) }
    }

    @Test func whoWasSignedInStaysSoOnTheNewDatabase() async throws {
        let old = try await RunningServer(directory: .withSQLite())
        for name in ["miguel", "susan", "david"] { try await old.register(name, "python") }
        let signedIn = try await old.signIn()
        try await old.command("users", "delete", "david")
        #expect(try await old.stop() == 0)
        let outcome = try await runCommand(
            ["migrate", "--from", "sqlite:\(old.databasePath)", "--to", "sqlite:\(target)"], directory: directory)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("users 2"))
        let secret = old.directory.path + "/rest-auth.secret"
        #expect(outcome.output.contains("The secret in \(secret) did not move"))
        #expect(outcome.output.contains("copy it to \(directory.path)/rest-auth.secret"))
        // Without a terminal, progress is written in lines without cursor control.
        #expect(outcome.error.contains("copying, ") && outcome.error.contains("checking, 100 %"))
        #expect(!outcome.error.contains("\r"))
        try FileManager.default.copyItem(atPath: secret, toPath: directory.path + "/rest-auth.secret")
        let new = try await RunningServer(directory: directory)
        #expect(try await new.send("GET", "/api/resource", headers: [bearer(signedIn.access)]).status == 200)
        #expect(try await new.refresh(signedIn.refresh).status == 200)
        #expect(try await new.send("GET", "/api/resource", headers: [basic("susan", "python")]).status == 200)
        #expect(try await new.send("GET", "/api/resource", headers: [basic("david", "python")]).status == 401)
        // The id of a deleted user is not reused.
        #expect(try await new.register("erin", "python")["Location"]?.hasSuffix("/4") == true)
    }

    /// The test tries again when the step is over before the kill.
    @Test(arguments: ["copying", "checking"])
    func aMoveThatWasKilledIsRepeatedAndGoesOn(step: String) async throws {
        let users = Soak.count(20_000, soak: 50_000)
        try await fillSource(users: users)
        try await wait(for: "a kill in its midst") {
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: target + suffix) }
            let process = try ExternalProcess(ExternalProcess.restAuth, arguments, directory: directory)
            try await wait(for: "a step") { process.errorText.contains(step) || !process.isRunning }
            process.kill()
            guard try await process.exitStatus() == SIGKILL,
                try await count("SELECT count(*) FROM unfinished_transfer", in: target) == 1
            else { return false }
            let copied = try #require(try await count("SELECT count(*) FROM users", in: target))
            if step == "checking" { #expect(copied == users) }
            return step == "checking" || (1..<users).contains(copied)
        }

        for command in [["users", "list"], ["serve", "--port", "0"]] {
            let refused = try await runCommand(command + ["--database", "sqlite:\(target)"], directory: directory)
            #expect(refused.status == 1)
            #expect(refused.error.contains("only partly filled from sqlite:\(source)"))
        }
        let outcome = try await migrate()
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("users \(users)"))
        #expect(try await count("SELECT count(*) FROM users", in: target) == users)
        let again = try await migrate()
        #expect(again.status == 1)
        #expect(again.error.contains("is not empty"))
    }

    @Test func aSourceThatDoesNotExistIsAnErrorAndNothingIsMade() async throws {
        let outcome = try await migrate()
        #expect(outcome.status == 1)
        #expect(outcome.error == "rest-auth: there is no database \(source)\n")
        #expect(directory.contents.isEmpty)
    }

    @Test(arguments: [
        [], ["--from", "sqlite:a.sqlite"], ["--to", "sqlite:a.sqlite"],
        ["--from", "a.sqlite", "--to", "sqlite:b.sqlite"],
        ["--from", "sqlite:a.sqlite", "--to", "mysql://localhost/b"],
        ["--from", "sqlite:", "--to", "sqlite:b.sqlite"],
    ])
    func whatNamesNoTwoDatabasesIsRefused(arguments: [String]) async throws {
        let outcome = try await runCommand(["migrate"] + arguments, directory: directory)
        #expect(outcome.status != 0)
        #expect(directory.contents.isEmpty)
    }

    @Test func aTargetWithUsersIsLeftUntouched() async throws {
        try await fillSource(users: 3)
        _ = try await runCommand(
            ["users", "add", "resident", "--password-stdin", "--database", "sqlite:\(target)"], directory: directory,
            input: "python\n")
        let outcome = try await migrate()
        #expect(outcome.status == 1)
        #expect(
            outcome.error
                == "rest-auth: sqlite:\(target) is not empty and was left untouched; name a database that is new\n")
        #expect(try await count("SELECT count(*) FROM users", in: target) == 1)
    }

    @Test func aDatabaseDoesNotMoveIntoItself() async throws {
        try await fillSource(users: 3)
        let outcome = try await runCommand(
            ["migrate", "--from", "sqlite:\(source)", "--to", "sqlite:\(directory.path)/./source.sqlite"],
            directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("into itself"))
        #expect(try await count("SELECT count(*) FROM users", in: source) == 3)
    }

    /// Stores many users at once, as whom no test signs in.
    private func fillSource(users: Int) async throws {
        _ = try await SQLiteStorage(path: source)
        try await DatabaseQueue(path: source).write { database in
            try database.execute(
                sql: """
                    WITH RECURSIVE numbers (number) AS (
                        SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?
                    )
                    INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                    SELECT 'user-' || number, 'user-' || number, 'h', number / 7.0, number / 7.0 FROM numbers
                    """, arguments: [users])
        }
    }
}
