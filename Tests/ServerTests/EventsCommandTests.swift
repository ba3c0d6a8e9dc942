import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import Support
import Testing

/// The events that commands record in the database that they change.
@Suite struct EventsCommandTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(
        _ arguments: String..., input: String? = nil, level: String? = nil, on database: String = "db.sqlite"
    ) async throws {
        var environment = ["REST_AUTH_DATABASE_URL": "sqlite:\(database)"]
        environment["REST_AUTH_LOG_LEVEL"] = level
        let outcome = try await runCommand(arguments, environment: environment, directory: directory, input: input)
        #expect(outcome.status == 0, "\(arguments): \(outcome.error)")
        #expect(!outcome.error.contains("user_registered"), "\(outcome.error)")
    }

    private func events(of database: String = "db.sqlite") async throws -> [EventFields] {
        let storage = try await SQLiteStorage(path: directory.path + "/" + database, createsMissing: false)
        return try await storage.events(after: 0, limit: 100).map(\.fields).filter { $0.name != "signing_key.made" }
    }

    @Test func whateverTheLevelOfTheLogEachIsRecordedAsTheAccountsOfTheOperatingSystem() async throws {
        try await run("users", "add", "miguel", "--password-stdin", input: "python\n")
        try await run("users", "grant", "miguel", "admin", level: "critical")
        try await run("users", "grant", "miguel", "admin")
        try await run("clients", "add", "gateway")
        try await run("invitations", "create")
        try await run("users", "export")
        try await run("secret", "rotate")
        let events = try await events()
        #expect(
            events.map(\.name) == [
                "user.registered", "role.granted", "client.added", "invitation.created", "users.exported",
                "secret.rotated",
            ])
        let account = NSUserName()
        #expect(events.allSatisfy { $0.actorKind == "operator" && $0.actorID == account && $0.address == nil })
    }

    @Test func aBackupIsRecordedWhereItWasMadeAndWhereItIsPutBack() async throws {
        try await run("users", "add", "miguel", "--password-stdin", input: "python\n")
        try await run("backup", "copy.sqlite")
        try await run("restore", "copy.sqlite", on: "other.sqlite")
        #expect(try await events().map(\.name) == ["user.registered", "backup.made"])
        #expect(try await events().last?.details == #"{"file":"copy.sqlite"}"#)
        let restored = ["user.registered", "backup.made", "backup.restored"]
        #expect(try await events(of: "other.sqlite").map(\.name) == restored)
    }

    @Test func aBackupThatIsRefusedIsNotRecordedAndOneThatCannotBeSaysSo() async throws {
        try await run("users", "add", "miguel", "--password-stdin", input: "python\n")
        try Data().write(to: URL(filePath: directory.path + "/taken.sqlite"))
        func backUp(_ file: String) async throws -> CommandOutcome {
            try await runCommand(
                ["backup", file], environment: ["REST_AUTH_DATABASE_URL": "sqlite:db.sqlite"], directory: directory)
        }
        #expect(try await backUp("taken.sqlite").status != 0)
        #expect(try await events().map(\.name) == ["user.registered"])
        // Like a database that this version has not brought up to date.
        let queue = try DatabaseQueue(path: directory.path + "/db.sqlite")
        try await queue.write { try $0.execute(sql: "ALTER TABLE audit_events RENAME TO gone") }
        try queue.close()
        let outcome = try await backUp("copy.sqlite")
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.error.contains("this backup is not recorded in the audit trail"))
    }

    @Test func whatAKilledChangeOfTheSecretHasNotRecordedIsRecordedWhenItIsRepeated() async throws {
        try await run("users", "add", "miguel", "--password-stdin", input: "python\n")
        try SecretFile(directory.path + "/db.secret").take(.begin)
        let repeated = try await runCommand(
            ["secret", "rotate"], environment: ["REST_AUTH_DATABASE_URL": "sqlite:db.sqlite"], directory: directory)
        #expect(repeated.status == 0, "\(repeated.error)")
        #expect(try await events().map(\.name) == ["user.registered", "secret.rotated"])
    }

    /// The reader asks for all hashes and closes the pipe before the end.
    @Test func anExportIsRecordedAlsoWhenNobodyReadsItToItsEnd() async throws {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0"
        let lines = (1...5000).map { #"{"id":\#($0),"username":"u\#($0)","password_hash":"\#(hash)"}"# }
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(filePath: directory.path + "/users.jsonl"))
        try await run("users", "import", "--jsonl", "users.jsonl")
        let command = "'\(ExternalProcess.restAuth.path)' users export --include-password-hashes | head -n 1"
        let outcome = try await ExternalProcess(
            ExternalProcess.program("sh"), ["-c", command],
            environment: ["REST_AUTH_DATABASE_URL": "sqlite:db.sqlite"], directory: directory
        ).outcome()
        #expect(outcome.output.contains(hash) && outcome.output.split(separator: "\n").count == 1)
        let events = try await events()
        #expect(events.map(\.name) == ["users.imported", "users.exported"])
        #expect(events.last?.details == #"{"password_hashes":"true","users":"5000"}"#)
    }

    @Test func aMoveIsRecordedInTheDatabaseThatIsMovedInto() async throws {
        try await run("users", "add", "miguel", "--password-stdin", input: "python\n")
        let outcome = try await runCommand(
            ["migrate", "--from", "sqlite:db.sqlite", "--to", "sqlite:other.sqlite"], directory: directory)
        #expect(outcome.status == 0, "\(outcome.error)")
        let events = try await events(of: "other.sqlite")
        #expect(events.map(\.name) == ["user.registered", "database.migrated"])
        #expect(events.last?.actorKind == "operator")
    }
}
