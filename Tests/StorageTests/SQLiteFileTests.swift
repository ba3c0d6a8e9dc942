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

    @Test func whatWasCountedInOneTextIsCountedByItsParts() async throws {
        do {
            let earlier = try DatabaseQueue(path: path)
            try Migrations.migrator.migrate(earlier, upTo: "4 moved users, throttles, registration")
            try await earlier.write { database in
                for (number, subject) in PackedThrottles.all.enumerated() {
                    try database.execute(
                        sql: "INSERT INTO throttles VALUES (?, ?, 1, 2, 3, x'0100000002000000', ?)",
                        arguments: [subject, number, number + 100])
                }
            }
        }
        try await PackedThrottles.expectUnpacked(SQLiteStorage(path: path))
    }

    @Test(arguments: [true, false])
    func aDatabaseOfTheFirstVersionIsBroughtUpToDateWithAllThatIsInIt(hasLines: Bool) async throws {
        do {
            let first = try DatabaseQueue(path: path)
            try Migrations.migrator.migrate(first, upTo: "1 users, signing keys, revocations")
            try await first.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                        VALUES ('Miguel', 'miguel', 'h', 1, 1);
                        INSERT INTO signing_keys VALUES ('k', 'ES256', x'01', 5);
                        INSERT INTO revocations (number, user_id, is_refused, at) VALUES (7, 1, 1, 6), (8, 1, 0, 7);
                        """)
                if !hasLines { try database.execute(sql: "DELETE FROM revocations") }
            }
        }
        let storage = try await SQLiteStorage(path: path)
        #expect(try await storage.credentials(canonicalUsername: "miguel")?.user.username == "Miguel")
        let key = try #require(await storage.signingKeys().first)
        #expect((key.id, key.sealed, key.follows) == ("k", [1], ""))
        #expect(key.signsFrom == Date(timeIntervalSince1970: 5))
        let lines = try await storage.revocations(after: 0, limit: 10)
        #expect(lines.map(\.number) == (hasLines ? [7, 8] : []))
        // Entries keep the time at which they expire.
        #expect(lines.map(\.expiresAt.timeIntervalSince1970) == (hasLines ? [90006, 90007] : []))
        #expect(lines.map(\.subject) == (hasLines ? [.user(1), .user(1)] : []))
        // Sequence numbers continue, also when the last entries had been deleted.
        #expect(try await storage.disableUser(id: 1, at: .now)?.number == 9)
    }

    @Test func aSessionFromBeforeRepeatsWereCountedIsRenewedAndAnsweredAgain() async throws {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        let session = Samples.session(of: 1, at: now)
        do {
            let before = try DatabaseQueue(path: path)
            try Migrations.migrator.migrate(before, upTo: "4 moved users, throttles, registration")
            try await before.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                        VALUES ('Miguel', 'miguel', 'h', 1, 1);
                        INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, generation, \
                        refresh_digest, previous_digest)
                        VALUES ('\(session.id)', 1, 1800000000, 1800000000, 1800600000, 3, x'03', x'02');
                        """)
            }
        }
        let storage = try await SQLiteStorage(path: path)
        func rotate(_ generation: Int, _ digest: UInt8, after seconds: Double) async throws -> RefreshOutcome {
            try await storage.rotate(
                RefreshRotation(
                    sessionID: session.id, generation: generation, digest: [digest],
                    successorDigest: { [digest + 1 + 10 * UInt8($0)] }, now: now.addingTimeInterval(seconds),
                    inactivityTimeout: 86400, timebox: 30 * 86400))
        }
        guard case .repeated(_, _, successor: 0, _) = try await rotate(2, 2, after: 60),
            case .repeated(_, _, successor: 1, _) = try await rotate(2, 2, after: 61),
            case .renewed = try await rotate(3, 3, after: 70),
            case .reused = try await rotate(3, 13, after: 71)
        else {
            Issue.record("not as it should be")
            return
        }
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

    @Test func theDatabaseItselfRefusesASecondCanonicalName() async throws {
        let storage = try await SQLiteStorage(path: path)
        let insert = """
            INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
            VALUES ('a', 'a', 'h', 0, 0)
            """
        try await storage.database.write { try $0.execute(sql: insert) }
        await #expect(throws: DatabaseError.self) { try await storage.database.write { try $0.execute(sql: insert) } }
    }

    /// Users, their sessions, the count of these, and the id of the user deleted last.
    @Test func usersOfAnEarlierVersionAreTheSameUnderTheRuleForLongerNames() async throws {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        let session = Samples.session(of: 1, at: now)
        let long = String(repeating: "𠀀", count: 64)
        do {
            let before = try DatabaseQueue(path: path)
            try Migrations.migrator.migrate(before, upTo: "7 ends of tokens")
            try await before.write { database in
                for name in ["Miguel", long, "last"] {
                    try database.execute(
                        sql: """
                            INSERT INTO users (username, canonical_username, password_hash, created_at, \
                            password_changed_at, legacy_id)
                            VALUES (?1, lower(?1), 'h', 1, 1, ?2)
                            """, arguments: [name, name.utf8.count])
                }
                try database.execute(
                    sql: """
                        INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, refresh_digest)
                        VALUES ('\(session.id)', 1, 1800000000, 1800000000, 1800600000, x'03');
                        INSERT INTO user_roles VALUES (1, 'admin');
                        UPDATE users SET password_version = 4 WHERE id = 1;
                        DELETE FROM users WHERE username = 'last';
                        """)
            }
        }
        let storage = try await SQLiteStorage(path: path)
        let miguel = try #require(await storage.credentials(canonicalUsername: "miguel"))
        #expect(miguel.user.roles == ["admin"] && miguel.passwordVersion == 4)
        #expect(try await storage.credentials(legacyID: 6)?.user.id == 1)
        #expect(try await storage.credentials(canonicalUsername: Username(whoever: long).canonical)?.user.id == 2)
        #expect(try await storage.insertUser(Username("next"), passwordHash: "h", at: now).id == 4)
        func count() async throws -> Int? {
            try await storage.database.read {
                try Int.fetchOne($0, sql: "SELECT session_count FROM users WHERE id = 1")
            }
        }
        #expect(try await count() == 1)
        _ = try await storage.insertSession(
            Samples.session(1, of: 1, at: now), passwordVersion: nil, refreshDigest: [4], limit: 9)
        #expect(try await count() == 2)
        _ = try await storage.deleteUser(id: 1, at: now)
        let sessions = try await storage.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sessions") }
        #expect(sessions == 0)
    }

    /// Version 0.2 did not store by what a session was authenticated, and had a mark for users
    /// without a password.
    @Test func sessionsOfAnEarlierVersionLiveOnWithWhatIsKnownOfThem() async throws {
        do {
            let before = try DatabaseQueue(path: path)
            try Migrations.migrator.migrate(before, upTo: "8 user names of mail length, ids of imports")
            try await before.write { try $0.execute(sql: EarlierSessions.rows(tokenEnds: "1900000000", key: "x'03'")) }
        }
        try await EarlierSessions.expectAlive(in: SQLiteStorage(path: path))
        // Rows that refer to a user still do.
        let storage = try await SQLiteStorage(path: path)
        let counted = try await storage.database.read {
            try Int.fetchOne($0, sql: "SELECT session_count FROM users WHERE id = 1")
        }
        #expect(counted == 2)
        _ = try await storage.deleteUser(id: 1, at: .now)
        for table in ["sessions", "user_roles", "known_origins"] {
            let rows = try await storage.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") }
            #expect(rows == 0, "\(table)")
        }
    }

    /// The event is recorded in the same transaction, so that a kill cannot come between.
    @Test func theLastStepOfTheSchemaRecordsThatItWasTaken() async throws {
        let queue = try DatabaseQueue(path: path)
        try Migrations.migrator.migrate(queue, upTo: "8 user names of mail length, ids of imports")
        let migrator = try Migrations.migrator(from: 8)
        for name in migrator.migrations.dropFirst(8).dropLast() { try migrator.migrate(queue, upTo: name) }
        func events() throws -> [String] {
            try queue.read {
                try String.fetchAll(
                    $0, sql: "SELECT details FROM audit_events WHERE name = 'schema.applied'")
            }
        }
        #expect(try events().isEmpty)
        try migrator.migrate(queue)
        let version = migrator.migrations.count
        #expect(try events() == [#"{"from":"8","version":"\#(version)"}"#])
        try queue.close()
        // Opening the database again records nothing, nor does making a new one.
        _ = try await SQLiteStorage(path: path)
        let storage = try await SQLiteStorage(path: path + ".new")
        #expect(try await storage.events(after: 0, limit: 9).isEmpty)
        let rows = try await SQLiteStorage(path: path).events(after: 0, limit: 9)
        #expect(rows.map(\.fields.name) == ["schema.applied"])
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
