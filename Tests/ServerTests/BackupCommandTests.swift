import Foundation
import Support
import Synchronization
import Testing

/// Backups of a database that is in use, and restoring them.
@Suite struct BackupCommandTests {
    let directory: TemporaryDirectory
    var backup: String { directory.path + "/backup.sqlite" }

    /// The server of tests that make backups and leave it as it is. The other tests stop their
    /// server, or replace its database.
    private static let source = Task { try await RunningServer(directory: .withSQLite()) }

    init() throws { directory = try TemporaryDirectory() }

    private func backUp(_ server: RunningServer, _ arguments: String...) async throws -> CommandOutcome {
        try await runCommand(
            ["backup", backup] + arguments + ["--database", "sqlite:\(server.databasePath)"], directory: directory)
    }

    private func restore(to path: String, _ arguments: String...) async throws -> CommandOutcome {
        try await runCommand(["restore", backup] + arguments + ["--database", "sqlite:\(path)"], directory: directory)
    }

    /// Names without side files: reading a database with a write-ahead log can leave an empty log.
    private func withoutSideFiles(_ directory: TemporaryDirectory) -> [String] {
        directory.contents.filter { !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
    }

    // MARK: Backup and restore

    @Test func whoWasAcknowledgedBeforeABackupUnderLoadSignsInAfterIt() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        let acknowledged = Names()
        let before = try await withThrowingTaskGroup(of: Void.self, returning: [String].self) { group in
            for client in 0..<4 {
                group.addTask {
                    for number in 0... {
                        let name = "user-\(client)-\(number)"
                        // Until the server is stopped.
                        guard let answer = try? await server.register(name, "python"), answer.status == 201 else {
                            return
                        }
                        acknowledged.add(name)
                    }
                }
            }
            try await wait(for: "some registrations") { acknowledged.all.count >= 20 }
            let before = acknowledged.all
            let outcome = try await backUp(server)
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(outcome.output.contains("\(server.directory.path)/rest-auth.secret is not in it"))
            try await server.kill()
            try await group.waitForAll()
            return before
        }
        let place = try TemporaryDirectory.withSQLite()
        #expect(try await restore(to: place.path + "/rest-auth.sqlite").status == 0)
        try FileManager.default.copyItem(
            atPath: server.directory.path + "/rest-auth.secret", toPath: place.path + "/rest-auth.secret")
        let restored = try await RunningServer(directory: place)
        for name in before {
            let answer = try await restored.send("GET", "/api/resource", headers: [basic(name, "python")])
            #expect(answer.status == 200, "\(name)")
        }
        #expect(try await restored.register("after-the-restore", "python").status == 201)
    }

    @Test func onlyItsOwnerReadsABackupAndNothingElseIsLeft() async throws {
        let server = try await Self.source.value
        #expect(try await backUp(server).status == 0)
        #expect(directory.contents == ["backup.sqlite"])
        #expect(try FileManager.default.attributesOfItem(atPath: backup)[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).allSatisfy { !$0.hasPrefix(".") })
    }

    @Test func whatALinkLeadsToIsReplacedAndTheLinkStays() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        try await server.register("miguel", "python")
        #expect(try await backUp(server).status == 0)
        #expect(try await server.stop() == 0)
        let link = "\(directory.path)/process-link.sqlite"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: server.databasePath)
        let outcome = try await restore(
            to: link, "--force", "--secret-key-file", "\(server.directory.path)/rest-auth.secret")
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == server.databasePath)
        #expect(server.directory.contents.contains("rest-auth.sqlite.before-restore"))
    }

    @Test func aReplacedDatabaseIsKeptWithAllThatIsInIt() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        try await server.register("miguel", "python")
        #expect(try await backUp(server).status == 0)
        try await server.register("susan", "python")
        // Susan's registration is only in the write-ahead log.
        try await server.kill()
        let outcome = try await restore(to: server.databasePath, "--force")
        #expect(outcome.status == 0, "\(outcome.error)")
        let kept = server.databasePath + ".before-restore"
        #expect(outcome.output.contains("kept as \(kept)"))
        #expect(!outcome.error.contains("secret"))
        #expect(
            server.directory.contents == ["rest-auth.secret", "rest-auth.sqlite", "rest-auth.sqlite.before-restore"])

        let restored = try await RunningServer(directory: server.directory)
        #expect(try await restored.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
        #expect(try await restored.send("GET", "/api/resource", headers: [basic("susan", "python")]).status == 401)
        let users = try await runCommand(
            [
                "users", "list", "--database", "sqlite:\(kept)",
                "--secret-key-file", server.directory.path + "/rest-auth.secret",
            ], directory: directory)
        #expect(users.output.contains("susan"))
        // A second replaced database is kept beside the first.
        #expect(try await restored.stop() == 0)
        #expect(try await restore(to: server.databasePath, "--force").output.contains("kept as \(kept)-2"))
    }

    @Test func aDamagedDatabaseIsReplacedAndKept() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        try await server.register("miguel", "python")
        #expect(try await backUp(server).status == 0)
        #expect(try await server.stop() == 0)
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: server.databasePath + suffix) }
        let damaged = Data(repeating: 0xA5, count: 20_000)
        try damaged.write(to: URL(fileURLWithPath: server.databasePath))
        #expect(try await restore(to: server.databasePath, "--force").status == 0)
        #expect(FileManager.default.contents(atPath: server.databasePath + ".before-restore") == damaged)
        let restored = try await RunningServer(directory: server.directory)
        #expect(try await restored.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }

    @Test func aLogThatLiesWithoutItsDatabaseIsNotAppliedToTheRestoredOne() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        try await server.register("miguel", "python")
        #expect(try await backUp(server).status == 0)
        try await server.register("susan", "python")
        try await server.kill()
        try FileManager.default.removeItem(atPath: server.databasePath)
        #expect(server.directory.contents.contains("rest-auth.sqlite-wal"))
        let outcome = try await restore(to: server.databasePath)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(
            server.directory.contents
                == ["rest-auth.secret", "rest-auth.sqlite", "rest-auth.sqlite.before-restore-wal"])
        let restored = try await RunningServer(directory: server.directory)
        #expect(try await restored.send("GET", "/api/resource", headers: [basic("susan", "python")]).status == 401)
    }

    @Test func aMissingSecretIsSaid() async throws {
        let server = try await Self.source.value
        #expect(try await backUp(server).status == 0)
        let outcome = try await restore(to: directory.path + "/elsewhere.sqlite")
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("there is no secret in \(directory.path)/elsewhere.secret"))
    }

    // MARK: Refused backups

    @Test func anExistingFileIsReplacedOnlyByForce() async throws {
        let server = try await Self.source.value
        try Data("dear".utf8).write(to: URL(fileURLWithPath: backup))
        let outcome = try await backUp(server)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("exists already and was left untouched"))
        #expect(FileManager.default.contents(atPath: backup) == Data("dear".utf8))
        #expect(try await backUp(server, "--force").status == 0)
        #expect(try await restore(to: directory.path + "/other.sqlite").status == 0)
    }

    @Test func aDatabaseIsNotBackedUpIntoItself() async throws {
        let server = try await Self.source.value
        for arguments in [[], ["--force"]] {
            let outcome = try await runCommand(
                ["backup", server.databasePath, "--database", "sqlite:\(server.databasePath)"] + arguments,
                directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("is the database itself"))
        }
        #expect(try await server.register(RunningServer.newName(), "python").status == 201)
    }

    @Test func whatCannotBeBackedUpLeavesNoFile() async throws {
        try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: directory.path + "/text.sqlite"))
        for database in ["missing.sqlite", "text.sqlite"] {
            let outcome = try await runCommand(
                ["backup", backup, "--database", "sqlite:\(database)"], directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.hasPrefix("rest-auth: "))
        }
        #expect(directory.contents == ["text.sqlite"])
    }

    @Test func aPlaceThatDoesNotExistIsAnError() async throws {
        let server = try await Self.source.value
        let outcome = try await runCommand(
            ["backup", directory.path + "/missing/backup.sqlite", "--database", "sqlite:\(server.databasePath)"],
            directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("there is no directory \(directory.path)/missing"), "\(outcome.error)")
    }

    // MARK: Refused restores

    @Test func aDatabaseThatIsThereIsNotReplacedWithoutForce() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        #expect(try await backUp(server).status == 0)
        #expect(try await server.stop() == 0)
        let before = FileManager.default.contents(atPath: server.databasePath)
        let outcome = try await restore(to: server.databasePath)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("--force"))
        #expect(FileManager.default.contents(atPath: server.databasePath) == before)
        #expect(withoutSideFiles(server.directory) == ["rest-auth.secret", "rest-auth.sqlite"])
    }

    @Test(arguments: [false, true])
    func aDatabaseThatAServerHasOpenIsNotReplaced(isPaused: Bool) async throws {
        let server = try await RunningServer(directory: .withSQLite())
        #expect(try await backUp(server).status == 0)
        let before = server.directory.contents
        if isPaused { server.pause() }
        let outcome = try await restore(to: server.databasePath, "--force")
        if isPaused { server.resume() }
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("is open in process \(server.processID)"))
        #expect(server.directory.contents == before)
        #expect(try await server.register("miguel", "python").status == 201)
    }

    @Test func whatIsNoGoodBackupIsRefusedAndNothingIsTouched() async throws {
        let server = try await RunningServer(directory: .withSQLite())
        for number in 0..<20 { try await server.register("user-\(number)", "python") }
        #expect(try await backUp(server).status == 0)
        #expect(try await server.stop() == 0)
        let good = try #require(FileManager.default.contents(atPath: backup))
        let before = FileManager.default.contents(atPath: server.databasePath)
        for spoiling in Spoiling.allCases {
            try good.write(to: URL(fileURLWithPath: backup))
            try spoiling.apply(to: backup)
            let outcome = try await restore(to: server.databasePath, "--force")
            #expect(outcome.status == 1, "\(spoiling)")
            #expect(outcome.error.hasPrefix("rest-auth: "), "\(spoiling): \(outcome.error)")
            #expect(outcome.error.split(separator: "\n").count == 1, "\(spoiling): \(outcome.error)")
            #expect(FileManager.default.contents(atPath: server.databasePath) == before, "\(spoiling)")
            let files = withoutSideFiles(server.directory)
            #expect(files == ["rest-auth.secret", "rest-auth.sqlite"], "\(spoiling)")
        }
    }

    @Test func aDatabaseOfAnotherProgramIsNotReplaced() async throws {
        let server = try await Self.source.value
        #expect(try await backUp(server).status == 0)
        // Its application id, at byte 68 of the header, is another program's.
        let other = directory.path + "/other.sqlite"
        var bytes = try #require(FileManager.default.contents(atPath: backup))
        bytes.replaceSubrange(68..<72, with: [0, 0, 0, 7])
        try bytes.write(to: URL(fileURLWithPath: other))
        let outcome = try await restore(to: other, "--force")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("another program"))
        #expect(FileManager.default.contents(atPath: other) == bytes)
    }
}

/// The damage that a file may suffer before it is needed.
enum Spoiling: CaseIterable {
    case missing
    case empty
    case truncated
    case overwritten
    case foreign
    case text

    func apply(to path: String) throws {
        let url = URL(fileURLWithPath: path)
        var bytes = try Data(contentsOf: url)
        switch self {
        case .missing:
            try FileManager.default.removeItem(at: url)
            return
        case .empty: bytes = Data()
        case .truncated: bytes = bytes.prefix(bytes.count / 2)
        case .overwritten:
            bytes.replaceSubrange(4096..<bytes.count, with: Data(repeating: 0xA5, count: bytes.count - 4096))
        case .foreign: bytes.replaceSubrange(68..<72, with: [0, 0, 0, 7])
        case .text: bytes = Data(String(repeating: "not a database\n", count: 1000).utf8)
        }
        try bytes.write(to: url)
    }
}

extension TemporaryDirectory {
    /// A directory for servers on SQLite, whatever backend is under test.
    static func withSQLite() throws -> TemporaryDirectory {
        try TemporaryDirectory(database: "sqlite:rest-auth.sqlite")
    }
}

/// Names that were answered with 201.
private final class Names: Sendable {
    private let names = Mutex<[String]>([])

    var all: [String] { names.withLock { $0 } }
    func add(_ name: String) { names.withLock { $0.append(name) } }
}
