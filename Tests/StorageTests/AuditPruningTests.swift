import Foundation
import RESTAuth
import Support
import Testing

/// What is left of the trail when its oldest rows are pruned, or all of it is begun anew.
@Suite struct AuditPruningTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

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
}
