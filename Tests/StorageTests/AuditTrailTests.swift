import Foundation
import GRDB
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite
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

    // MARK: Pruning

    @Test(arguments: AuditBackend.all)
    func whatIsPrunedLeavesAnAnchorThatIsAccepted(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        let day = 86400.0
        try await test.record(3)
        try await test.seal()
        let outdated = try #require(try await test.trail.head())
        test.clock.advance(by: 60 * day)
        try await test.record(2)
        try await test.seal()
        let head = try #require(try await test.trail.head())
        try await test.prune()
        #expect(try await test.trail.verify(against: [outdated, head]).sealed == 5)
        test.clock.advance(by: 31 * day)
        try await test.prune()
        let found = try await test.trail.verify(against: [head])
        #expect(found.sealed == 2)
        #expect(found.prunedUpTo == 3)
        #expect(try await test.trail.verify(against: [outdated]).outdatedHeads == 0)
        test.clock.advance(by: 60 * day)
        try await test.prune()
        try await test.record(1)
        try await test.seal()
        let last = try await test.trail.verify(against: [outdated, head])
        #expect([Int64(last.sealed), last.prunedUpTo, last.head?.link.number ?? 0] == [1, 5, 6])
        #expect(last.outdatedHeads == 1)
        await test.expectBroken("pruned since") { try await test.trail.verify(against: [outdated]) }
    }

    @Test(arguments: AuditBackend.all)
    func whatWasAlteredIsNotPrunedNorIsWhatComesAfterIt(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(5)
        try await test.seal()
        try await test.database.execute("UPDATE audit_events SET details = '{\"a\":\"b\"}' WHERE number = 3")
        test.clock.advance(by: 91 * 86400)
        await test.expectBroken("row 3 is not what was sealed") { try await test.prune() }
        #expect(try await test.storage.sealedEvents(after: 0, limit: 9).count == 5)
    }

    /// The seals name an unknown secret, so a later seal would have to vouch for the rows, and does
    /// not.
    @Test(arguments: AuditBackend.all, [1...2, 1...3, 3...3, 1...5, 1...6])
    func whatWasAlteredIsNotPrunedWhoeverIsSaidToHaveSealedIt(backend: AuditBackend, rows: ClosedRange<Int>)
        async throws
    {
        let test = try await AuditTest(backend, directory)
        try await test.record(3)
        try await test.seal()
        test.clock.advance(by: 91 * 86400)
        try await test.record(3)
        try await test.seal()
        let chain = try await test.storage.auditChain()
        try await test.database.execute(
            """
            UPDATE audit_events SET details = '{}' WHERE number = \(rows.lowerBound);
            UPDATE audit_events SET seal = \(backend.bytes(36))
            WHERE number BETWEEN \(rows.lowerBound) AND \(rows.upperBound)
            """)
        await test.expectBroken("") { try await test.prune() }
        #expect(try await test.storage.sealedEvents(after: 0, limit: 9).map(\.number) == [1, 2, 3, 4, 5, 6])
        #expect(try await test.storage.auditChain() == chain)
    }

    @Test(arguments: AuditBackend.all)
    func manyRowsArePrunedInBatchesUpToTheFirstThatIsKept(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(2100)
        test.clock.advance(by: 91 * 86400)
        try await test.record(2)
        try await test.seal()
        try await test.prune()
        let found = try await test.trail.verify()
        #expect([Int64(found.sealed), found.prunedUpTo] == [2, 2100])
        #expect(try await test.storage.events(after: 0, limit: 9).count == 2)
    }

    @Test(arguments: AuditBackend.all)
    func ofTwoWhoPruneAtOnceNeitherFindsTheTrailBroken(backend: AuditBackend) async throws {
        let place = try await backend.place(directory, "shared")
        let secret = InstanceSecret()
        let nodes = [AuditTest(place, secret), AuditTest(place, secret)]
        try await nodes[0].record(1500)
        try await nodes[0].seal()
        for node in nodes { node.clock.advance(by: 100 * 86400) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { try await node.prune() } }
            try await group.waitForAll()
        }
        #expect(try await nodes[1].trail.verify().prunedUpTo == 1500)
    }

    /// Rows with a time in the future, as of a node whose clock was ahead.
    @Test(arguments: AuditBackend.all)
    func aRowFromTheFutureKeepsNoOthers(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(2)
        try await test.database.execute("UPDATE audit_events SET at = \(backend.future) WHERE id = 2")
        try await test.record(2)
        try await test.database.execute("UPDATE audit_events SET at = \(backend.future) WHERE id = 4")
        test.clock.advance(by: 91 * 86400)
        try await test.record(1)
        try await test.seal()
        try await test.prune()
        // A row from the future that comes before a kept row stays with it.
        #expect(try await test.trail.verify().prunedUpTo == 3)
        test.clock.advance(by: 91 * 86400)
        try await test.prune()
        #expect(try await test.trail.verify().prunedUpTo == 5)
    }

    // MARK: Restarting

    @Test(arguments: AuditBackend.all, Tampering.all.filter { $0.words != "" })
    func aTrailThatIsBrokenBeginsAnew(backend: AuditBackend, tampering: Tampering) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(9)
        try await test.seal()
        try await test.database.execute(tampering.sql)
        try await test.expectFreshStart()
    }

    @Test(arguments: AuditBackend.all)
    func aTrailOfALostSecretBeginsAnew(backend: AuditBackend) async throws {
        let place = try await backend.place(directory, "lost")
        let before = AuditTest(place, InstanceSecret())
        try await before.record(9)
        try await before.seal()
        try await AuditTest(place, InstanceSecret()).expectFreshStart()
    }

    @Test(arguments: AuditBackend.all)
    func nothingBeginsAnewWithoutAReasonOrATrail(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        func expect(_ code: AuthError.Code, _ reason: String) async {
            let error = await #expect(throws: AuthError.self) {
                try await test.trail.restart(because: reason, by: .application)
            }
            #expect(error?.code == code)
        }
        await expect(.misconfigured, "because")
        try await test.record(2)
        await expect(.misconfigured, "because")
        try await test.seal()
        let chain = try await test.storage.auditChain()
        await expect(.validationFailed, "")
        await expect(.validationFailed, String(repeating: "x", count: 1001))
        #expect(try await test.storage.auditChain() == chain)
        #expect(try await test.trail.verify().sealed == 2)
    }

    @Test(arguments: AuditBackend.all)
    func theNumbersGoOnWhateverSomebodyHasPutIn(backend: AuditBackend) async throws {
        let test = try await AuditTest(backend, directory)
        try await test.record(2)
        try await test.seal()
        try await test.database.execute("UPDATE audit_events SET number = 9223372036854775807 WHERE number = 2")
        await test.expectBroken("") { try await test.trail.verify() }
        try await test.expectFreshStart()
    }

    // MARK: Other secrets

    @Test(arguments: AuditBackend.all)
    func aTrailOutlivesTheSecretThatSealedItsBeginning(backend: AuditBackend) async throws {
        let place = try await backend.place(directory, "rotated")
        let (old, new, other) = (InstanceSecret(), InstanceSecret(), InstanceSecret())
        let before = AuditTest(place, old)
        try await before.record(3)
        try await before.seal()
        let head = try #require(try await before.trail.head())
        let dropped = AuditTest(place, new)
        await dropped.expectBroken("under a secret that is not known") { try await dropped.trail.verify() }
        await dropped.expectBroken("under a secret that is not known") {
            try await dropped.record(1)
            try await dropped.seal()
        }
        let rotating = AuditTest(place, try InstanceSecrets(new, previous: old))
        #expect(try await rotating.trail.verify().vouchedFor == 0)
        try await rotating.seal()
        // Nothing is left to seal, and the head is sealed with the present secret.
        let after = try await dropped.trail.verify(against: [head])
        #expect(after.sealed == 4)
        #expect(after.vouchedFor == 3)
        let id = try await rotating.storage.sealedEvents(after: 0, limit: 1).first?.seal?.prefix(4)
        #expect(after.unknownSecrets.map(\.description) == [id.map { Array($0).hexadecimal }])
        try await dropped.database.execute("UPDATE audit_events SET name = 'user.enabled' WHERE number = 2")
        await dropped.expectBroken("one of the rows 1 to 4 is not what was sealed") { try await dropped.trail.verify() }
        await rotating.expectBroken("row 2 is not what was sealed") { try await rotating.trail.verify() }
        let stranger = AuditTest(place, other)
        await stranger.expectBroken("not known here") { try await stranger.trail.verify() }
    }

    /// Only the first seal under the present secret vouches for the rows before it.
    @Test(arguments: AuditBackend.all)
    func whatWasSealedUnderADroppedSecretIsPruned(backend: AuditBackend) async throws {
        let place = try await backend.place(directory, "rotated")
        let (old, new) = (InstanceSecret(), InstanceSecret())
        let before = AuditTest(place, old)
        try await before.record(3)
        try await before.seal()
        before.clock.advance(by: 50 * 86400)
        try await before.record(2)
        try await before.seal()
        try await AuditTest(place, InstanceSecrets(new, previous: old)).seal()
        let dropped = AuditTest(place, new)
        dropped.clock.advance(by: 91 * 86400)
        try await dropped.prune()
        var found = try await dropped.trail.verify()
        #expect([Int64(found.sealed), found.prunedUpTo] == [2, 3])
        try await dropped.record(1)
        try await dropped.seal()
        dropped.clock.advance(by: 91 * 86400)
        try await dropped.prune()
        found = try await dropped.trail.verify()
        #expect([Int64(found.sealed), found.prunedUpTo, Int64(found.vouchedFor)] == [0, 6, 0])
    }

    /// Rows that were sealed under a dropped secret are read once an hour, not each minute.
    @Test(arguments: AuditBackend.all)
    func whatOnlyALaterSealVouchesForIsPrunedAnHourLater(backend: AuditBackend) async throws {
        let place = try await backend.place(directory, "rotated")
        let (old, new) = (InstanceSecret(), InstanceSecret())
        let before = AuditTest(place, old)
        try await before.record(1)
        before.clock.advance(by: 86400)
        try await before.record(1)
        try await before.seal()
        try await AuditTest(place, InstanceSecrets(new, previous: old)).seal()
        let dropped = AuditTest(place, new)
        dropped.clock.advance(by: 90 * 86400 + 60)
        try await dropped.prune()
        #expect(try await dropped.trail.verify().prunedUpTo == 0)
        dropped.clock.advance(by: 3600)
        try await dropped.prune()
        #expect(try await dropped.trail.verify().prunedUpTo == 1)
    }

    @Test(arguments: TransferBackend.all, TransferBackend.all)
    func theTrailMovesWithEverythingElse(source: TransferBackend, target: TransferBackend) async throws {
        let secret = InstanceSecret()
        let (from, to) = try await (source.place(directory, "from"), target.place(directory, "to"))
        let first = AuditTest(try await from.open(), secret)
        try await first.record(5)
        try await first.seal()
        let head = try #require(try await first.trail.head())
        try await first.storage.openOutbox()
        try await first.record(1)
        _ = try await Transfer(from: from.openToFill(), to: to.openToFill()).run()
        let second = AuditTest(try await to.open(), secret)
        #expect(try await second.trail.verify(against: [head]).sealed == 5)
        try await second.record(1)
        try await second.seal()
        let found = try await second.trail.verify(against: [head])
        // The event of the migration is included.
        #expect(found.sealed == 8)
        #expect(
            try await second.storage.takeFromOutbox(limit: 9, until: .now, at: .now).map(\.number) == [6, 7, 8])
    }
}

// MARK: - Tampering

/// A change made by somebody who can write to the database.
struct Tampering: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let sql: String
    /// A part of the message that reports it.
    let words: String

    private init(_ testDescription: String, _ sql: String, _ words: String) {
        self.testDescription = testDescription
        self.sql = sql
        self.words = words
    }

    private static func altered(_ column: String, _ value: String) -> Tampering {
        Tampering(
            "another \(column)", "UPDATE audit_events SET \(column) = \(value) WHERE number = 4",
            "row 4 is not what was sealed")
    }

    static let all = [
        altered("name", "'user.enabled'"), altered("details", "'{}'"), altered("user_id", "8"),
        altered("user_id", "NULL"), altered("actor_kind", "'client'"), altered("actor_id", "'somebody'"),
        altered("actor_id", "''"), altered("request_id", "'x'"), altered("address", "''"),
        altered("user_agent", "'curl'"), altered("id", "100"),
        altered("session_id", "'00000000-0000-7000-8000-000000000000'"),
        altered("seal", "(SELECT seal FROM audit_events AS other WHERE number = 5)"),
        altered("seal", "substr(seal, 1, 4)"),
        Tampering(
            "another time",
            "UPDATE audit_events SET at = (SELECT at FROM audit_events WHERE number = 5) WHERE number = 4",
            "row 4 is not what was sealed"),
        Tampering("a row removed in the middle", "DELETE FROM audit_events WHERE number = 4", "row 4 is missing"),
        Tampering(
            "rows removed in the middle", "DELETE FROM audit_events WHERE number IN (4, 5)", "rows 4 to 5 are missing"),
        Tampering("the first row removed", "DELETE FROM audit_events WHERE number = 1", "row 1 is missing"),
        Tampering("the last row removed", "DELETE FROM audit_events WHERE number = 9", "row 9 is missing"),
        Tampering("all rows removed", "DELETE FROM audit_events", "rows 1 to 9 are missing"),
        Tampering(
            "a number taken away", "UPDATE audit_events SET number = NULL, seal = NULL WHERE number = 9",
            "row 9 is missing"),
        Tampering(
            "two swapped",
            """
            UPDATE audit_events SET number = 100 WHERE number = 4;
            UPDATE audit_events SET number = 4 WHERE number = 5;
            UPDATE audit_events SET number = 5 WHERE number = 100
            """, "row 4 is not what was sealed"),
        Tampering(
            "two swapped with their seals",
            """
            UPDATE audit_events SET number = 100, seal = (SELECT seal FROM audit_events AS other WHERE number = 5)
                WHERE number = 4;
            UPDATE audit_events SET number = 4, seal = (SELECT seal FROM audit_events AS other WHERE number = 3)
                WHERE number = 5;
            UPDATE audit_events SET number = 5 WHERE number = 100
            """, "row 4 is not what was sealed"),
        Tampering(
            "the beginning cut off, and the anchor moved",
            """
            DELETE FROM audit_events WHERE number <= 3;
            UPDATE audit_chain SET pruned_number = 3
            """, "beginning and end"),
        Tampering("the end set back", "UPDATE audit_chain SET number = 8", "beginning and end"),
        Tampering("the end removed", "DELETE FROM audit_chain", "the end of the trail was removed"),
        Tampering(
            "a row added",
            """
            INSERT INTO audit_events (at, name, actor_kind, details, number, seal)
            SELECT at, name, actor_kind, details, 10, seal FROM audit_events WHERE number = 9
            """, "row 10 is beyond the end"),
    ]
}

// MARK: - Helpers

/// A trail on a database, with a clock that the test moves.
struct AuditTest {
    let storage: any Storage
    let trail: AuditTrail
    let database: AuditPlace
    let clock = TestClock()
    private let sealer: AuditSealer

    init(_ backend: AuditBackend, _ directory: TemporaryDirectory, _ name: String = "trail") async throws {
        try await self.init(backend.place(directory, name), InstanceSecret())
    }

    init(_ place: AuditPlace, _ secret: InstanceSecret) {
        self.init(place, InstanceSecrets(secret))
    }

    init(_ storage: any Storage, _ secret: InstanceSecret) {
        self.init(AuditPlace(storage: storage) { _ in }, InstanceSecrets(secret))
    }

    init(_ place: AuditPlace, _ secrets: InstanceSecrets) {
        (storage, database) = (place.storage, place)
        trail = AuditTrail(storage: storage, secrets: secrets, retention: 90 * 86400) { [clock] in clock.now }
        sealer = AuditSealer(trail: trail)
    }

    func record(_ count: Int) async throws {
        for number in 0..<count {
            let event = AuthEvent.databaseMigrated(from: "here", rows: number)
            let caller = Caller(address: "192.0.2.1", requestID: "request")
            try await storage.append(event.of(7).by(caller, at: clock.now))
            clock.advance(by: 1)
        }
    }

    func seal() async throws { try await sealer.seal() }

    func prune() async throws { try await trail.prune() }

    /// Restarts the trail, and checks that all rows are sealed anew, that the event is the last of
    /// them, and that sealing, verifying and pruning go on.
    func expectFreshStart(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let rows = try await storage.events(after: .min, limit: 99)
        let last = try await trail.restart(because: "overwritten", by: Caller(OperatorIdentity(account: "root")))
        try await seal()
        let found = try await trail.verify()
        #expect(found.sealed == rows.count + 1, sourceLocation: sourceLocation)
        #expect(found.prunedUpTo == last, sourceLocation: sourceLocation)
        let sealed = try await storage.sealedEvents(after: nil, limit: 99)
        #expect(Set(sealed.dropLast().map(\.fields)) == Set(rows.map(\.fields)), sourceLocation: sourceLocation)
        let event = try #require(sealed.last?.fields, sourceLocation: sourceLocation)
        #expect(event.name == "audit.restarted" && event.actorID == "root", sourceLocation: sourceLocation)
        #expect(event.details.contains(#""reason":"overwritten""#), sourceLocation: sourceLocation)
        try await record(1)
        try await seal()
        try await database.execute("UPDATE audit_events SET name = 'user.enabled' WHERE number = \(last + 1)")
        await expectBroken("row \(last + 1) is not") { try await trail.verify() }
        _ = try await trail.restart(because: "again", by: .application)
        try await seal()
        clock.advance(by: 91 * 86400)
        try await prune()
        #expect(try await trail.verify().sealed == 0, sourceLocation: sourceLocation)
        #expect(try await storage.events(after: .min, limit: 99).isEmpty, sourceLocation: sourceLocation)
    }

    func expectBroken(
        _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
    ) async {
        let error = await #expect(throws: AuthError.self, sourceLocation: sourceLocation) { _ = try await body() }
        #expect(error?.code == .auditTrailBroken, sourceLocation: sourceLocation)
        #expect(
            error?.detail.contains(words) != false || words.isEmpty, "\(error?.detail ?? "")",
            sourceLocation: sourceLocation)
    }
}

/// A database, and a way to change it without the storage.
struct AuditPlace: Sendable {
    let storage: any Storage
    let execute: @Sendable (_ sql: String) async throws -> Void

    init(storage: any Storage, execute: @escaping @Sendable (_ sql: String) async throws -> Void) {
        self.storage = storage
        self.execute = execute
    }

    init(sqlite path: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        self.init(storage: storage) { sql in try await storage.database.write { try $0.execute(sql: sql) } }
    }

    init(postgres url: String) async throws {
        let server = try await PostgresServer.shared()
        try await self.init(storage: PostgresStorage(PostgresConfiguration(url: url))) { sql in
            // PostgreSQL spells this differently.
            try await server.execute(sql.replacing("SET id = 100", with: "SET id = DEFAULT"), at: url)
        }
    }
}

struct AuditBackend: Sendable, CustomTestStringConvertible {
    let testDescription: String
    private let isPostgres: Bool
    let place: @Sendable (_ directory: TemporaryDirectory, _ name: String) async throws -> AuditPlace

    static let sqlite = AuditBackend(testDescription: "SQLite", isPostgres: false) { directory, name in
        try await AuditPlace(sqlite: "\(directory.path)/\(name).sqlite")
    }
    static let all = [
        sqlite,
        AuditBackend(testDescription: "PostgreSQL", isPostgres: true) { directory, _ in
            try await AuditPlace(postgres: directory.makePostgresDatabase())
        },
    ]

    /// SQL for that number of arbitrary bytes.
    func bytes(_ count: Int) -> String {
        let digits = String(repeating: "5a", count: count)
        return isPostgres ? "'\\x\(digits)'" : "x'\(digits)'"
    }

    /// SQL for a time far in the future.
    var future: String { isPostgres ? "'2999-01-01'" : "32472144000.0" }
}
