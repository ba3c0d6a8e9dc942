import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Synchronization
import Testing

/// Promises of SQLite about its file, beyond the storage contract.
@Suite struct SQLiteFileTests {
    let directory: TemporaryDirectory
    var path: String { directory.path + "/rest-auth.sqlite" }

    init() throws { directory = try TemporaryDirectory() }

    @Test func everyCommitIsFullySynchronous() async throws {
        let storage = try await SQLiteStorage(path: path)
        // 2 is FULL; a pool sets 1 by itself after its preparation.
        #expect(
            try await storage.database.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        #expect(try await storage.database.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try await storage.database.read { try Bool.fetchOne($0, sql: "PRAGMA foreign_keys") } == true)
    }

    @Test(arguments: [
        "created_at = 'yesterday'", "created_at = NULL", "created_at = 9e999", "created_at = 1e300",
        "disabled_at = -9e999", "username = x'6d'",
    ])
    func aValueOfAForeignTypeIsAnErrorAndNoTrap(damage: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        let user = try await storage.insertUser(Username("susan"), passwordHash: "h", at: .now)
        let other = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: .now)
        try await storage.database.writeWithoutTransaction { database in
            try database.execute(
                sql: """
                    CREATE TABLE copy AS SELECT * FROM users;
                    UPDATE copy SET \(damage) WHERE username = 'susan';
                    PRAGMA foreign_keys = OFF;
                    PRAGMA legacy_alter_table = ON;
                    DROP TABLE users;
                    ALTER TABLE copy RENAME TO users;
                    """)
        }
        await #expect(throws: AuthError.self) { try await storage.user(id: user.id) }
        #expect(try await storage.user(id: other.id)?.username == "miguel")
    }

    @Test func textBehindANULIsMovedToo() async throws {
        let storage = try await SQLiteStorage(path: path)
        try await storage.database.writeWithoutTransaction { database in
            try database.execute(
                sql: "INSERT INTO clients (id, secret_digest, created_at) VALUES ('a' || char(0) || 'b', x'00', 1)")
        }
        let clients = try #require(Rooms.tables.first { $0.name == "clients" })
        let row = try #require(try await storage.rows(of: clients, after: nil, limit: 1).first)
        #expect(row.contains(.text("a\0b")))
    }

    @Test func theGreatestIDThatThereIsLeavesASampleOfTheHashes() async throws {
        let storage = try await SQLiteStorage(path: path)
        for name in ["susan", "miguel"] {
            _ = try await storage.insertUser(Username(name), passwordHash: name, at: .now)
        }
        try await storage.database.writeWithoutTransaction { database in
            try database.execute(sql: "UPDATE users SET id = \(Int64.max) WHERE username = 'miguel'")
        }
        #expect(try await Set(storage.passwordHashes(sampling: 200)) == ["susan", "miguel"])
    }

    @Test func whatComesAtOnceIsCommittedTogetherAndWhoFailsUndoesNothingOfAnother() async throws {
        let storage = try await SQLiteStorage(path: path)
        _ = try await storage.insertUser(Username("taken"), passwordHash: "h", at: .now)
        let commits = Mutex(0)
        try await storage.database.writeWithoutTransaction { database in
            database.trace { event in if event.description.hasPrefix("COMMIT") { commits.withLock { $0 += 1 } } }
        }
        let succeeded = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let name = number.isMultiple(of: 3) ? "taken" : "user-\(number)"
                    return (try? await storage.insertUser(Username(name), passwordHash: "h", at: .now)) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(succeeded == 200)
        let users = try await storage.users(after: 0, limit: 1000)
        #expect(Set(users.map(\.username)).count == 201)
        // A failed insertion has not used up an id.
        #expect(users.map(\.id) == Array(1...201))
        #expect(commits.withLock { (1..<300).contains($0) })
    }

    @Test func sessionsAreCountedHoweverTheyEnd() async throws {
        let storage = try await SQLiteStorage(path: path)
        let clock = TestClock()
        let id = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: clock.now).id
        func count() async throws -> Int? {
            try await storage.database.read {
                try Int.fetchOne($0, sql: "SELECT session_count FROM users WHERE id = ?", arguments: [id])
            }
        }
        for number in 0..<7 {
            let session = Samples.session(number, of: id, at: clock.now)
            _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 6)
        }
        #expect(try await count() == 6)
        _ = try await storage.endSession(id: Samples.session(6, at: clock.now).id, of: id, at: clock.now)
        #expect(try await count() == 5)
        clock.advance(by: 8 * 86400)
        #expect(try await storage.deleteSessions(expiredBefore: clock.now, limit: 2) == 2)
        #expect(try await count() == 3)
        #expect(try await storage.endSessions(of: id, except: nil, at: clock.now).count == 3)
        #expect(try await count() == 0)
        _ = try await storage.insertSession(
            Samples.session(9, of: id, at: clock.now), passwordVersion: nil, refreshDigest: nil, limit: 6)
        _ = try await storage.deleteUser(id: id, at: clock.now)
        #expect(try await count() == nil)
    }

    @Test func everyTableIsStrict() async throws {
        let storage = try await SQLiteStorage(path: path)
        let loose = try await storage.database.read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT name FROM pragma_table_list
                    WHERE strict = 0 AND schema = 'main' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'grdb%'
                    """)
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

    @Test(arguments: [
        """
        INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at)
        VALUES ('01a1fdf3-d3a2-7e37-8317-3196edb0e819', 9, 0, 0, 0)
        """,
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES ('x', 1, 0, 0, 0)",
        "INSERT INTO user_roles VALUES (9, 'admin')", "INSERT INTO user_roles VALUES (1, '')",
        "INSERT INTO user_roles VALUES (1, 'a b')",
        "INSERT INTO revocations (user_id, session_id, is_refused, at) VALUES (1, 'x', 1, 0)",
        "INSERT INTO revocations (is_refused, at) VALUES (1, 0)",
        "INSERT INTO revocations (session_id, role, is_refused, at) VALUES ('x', 'admin', 1, 0)",
        "INSERT INTO signing_keys VALUES ('a', 'ES256', x'', 0, 0, ''), ('b', 'ES256', x'', 0, 0, '')",
    ])
    func theDatabaseItselfRefusesWhatCannotBe(statement: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        _ = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: .now)
        await #expect(throws: DatabaseError.self) {
            try await storage.database.write { try $0.execute(sql: statement) }
        }
    }

    @Test(arguments: [
        "SELECT id FROM sessions WHERE user_id = 1 AND id <> 'a' ORDER BY id LIMIT 5",
        "SELECT id FROM sessions WHERE user_id = 1 AND id < 'g' AND expires_at > 0 ORDER BY id DESC LIMIT 5",
        "SELECT id FROM sessions WHERE expires_at < 5 AND tokens_expire_at < 5 LIMIT 5",
        "SELECT max(tokens_expire_at) AS latest FROM sessions WHERE user_id = 1",
        "SELECT 1 FROM revocations WHERE session_id = 'x'",
        "SELECT max(expires_at) AS latest FROM revocations WHERE user_id = 1 AND role IS NULL",
        "SELECT number FROM revocations WHERE expires_at < 5 LIMIT 5",
        "SELECT 1 FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = 'x'",
        "SELECT is_refused FROM revocations WHERE user_id = 1 AND role = 'a' ORDER BY number DESC LIMIT 1",
        "SELECT number FROM revocations WHERE number > 5 ORDER BY number LIMIT 5",
        "SELECT \(User.columns) FROM users WHERE id = 1",
    ])
    func noQueryReadsAWholeTableOrSortsIt(query: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        let plan = try await storage.database.read {
            try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN " + query).map { $0["detail"] as String }
        }
        #expect(
            !plan.contains { $0.hasPrefix("SCAN") && !$0.contains("SUBQUERY") || $0.contains("TEMP B-TREE") }, "\(plan)"
        )
    }

    /// Whether the page of every list is read from the index of its order, and that of disabled
    /// users from one that has nobody else.
    @Test(arguments: UserQuery.Order.allCases)
    func noListOfUsersReadsMoreThanItsIndex(order: UserQuery.Order) async throws {
        let storage = try await SQLiteStorage(path: path)
        for isDisabled in [nil, true, false] {
            for createdAfter in [nil, Date(timeIntervalSince1970: 5)] {
                var query = UserQuery(order: order)
                (query.isDisabled, query.createdAfter) = (isDisabled, createdAfter)
                let sql = query.statement(columns: User.columns, limit: 5, window: 9) { _ in "5" }
                let plan = try await storage.database.read {
                    try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN " + sql).map { $0["detail"] as String }
                }
                let entries = try #require(plan.first { $0.contains(" users USING ") }, "\(plan)")
                #expect(entries.contains("disabled_users") == (isDisabled == true), "\(plan)")
                #expect(entries.hasPrefix("SEARCH") || entries.contains("USING INDEX"), "\(plan)")
            }
        }
    }

    @Test func theDatabaseItselfRefusesASecondCanonicalName() async throws {
        let storage = try await SQLiteStorage(path: path)
        let insert = """
            INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
            VALUES ('a', 'a', 'h', 0, 0)
            """
        try await storage.database.write { try $0.execute(sql: insert) }
        await #expect(throws: DatabaseError.self) { try await storage.database.write { try $0.execute(sql: insert) } }
    }

    @Test(arguments: ["", String(repeating: "x", count: 257), String(repeating: "日", count: 86)])
    func theDatabaseItselfRefusesANameOfImpossibleLength(name: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        await #expect(throws: DatabaseError.self) {
            try await storage.database.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                        VALUES (?, ?, 'h', 0, 0)
                        """,
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
        let user = try await SQLiteStorage(path: path).insertUser(
            Username("miguel"), passwordHash: "h", at: TestClock().now)
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
        try await storage.database.write {
            try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99 from the future')")
        }
        let error = await #expect(throws: AuthError.self) { try await SQLiteStorage(path: path) }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("newer version") == true)
    }

    @Test func aDatabaseOfAnotherProgramIsRefusedAndLeftUntouched() async throws {
        try await DatabaseQueue(path: path).write {
            try $0.execute(sql: "CREATE TABLE users (id INTEGER, username VARCHAR(32))")
        }
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

    /// Parsed from a text, because none of these can be mounted here.
    @Test(arguments: [
        "nfs4": "nfs4", "cifs": "cifs", "fuse.sshfs": "fuse.sshfs", "ext4": nil, "overlay": nil, "fuse": nil,
    ])
    func aNetworkFileSystemIsKnownByItsMount(type: String, name: String?) {
        let mounts = """
            21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            22 21 0:48 / /var/lib/rest\\040auth rw,relatime shared:9 - \(type) server:/export rw,vers=4.2
            23 21 0:480 / /nfs rw - nfs - rw
            broken
            """
        #expect(SQLiteFile.networkFileSystem(ofDevice: 48, in: mounts) == name)
        #expect(SQLiteFile.networkFileSystem(ofDevice: 8 << 8 | 1, in: mounts) == nil)
        #expect(SQLiteFile.networkFileSystem(ofDevice: 480 & 0xFF | (480 & ~0xFF) << 12, in: mounts) == "nfs")
        #expect(SQLiteFile.networkFileSystem(ofDevice: 7, in: mounts) == nil)
        #expect(SQLiteFile(path).networkProblem == nil)
    }

    @Test func aPlaceThatCannotBeWrittenIsRefusedAndNothingIsLeft() async throws {
        let error = await #expect(throws: AuthError.self) {
            try await SQLiteStorage(path: directory.path + "/missing/users.sqlite")
        }
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

    /// Lets a writer wait beside another one that, as during an import, takes the lock again a
    /// moment after it releases it.
    @Test func aWriterGetsItsTurnBetweenTheTransactionsOfAnother() async throws {
        let count = Soak.count(5, soak: 20)
        let storage = try await SQLiteStorage(path: path)
        let other = try DatabaseQueue(path: path, configuration: SQLiteStorage.configuration)
        let begun = Atomic(0)
        let isOver = Atomic(false)
        defer { isOver.store(true, ordering: .relaxed) }
        // Runs on a thread of the database.
        let importing = Task {
            try await other.writeWithoutTransaction { database in
                while !isOver.load(ordering: .relaxed) {
                    try database.inTransaction(.immediate) {
                        begun.add(1, ordering: .relaxed)
                        // Both pauses belong to the other writer: the time for which it holds the
                        // lock, and the time until it takes it again.
                        usleep(300_000)
                        return .commit
                    }
                    usleep(4000)
                }
            }
        }
        for number in 0..<count {
            let before = begun.load(ordering: .relaxed)
            try await wait(for: "the other to have the lock") { begun.load(ordering: .relaxed) > before }
            _ = try await storage.insertUser(Username("user-\(number)"), passwordHash: "h", at: TestClock().now)
        }
        isOver.store(true, ordering: .relaxed)
        try await importing.value
        #expect(try await storage.users(after: 0, limit: 100).count == count)
    }
}
