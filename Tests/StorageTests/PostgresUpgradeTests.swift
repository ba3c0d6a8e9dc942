import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthTesting
import Support
import Testing

/// Upgrades of a database of version 0.2 beside nodes of that version.
@Suite struct PostgresUpgradeTests {
    let directory: TemporaryDirectory
    let server: PostgresServer
    let url: String

    init() async throws {
        directory = try TemporaryDirectory()
        server = try await PostgresServer.shared()
        url = try await directory.makePostgresDatabase()
        let versions = (1...Migrations.history.count).map { "(\($0))" }.joined(separator: ", ")
        try await server.execute(
            """
            \(Migrations.history.joined())
            CREATE TABLE schema_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
            INSERT INTO schema_migrations VALUES \(versions);
            \(EarlierSessions.rows(tokenEnds: "to_timestamp(1900000000)", key: "'\\x03'"))
            """, at: url)
    }

    private func upgraded() async throws -> PostgresStorage {
        try await PostgresStorage(PostgresConfiguration(url: url))
    }

    @Test func sessionsLiveOnWithWhatIsKnownOfThem() async throws {
        try await EarlierSessions.expectAlive(in: upgraded())
    }

    /// The upgrade leaves the `!` of a user without a password, because earlier nodes still read
    /// it.
    @Test func whatEarlierNodesReadIsLeftAsItIs() async throws {
        _ = try await upgraded()
        let hashes = "SELECT string_agg(password_hash, ' ' ORDER BY id) FROM users"
        #expect(try await server.execute(hashes, at: url) == "h !")
    }

    @Test func aSessionThatAnEarlierNodeBeginsAfterwardsIsOneOfAPassword() async throws {
        let storage = try await upgraded()
        let start = Date(timeIntervalSince1970: 1_850_000_000)
        let id = Samples.session(3, of: 1, at: start).id
        try await server.execute(
            """
            INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, refresh_digest)
            VALUES ('\(id)', 1, to_timestamp(1850000000), to_timestamp(1850000000), to_timestamp(1900000000), '\\x05')
            """, at: url)
        let session = try #require(await storage.session(id: id)?.session)
        #expect(session.authentication.methods == [.password] && session.authentication.at == start)
    }

    // MARK: Locks

    /// Opens the database while another connection is in a transaction: it runs `first`, waits
    /// until this one waits for a lock, and runs `last`.
    private func upgrade(beside first: String, _ last: String) async throws {
        async let other = server.execute(
            """
            DO $$ BEGIN
                \(first);
                WHILE NOT EXISTS (
                    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                ) LOOP
                    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
                END LOOP;
                \(last);
            END $$
            """, at: url)
        try await wait(for: "the other to have its lock") {
            try await server.execute(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event = 'PgSleep'
                """, at: url) == "1"
        }
        let storage = try await upgraded()
        _ = try await other
        #expect(try await storage.credentials(user: 1)?.passwordHash == "h")
    }

    @Test func aSignInThatIsUnderWayIsWaitedFor() async throws {
        try await upgrade(
            beside: "PERFORM FROM users WHERE id = 1 FOR NO KEY UPDATE",
            """
            INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at)
            VALUES (gen_random_uuid(), 1, now(), now(), now())
            """)
        #expect(try await server.execute("SELECT count(*) FROM sessions", at: url) == "3")
    }

    /// A reader locks the tables in the opposite order, and PostgreSQL ends the transaction that
    /// detects the deadlock.
    @Test func whoLosesToAReaderTriesAgain() async throws {
        let name = PostgresServer.name(in: url)
        // Only the upgrade detects the deadlock, and not before the reader waits as well.
        try await server.execute("ALTER DATABASE \(name) SET deadlock_timeout = '2s'")
        try await upgrade(
            beside: "LOCK TABLE sessions IN ACCESS SHARE MODE; SET LOCAL deadlock_timeout = '1h'",
            "PERFORM FROM users")
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = '\(name)'"
        try await wait(for: "the database to have counted") { try await server.execute(deadlocks, at: url) == "1" }
        try await server.execute("ALTER DATABASE \(name) RESET deadlock_timeout")
    }
}
