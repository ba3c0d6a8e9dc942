import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Synchronization
import Testing

extension TransferTests {
    // MARK: Interruptions

    @Test(arguments: TransferPair.all, filled.keys.sorted() + ["audit_events"])
    func anInterruptedMoveGoesOnWhereItStopped(pair: TransferPair, table: String) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        try await interrupt(from: source, to: target, at: table)
        let copied = Mutex<[String]>([])
        let counts = try await Transfer(from: source, to: target.openToFill(), batchSize: 1) { progress in
            if progress.step == .copying { copied.withLock { $0.append(progress.table) } }
        }.run()
        try await expectFilled(counts, of: source)
        let names = Rooms.tables.map(\.name)
        let finished = names.prefix { $0 != table }
        #expect(copied.withLock { Set($0).isDisjoint(with: finished) })
        #expect(copied.withLock { $0.count } < counts.reduce(0, +))
        try await expectEqual(source, target.open())
    }

    @Test(arguments: TransferPair.all)
    func nobodyOpensAHalfFilledDatabase(pair: TransferPair) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        try await interrupt(from: source, to: target, at: "users")
        let error = await #expect(throws: AuthError.self) { try await target.open() }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("rest-auth migrate") == true)
        _ = try await Transfer(from: source, to: target.openToFill()).run()
        _ = try await target.open()
    }

    @Test(arguments: TransferPair.all)
    func onlyTheSourceOfAnInterruptedMoveMayGoOnWithIt(pair: TransferPair) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        let other = try await pair.source.place(directory, "other").open()
        try await fillAwkwardly(source)
        try await interrupt(from: source, to: target, at: "clients")
        let error = await #expect(throws: AuthError.self) {
            try await Transfer(from: other, to: target.openToFill()).run()
        }
        #expect(error?.detail.contains("partly filled from \(source.transferName)") == true)
        _ = try await Transfer(from: source, to: target.openToFill()).run()
        try await expectEqual(source, target.open())
    }

    @Test(arguments: TransferPair.all, SourceChange.allCases)
    func aSourceThatWasWrittenToInTheMeantimeIsFoundAndCopiedAnew(
        pair: TransferPair, change: SourceChange
    ) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        try await interrupt(from: source, to: target, at: "sessions")
        try await change.make(source)
        let error = await #expect(throws: AuthError.self) {
            try await Transfer(from: source, to: target.openToFill()).run()
        }
        #expect(error?.detail.contains("was written to while it was copied") == true)
        await #expect(throws: AuthError.self) { try await target.open() }
        let half = try await target.openToFill()
        for table in Rooms.tables { #expect(try await half.count(of: table) == 0) }
        _ = try await Transfer(from: source, to: half).run()
        try await expectEqual(source, target.open())
    }

    @Test func nobodyWritesToTheSourceWhileItIsCompared() async throws {
        let path = directory.path + "/source.sqlite"
        let source = try await SQLiteStorage(path: path)
        try await fillAwkwardly(source)
        let refusals = Mutex<[Step: Int]>([:])
        let target = try await SQLiteStorage(filling: directory.path + "/target.sqlite")
        _ = try await Transfer(from: source, to: target) { progress in
            var configuration = Configuration()
            configuration.busyMode = .immediateError
            do {
                try DatabaseQueue(path: path, configuration: configuration).write {
                    try $0.execute(sql: "DELETE FROM users WHERE id = 0")
                }
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                refusals.withLock { $0[progress.step, default: 0] += 1 }
            } catch {
                Issue.record(error)
            }
        }.run()
        #expect(refusals.withLock { $0 } == [.checking: 2 * Rooms.tables.count])
        _ = try await source.disableUser(id: 1, at: .now)
    }

    private typealias Step = TransferProgress.Step

    // MARK: Refusals

    /// The event says only that an earlier version made the database.
    @Test(arguments: TransferPair.all)
    func aTargetWithNothingButTheEventOfAnUpgradeIsEmpty(pair: TransferPair) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        let upgrade = Samples.event(.schemaApplied)
        try await source.append(upgrade)
        try await target.open().append(upgrade)
        let counts = try await Transfer(from: source, to: target.openToFill()).run()
        var filled = Dictionary(uniqueKeysWithValues: zip(Rooms.tables.map(\.name), counts))
        #expect(filled.removeValue(forKey: "users") == 4)
        try await expectEqual(source, target.open())
    }

    @Test(arguments: TransferPair.all, Resident.allCases)
    func aTargetThatIsNotEmptyIsLeftUntouched(pair: TransferPair, resident: Resident) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        try await resident.moveIn(target.open())
        let error = await #expect(throws: AuthError.self) {
            try await Transfer(from: source, to: target.openToFill()).run()
        }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("is not empty") == true)
        let after = try await target.open()
        var rows = 0
        for table in Rooms.tables { rows += try await after.count(of: table) }
        // The event of its creation is included.
        #expect(rows == 2)
    }

    @Test(arguments: TransferBackend.all)
    func nothingMovesIntoItself(backend: TransferBackend) async throws {
        let place = try await backend.place(directory, "source")
        let storage = try await place.open()
        try await fillAwkwardly(storage)
        let error = await #expect(throws: AuthError.self) {
            try await Transfer(from: storage, to: place.openToFill()).run()
        }
        #expect(error?.detail.contains("into itself") == true)
        #expect(try await place.open().users(after: 0, limit: 10).count == 4)
    }
}
