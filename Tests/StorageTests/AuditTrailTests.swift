import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthTesting
import Support
import Testing

/// The trail of sealed events on both backends: changes of the database behind it are detected.
@Suite struct AuditTrailTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    // MARK: Detection

    @Test(arguments: AuditBackend.all, Tampering.all)
    func whatWasDoneToTheTrailIsFound(backend: AuditBackend, tampering: Tampering) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(9)
        try await test.seal()
        #expect(try await test.trail.verify().sealed == 9)
        try await test.database.execute(tampering.sql)
        await test.expectBroken(tampering.words) { try await test.trail.verify() }
    }

    @Test(arguments: AuditBackend.all)
    func aHeadShowsThatTheEndWasTakenAwayWithWhatSaysWhereItIs(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(3)
        try await test.seal()
        let early = try #require(try await test.trail.head())
        try await test.database.execute("CREATE TABLE kept AS SELECT * FROM audit_chain")
        try await test.record(4)
        try await test.seal()
        let head = try #require(try await test.trail.head())
        #expect(try await test.trail.verify(against: [early, head]).head == head)
        try await test.database.execute("DELETE FROM audit_events WHERE number > 3")
        try await test.database.execute("DELETE FROM audit_chain")
        try await test.database.execute("INSERT INTO audit_chain SELECT * FROM kept")
        #expect(try await test.trail.verify(against: [early]).sealed == 3)
        await test.expectBroken("set back: a head that was kept is of row 7") {
            try await test.trail.verify(against: [early, head])
        }
    }

    @Test(arguments: AuditBackend.all)
    func aHeadShowsThatTheTrailWasMadeAnew(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(5)
        try await test.seal()
        let head = try #require(try await test.trail.head())
        try await test.database.execute("DELETE FROM audit_chain")
        try await test.database.execute("UPDATE audit_events SET number = NULL, seal = NULL")
        try await test.database.execute("UPDATE audit_events SET name = 'user.enabled' WHERE id = 2")
        // A server that was running knows that there was more.
        await test.expectBroken("its end was row 5, and is row 0 now") { try await test.seal() }
        // Sealed anew by a server that has just started, which has the secret.
        try await AuditSealer(trail: test.trail).seal()
        #expect(try await test.trail.verify().sealed == 5)
        await test.expectBroken("not those of the head") { try await test.trail.verify(against: [head]) }
        let nothing = try await AuditTest(backend, directory, "empty")
        await test.expectBroken("rows 1 to 5 are missing") { try await nothing.trail.verify(against: [head]) }
    }

    /// A chain that was changed by hand, with a new row: a server must not seal anything after it.
    @Test(arguments: AuditBackend.all)
    func nothingIsSealedBehindAnEndThatIsNotTheSealers(backend: AuditBackend) async throws {
        for change in ["UPDATE audit_chain SET pruned_number = 2", "DELETE FROM audit_chain"] {
            let test = try await AuditTest(backend, directory, UUID().uuidString)
            try await test.record(4)
            try await test.seal()
            try await test.database.execute(change)
            try await test.record(1)
            await test.expectBroken("") { try await test.seal() }
            await test.expectBroken("") { try await test.trail.head() }
            #expect(try await test.storage.unsealedEvents(limit: 9).count == 1)
        }
    }

    /// No seal covers rows before the beginning, and they would be listed like sealed rows.
    @Test(arguments: AuditBackend.all)
    func aRowBeforeTheBeginningIsFound(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(3)
        try await test.seal()
        test.clock.advance(by: 91 * 86400)
        try await test.record(2)
        try await test.seal()
        try await test.prune()
        #expect(try await test.trail.verify().sealed == 2)
        try await test.database.execute(
            """
            INSERT INTO audit_events (at, name, actor_kind, details, number, seal)
            SELECT at, name, actor_kind, details, 3, seal FROM audit_events WHERE number = 5
            """)
        await test.expectBroken("row 3 is before the beginning") { try await test.trail.verify() }
        // Otherwise the row would be deleted without a trace.
        await test.expectBroken("row 3 is before the beginning") { try await test.prune() }
        #expect(try await test.storage.sealedEvents(after: nil, limit: 9).map(\.number) == [3, 4, 5])
    }

    @Test(arguments: AuditBackend.all, [0, -7])
    func theDatabaseTakesNoNumberBelowOne(backend: AuditBackend, number: Int) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(1)
        try await test.seal()
        await #expect(throws: (any Error).self) {
            try await test.database.execute("UPDATE audit_events SET number = \(number)")
        }
        #expect(try await test.trail.verify().sealed == 1)
    }

    /// A second row of a number, where one page of rows ends and the next begins.
    @Test(arguments: AuditBackend.all)
    func twoRowsOfOneNumberAreFoundBetweenPages(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(AuditTrail.page + 2)
        try await test.seal()
        try await test.database.execute("DROP INDEX audit_events_by_number")
        for number in [AuditTrail.page, AuditTrail.page + 1, 1] {
            try await test.database.execute(
                """
                INSERT INTO audit_events (at, name, actor_kind, details, number, seal)
                SELECT at, 'user.enabled', actor_kind, details, number, seal FROM audit_events WHERE number = \(number)
                """)
            await test.expectBroken("") { try await test.trail.verify() }
            try await test.database.execute(
                "DELETE FROM audit_events WHERE number = \(number) AND id > \(AuditTrail.page + 2)")
            #expect(try await test.trail.verify().sealed == AuditTrail.page + 2)
        }
    }

    /// SQLite gives text up to a NUL, and takes any text for the id of a session.
    @Test(arguments: [
        "name = name || char(0)", "details = details || char(0) || 'x'", "actor_id = coalesce(actor_id, '') || char(0)",
        "address = coalesce(address, '') || char(0)", "user_agent = coalesce(user_agent, '') || char(0)",
        "request_id = coalesce(request_id, '') || char(0)", "session_id = ''", "session_id = 'x'",
        "session_id = session_id || char(0)",
    ])
    func textThatNoEventHasIsFound(change: String) async throws {
        let test = try await AuditTest(.sqlite, directory)
        try await test.record(3)
        try await test.database.execute(
            "UPDATE audit_events SET session_id = '\(UUID().uuidString.lowercased())' WHERE id = 3")
        try await test.seal()
        let rows = try await test.storage.sealedEvents(after: nil, limit: 9)
        for id in [2, 3] where id == 3 || !change.hasSuffix("session_id || char(0)") {
            try await test.database.execute("CREATE TABLE kept AS SELECT * FROM audit_events WHERE id = \(id)")
            try await test.database.execute("UPDATE audit_events SET \(change) WHERE id = \(id)")
            await test.expectBroken("row \(id) is not what was sealed") { try await test.trail.verify() }
            #expect(try await test.storage.sealedEvents(after: nil, limit: 9).count == 3)
            try await test.database.execute("DELETE FROM audit_events WHERE id = \(id)")
            try await test.database.execute("INSERT INTO audit_events SELECT * FROM kept")
            try await test.database.execute("DROP TABLE kept")
            #expect(try await test.storage.sealedEvents(after: nil, limit: 9).map(\.fields) == rows.map(\.fields))
        }
        try await test.database.execute("UPDATE audit_events SET number = NULL, seal = NULL, \(change)")
        try await test.database.execute("DELETE FROM audit_chain")
        // What another program has put in is sealed as it is, by a server that has just started.
        try await AuditSealer(trail: test.trail).seal()
        #expect(try await test.trail.verify().sealed == 3)
    }

    @Test(arguments: AuditBackend.all)
    func aHeadThatIsTooFarAwayIsOfNoRow(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        let digits = String(repeating: "ab", count: 32)
        let head = try #require(AuditHead("9223372036854775807 \(digits) 2026-11-28T10:18:26Z"))
        await test.expectBroken("rows 1 to 9223372036854775807 are missing") {
            try await test.trail.verify(against: [head])
        }
        try await test.record(1)
        try await test.seal()
        await test.expectBroken("set back") { try await test.trail.verify(against: [head]) }
    }

    /// A head that is too young for its row to have been pruned.
    @Test(arguments: AuditBackend.all)
    func aYoungHeadBeforeTheBeginningShowsThatTheTrailWasBegunAnew(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(3)
        try await test.seal()
        let early = try #require(try await test.trail.head())
        try await test.record(2)
        try await test.seal()
        let last = try #require(try await test.trail.head())
        _ = try await test.trail.restart(because: "a test", by: .application)
        try await test.seal()
        let head = try #require(try await test.trail.head())
        for heads in [[early], [last], [early, head], [last, head]] {
            await test.expectBroken("begun anew") { try await test.trail.verify(against: heads) }
        }
        #expect(try await test.trail.verify(against: [head]).outdatedHeads == 0)
    }

    // MARK: Sealing

    @Test(arguments: AuditBackend.all)
    func theNumbersAreWithoutGapsWhoeverSeals(backend: AuditBackend) async throws {
        let place = try await backend.place(directory, "shared")
        let secret = InstanceSecret()
        let nodes = [AuditTest(place, secret), AuditTest(place, secret)]
        let total = Soak.count(300, soak: 5000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in nodes {
                group.addTask { try await node.record(total / 2) }
                group.addTask {
                    while try await node.storage.auditChain()?.head.number ?? 0 < total {
                        try await node.seal()
                        // When there is nothing to seal, only this gives the thread to others.
                        await Task.yield()
                    }
                }
            }
            try await group.waitForAll()
        }
        let found = try await nodes[0].trail.verify()
        #expect(found.sealed == total)
        #expect(found.head?.link.number == Int64(total))
        #expect(found.unsealedSince == nil)
    }

    @Test func aRowThatIsCommittedLateIsSealedLateUnderItsLowerID() async throws {
        let url = try await directory.makePostgresDatabase()
        let server = try await PostgresServer.shared()
        let test = AuditTest(try await AuditPlace(postgres: url), InstanceSecret())
        try await test.record(1)
        async let late = server.execute(
            """
            BEGIN;
            INSERT INTO audit_events (at, name, actor_kind, details)
            VALUES (now(), 'user.enabled', 'application', '{}');
            DO $$ BEGIN
                WHILE NOT EXISTS (SELECT FROM audit_chain WHERE number = 3) LOOP PERFORM pg_sleep(0.01); END LOOP;
            END $$;
            COMMIT
            """, at: url)
        try await wait(for: "the other's transaction") {
            try await server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
                at: url) == "1"
        }
        try await test.record(2)
        try await test.seal()
        _ = try await late
        try await test.seal()
        let rows = try await test.storage.sealedEvents(after: 0, limit: 9)
        #expect(rows.map(\.number) == [1, 2, 3, 4])
        #expect(rows.map(\.id) == [1, 3, 4, 2])
        #expect(try await test.trail.verify().sealed == 4)
    }

    // MARK: The outbox

    /// Otherwise the next reader would be given the event days later.
    @Test func whatIsPutInWhileTheOutboxIsClosedIsNotLeftThere() async throws {
        let url = try await directory.makePostgresDatabase()
        let server = try await PostgresServer.shared()
        let test = AuditTest(try await AuditPlace(postgres: url), InstanceSecret())
        try await test.storage.openOutbox()
        async let late = server.execute(
            """
            BEGIN;
            INSERT INTO audit_events (at, name, actor_kind, details)
            VALUES (now(), 'user.enabled', 'application', '{}');
            DO $$ BEGIN
                WHILE NOT EXISTS (
                    SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
                    WHERE datname = current_database() AND locktype = 'tuple' AND relation = 'outbox_reader'::regclass)
                LOOP PERFORM pg_sleep(0.01); END LOOP;
            END $$;
            COMMIT
            """, at: url)
        try await wait(for: "the other's transaction") {
            try await server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
                at: url) == "1"
        }
        try await test.storage.closeOutbox()
        _ = try await late
        #expect(try await server.execute("SELECT count(*) FROM audit_events", at: url) == "1")
        #expect(try await server.execute("SELECT count(*) FROM outbox", at: url) == "0")
    }

    @Test func whateverTheSearchPathIsAnEventIsPutIn() async throws {
        let url = try await directory.makePostgresDatabase()
        let server = try await PostgresServer.shared()
        let test = AuditTest(try await AuditPlace(postgres: url), InstanceSecret())
        try await test.storage.openOutbox()
        try await server.execute(
            """
            SET search_path = pg_catalog;
            INSERT INTO public.audit_events (at, name, actor_kind, details)
            VALUES (now(), 'user.enabled', 'application', '{}')
            """, at: url)
        #expect(try await test.storage.takeFromOutbox(limit: 9, until: .now, at: .now).count == 1)
    }
}
