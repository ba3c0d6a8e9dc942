import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthTesting
import Support
import Testing

/// The storage contract on PostgreSQL.
@Suite struct PostgresContractTests {
    /// The directory that the databases belong to.
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: StorageContract.all)
    func inADatabase(_ promise: StorageContract.Promise) async throws {
        let url = try await directory.makePostgresDatabase()
        try await promise.check(PostgresStorage(PostgresConfiguration(url: url)))
    }

    @Test func whatWasCountedInOneTextIsCountedByItsParts() async throws {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        let rows = PackedThrottles.all.enumerated().map { number, subject in
            let text = subject.replacing("'", with: "''")
            return "('\(text)', \(number), now(), now(), now(), '\\x0100000002000000', \(number + 100))"
        }
        try await server.execute(
            """
            \(Migrations.history[0]) \(Migrations.history[1])
            CREATE TABLE schema_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
            INSERT INTO schema_migrations VALUES (1), (2);
            INSERT INTO throttles VALUES \(rows.joined(separator: ", "));
            """, at: url)
        try await PackedThrottles.expectUnpacked(PostgresStorage(PostgresConfiguration(url: url)))
    }

    @Test(arguments: [0, 257])
    func theDatabaseItselfRefusesANameOfImpossibleLength(octets: Int) async throws {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        _ = try await PostgresStorage(PostgresConfiguration(url: url))
        await #expect(throws: (any Error).self) {
            try await server.execute(
                """
                INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                VALUES ('\(String(repeating: "x", count: octets))', 'x', 'h', now(), now())
                """, at: url)
        }
    }

    /// Among many users a list of the disabled is read from an index that has nobody else.
    @Test func aListOfDisabledUsersReadsNobodyElse() async throws {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        _ = try await PostgresStorage(PostgresConfiguration(url: url))
        _ = try await server.execute(
            """
            ALTER TABLE users SET (autovacuum_enabled = off);
            INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at,
                disabled_at)
            SELECT 'u' || n, 'u' || n, 'h', to_timestamp(n), now(), CASE WHEN n % 5000 = 0 THEN now() END
            FROM generate_series(1, 20000) AS n
            """, at: url)
        _ = try await server.execute("ANALYZE users", at: url)
        for order in UserQuery.Order.allCases {
            var query = UserQuery(order: order)
            query.isDisabled = true
            let sql = query.statement(columns: "id", limit: 25, window: 1000) { value in
                switch value {
                case .text(let text): "'\(text)'"
                case .integer(let number): "\(number)"
                case .time(let date): "to_timestamp(\(date.timeIntervalSince1970))"
                }
            }
            let plan = try await server.execute("EXPLAIN \(sql)", at: url)
            #expect(plan.contains(" disabled_users"), "\(order): \(plan)")
        }
    }

    /// The race for an invitation, stopped at the decisive moment: another transaction has taken it
    /// and has not committed.
    @Test func whoComesWhileAnInvitationIsBeingUsedWaitsAndIsRefused() async throws {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        let storage = try await PostgresStorage(PostgresConfiguration(url: url))
        let now = Date.now
        try await storage.insertInvitation(
            Invitation(id: "first", note: "", createdAt: now, expiresAt: now.addingTimeInterval(60)), codeDigest: [1])
        async let other = server.execute(
            """
            DO $$ BEGIN
                DELETE FROM invitations;
                WHILE NOT EXISTS (
                    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                ) LOOP
                    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
                END LOOP;
            END $$
            """, at: url)
        try await wait(for: "the other to have taken it") {
            try await server.execute(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event = 'PgSleep'
                """, at: url) == "1"
        }
        let error = await #expect(throws: AuthError.self) {
            try await storage.insertUser(
                Username("miguel"), passwordHash: "h", at: now, using: RegistrationPermit(invitation: "first"))
        }
        #expect(error?.code == .invitationInvalid)
        _ = try await other
        #expect(try await storage.users(after: 0, limit: 10).isEmpty)
    }

    /// The news arrives by notification, and not with the next read of the log, which would be in a
    /// year.
    @Test func whatAnotherProcessRefusesIsHeardOf() async throws {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        let listener = try await PostgresStorage(PostgresConfiguration(url: url))
        let writer = try await PostgresStorage(PostgresConfiguration(url: url))
        let user = try await writer.insertUser(Username("miguel"), passwordHash: "h", at: .now)
        try await wait(for: "both to listen") {
            try await server.execute(
                """
                SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()
                """, at: url) == "2"
        }
        let hearing = Task { try await listener.news(within: .seconds(365 * 86400)) }
        let givingUp = Task {
            try await Task.sleep(for: Patience.limit)
            hearing.cancel()
        }
        _ = try await writer.disableUser(id: user.id, at: .now)
        try await hearing.value
        #expect(!hearing.isCancelled)
        givingUp.cancel()
    }

    /// Reads are sent together; a failure undoes everything that was sent with it.
    @Test func whatOneReadDoesWrongCostsNobodyElse() async throws {
        let url = try await directory.makePostgresDatabase()
        let storage = try await PostgresStorage(PostgresConfiguration(url: url))
        let user = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: .now)
        let refused = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    if number % 10 == 0 {
                        guard try await storage.user(id: user.id)?.id == user.id else { throw CancellationError() }
                        return false
                    }
                    do {
                        // PostgreSQL refuses a negative limit.
                        _ = try await storage.users(after: 0, limit: -1)
                        return false
                    } catch {
                        return true
                    }
                }
            }
            return try await group.reduce(into: 0) { count, isRefused in count += isRefused ? 1 : 0 }
        }
        #expect(refused == 900)
    }

    @Test func whatIsNoTextThereIsRefusedBeforeItIsSent() async throws {
        let url = try await directory.makePostgresDatabase()
        let storage = try await PostgresStorage(PostgresConfiguration(url: url))
        for id in ["\0", "gate\0way", "gateway\0"] {
            let error = await #expect(throws: AuthError.self) { try await storage.clientSecretDigest(id: id) }
            #expect(error?.code == .storageUnavailable)
            await #expect(throws: AuthError.self) {
                try await storage.insertClient(Client(id: id, createdAt: .now), secretDigest: [1])
            }
        }
        #expect(try await storage.clients().isEmpty)
    }
}
