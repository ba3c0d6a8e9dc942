import Foundation
import RESTAuth
import RESTAuthTesting
import Support
import Testing

/// The trail across rotations of the secret, and when it moves to another database.
@Suite struct AuditSecretsTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

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
