import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// Databases of earlier versions are brought up to date when they are opened.
@Suite struct SQLiteUpgradeTests {
    let directory: TemporaryDirectory
    var path: String { directory.path + "/rest-auth.sqlite" }

    init() throws { directory = try TemporaryDirectory() }

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
}
