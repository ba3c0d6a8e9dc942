import Foundation
import GRDB
import RESTAuth
import RESTAuthTesting
import Support
import Testing

@testable import RESTAuthSQLite

/// What SQLite promises about its file, beyond the contract of every backend.
@Suite struct SQLiteFileTests {
    let directory: TemporaryDirectory
    var path: String { directory.path + "/rest-auth.sqlite" }

    init() throws { directory = try TemporaryDirectory() }

    @Test func everyCommitIsFullySynchronous() async throws {
        let storage = try await SQLiteStorage(path: path)
        // 2 is FULL; a pool sets 1 by itself after its preparation.
        #expect(try await storage.database.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        #expect(try await storage.database.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try await storage.database.read { try Bool.fetchOne($0, sql: "PRAGMA foreign_keys") } == true)
    }

    @Test func everyTableIsStrict() async throws {
        let storage = try await SQLiteStorage(path: path)
        let loose = try await storage.database.read { database in
            try String.fetchAll(
                database,
                sql:
                    "SELECT name FROM pragma_table_list WHERE strict = 0 AND schema = 'main' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'grdb%'"
            )
        }
        #expect(loose.isEmpty)
    }

    @Test(arguments: ["", "-wal", "-shm"])
    func onlyTheOwnerMayReadTheFiles(suffix: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        let mode = try FileManager.default.attributesOfItem(atPath: path + suffix)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        withExtendedLifetime(storage) {}
    }

    @Test func theDatabaseItselfRefusesASecondCanonicalName() async throws {
        let storage = try await SQLiteStorage(path: path)
        let insert =
            "INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at) VALUES ('a', 'a', 'h', 0, 0)"
        try await storage.database.write { try $0.execute(sql: insert) }
        await #expect(throws: DatabaseError.self) { try await storage.database.write { try $0.execute(sql: insert) } }
    }

    @Test(arguments: ["", String(repeating: "x", count: 65)])
    func theDatabaseItselfRefusesANameOfImpossibleLength(name: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        await #expect(throws: DatabaseError.self) {
            try await storage.database.write { database in
                try database.execute(
                    sql:
                        "INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at) VALUES (?, ?, 'h', 0, 0)",
                    arguments: [name, name])
            }
        }
    }

    @Test func aRefusedNameUsesNoIdUp() async throws {
        let storage = try await SQLiteStorage(path: path)
        _ = try await storage.insertUser(Username("alice"), passwordHash: "h", at: TestClock().now)
        await #expect(throws: AuthError.self) {
            try await storage.insertUser(Username("ALICE"), passwordHash: "h", at: TestClock().now)
        }
        #expect(try await storage.insertUser(Username("bob"), passwordHash: "h", at: TestClock().now).id == 2)
    }

    @Test func usersOutliveTheProcess() async throws {
        let user = try await SQLiteStorage(path: path).insertUser(Username("miguel"), passwordHash: "h", at: TestClock().now)
        #expect(try await SQLiteStorage(path: path).user(id: user.id) == user)
    }

    @Test func twoOpenStoragesSeeEachOther() async throws {
        let (one, other) = (try await SQLiteStorage(path: path), try await SQLiteStorage(path: path))
        let user = try await one.insertUser(Username("miguel"), passwordHash: "h", at: TestClock().now)
        #expect(try await other.user(id: user.id) == user)
        _ = try await other.disableUser(id: user.id, at: TestClock().now)
        #expect(try await one.revocations(after: 0, limit: 10).count == 1)
    }

    @Test func aDatabaseOfANewerVersionIsRefused() async throws {
        let storage = try await SQLiteStorage(path: path)
        try await storage.database.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99 from the future')") }
        let error = await #expect(throws: AuthError.self) { try await SQLiteStorage(path: path) }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("newer version") == true)
    }

    @Test func aDatabaseOfAnotherProgramIsRefusedAndLeftUntouched() async throws {
        try await DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE users (id INTEGER, username VARCHAR(32))") }
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        let error = await #expect(throws: AuthError.self) { try await SQLiteStorage(path: path) }
        #expect(error?.detail.contains("another program") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func aFileThatIsNoDatabaseIsRefusedAndLeftUntouched() async throws {
        let text = Data(String(repeating: "not a database\n", count: 100).utf8)
        try text.write(to: URL(fileURLWithPath: path))
        let error = await #expect(throws: AuthError.self) { try await SQLiteStorage(path: path) }
        #expect(error?.code == .misconfigured)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
    }

    @Test func aPlaceThatCannotBeWrittenIsRefusedAndNothingIsLeft() async throws {
        let error = await #expect(throws: AuthError.self) { try await SQLiteStorage(path: directory.path + "/missing/users.sqlite") }
        #expect(error?.code == .misconfigured)
        #expect(directory.contents.isEmpty)
    }

    @Test func aMissingFileIsNotMadeWhenOnlyAnExistingOneWillDo() async throws {
        await #expect(throws: AuthError.self) { try await SQLiteStorage(path: path, createsMissing: false) }
        #expect(directory.contents.isEmpty)
    }

    @Test func aLockedDatabaseIsUnavailableNotWrong() async throws {
        let storage = try await SQLiteStorage(path: path)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: path, configuration: configuration)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let error = await #expect(throws: AuthError.self) {
            try await storage.insertUser(Username("miguel"), passwordHash: "h", at: TestClock().now)
        }
        #expect(error?.code == .storageUnavailable)
        #expect(error?.retryAfter != nil)
    }
}
