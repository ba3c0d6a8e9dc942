import Foundation
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
        #expect(try await events(of: "other.sqlite").map(\.name) == ["user.registered", "backup.restored"])
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
