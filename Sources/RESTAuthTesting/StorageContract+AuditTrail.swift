import Foundation
import RESTAuth
import Testing

extension AuditRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.auditTrail]
}

extension StorageContract.Chapter {
    /// The seals of events.
    public static let auditTrail = Self("audit trail", StorageContract.auditTrail)
}

extension StorageContract {
    static let auditTrail = [
        Promise("events are sealed in the order in which they are handed over, with the chain") {
            storage async throws in
            #expect(try await storage.auditChain() == nil)
            try await storage.record(4)
            let found = try await storage.unsealedEvents(limit: 3)
            #expect(found.map(\.number) == [nil, nil, nil])
            let ids = found.map(\.id)
            #expect(ids == ids.sorted())
            // The order of an event whose transaction took longer than the others'.
            let seals = [EventSeal(id: ids[1], seal: [1]), EventSeal(id: ids[0], seal: [0, 255])]
            #expect(try await storage.seal(seals, replacing: nil, with: chain(2)))
            #expect(try await storage.auditChain() == chain(2))
            let sealed = try await storage.sealedEvents(after: 0, limit: 10)
            #expect(sealed.map(\.id) == [ids[1], ids[0]])
            #expect(sealed.map(\.number) == [1, 2])
            #expect(sealed.map(\.seal) == [[1], [0, 255]])
            #expect(sealed.map(\.fields) == [found[1].fields, found[0].fields])
            let rest = try await storage.unsealedEvents(limit: 10)
            #expect(rest.map(\.id).first == ids[2] && rest.count == 2)
            #expect(
                try await storage.seal(
                    rest.map { EventSeal(id: $0.id, seal: [2]) }, replacing: chain(2), with: chain(4)))
            #expect(try await storage.sealedEvents(after: 2, limit: 1).map(\.number) == [3])
            #expect(try await storage.sealedEvents(after: 3, limit: 9).map(\.number) == [4])
            #expect(try await storage.sealedEvents(after: 4, limit: 9).isEmpty)
            #expect(try await storage.unsealedEvents(limit: 1).isEmpty)
        },
        Promise("what was decided on a chain that was replaced since changes nothing") { storage async throws in
            try await storage.record(2)
            let ids = try await storage.unsealedEvents(limit: 2).map(\.id)
            let first = [EventSeal(id: ids[0], seal: [1])]
            let second = [EventSeal(id: ids[1], seal: [2])]
            #expect(try await !storage.seal(first, replacing: chain(1), with: chain(2)))
            #expect(try await !storage.pruneEvents(replacing: chain(1), with: chain(2, prunedTo: 1)))
            #expect(try await storage.auditChain() == nil)
            #expect(try await storage.seal(first, replacing: nil, with: chain(1)))
            #expect(try await !storage.seal(second, replacing: nil, with: chain(1, seal: 9)))
            #expect(try await !storage.seal(second, replacing: chain(2), with: chain(3)))
            #expect(try await !storage.pruneEvents(replacing: chain(2), with: chain(2, prunedTo: 1)))
            #expect(try await storage.auditChain() == chain(1))
            #expect(try await storage.sealedEvents(after: 0, limit: 9).map(\.id) == [ids[0]])
            #expect(try await storage.unsealedEvents(limit: 9).map(\.id) == [ids[1]])
        },
        Promise("when a row is gone or has a number already, no row is sealed") { storage async throws in
            try await storage.record(3)
            let ids = try await storage.unsealedEvents(limit: 3).map(\.id)
            func seals(_ ids: [Int64]) -> [EventSeal] { ids.map { EventSeal(id: $0, seal: [1]) } }
            let missing = try #require(ids.max()) + 1
            #expect(try await !storage.seal(seals([ids[0], missing]), replacing: nil, with: chain(2)))
            #expect(try await storage.auditChain() == nil)
            #expect(try await storage.unsealedEvents(limit: 9).map(\.id) == ids)
            #expect(try await storage.seal(seals([ids[0]]), replacing: nil, with: chain(1)))
            #expect(try await !storage.seal(seals(ids), replacing: chain(1), with: chain(4)))
            #expect(try await storage.auditChain() == chain(1))
            #expect(try await storage.sealedEvents(after: nil, limit: 9).map(\.id) == [ids[0]])
            #expect(try await storage.unsealedEvents(limit: 9).map(\.id) == Array(ids[1...]))
        },
        Promise("of twenty who seal at once one does") { storage async throws in
            try await storage.record(3)
            let seals = try await storage.unsealedEvents(limit: 3).map { EventSeal(id: $0.id, seal: [1]) }
            let count = try await withThrowingTaskGroup(of: Bool.self, returning: Int.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try await storage.seal(seals, replacing: nil, with: chain(3, seal: UInt8(number)))
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 1)
            #expect(try await storage.sealedEvents(after: 0, limit: 9).map(\.number) == [1, 2, 3])
        },
        Promise("what is pruned is gone up to the anchor, and no row without a number") { storage async throws in
            try await storage.record(5)
            let ids = try await storage.unsealedEvents(limit: 5).map(\.id)
            #expect(
                try await storage.seal(
                    ids.prefix(4).map { EventSeal(id: $0, seal: [1]) }, replacing: nil, with: chain(4)))
            #expect(try await storage.pruneEvents(replacing: chain(4), with: chain(4, prunedTo: 3, seal: 5)))
            #expect(try await storage.events(after: 0, limit: 9).map(\.id) == [ids[3], ids[4]])
            #expect(try await storage.auditChain() == chain(4, prunedTo: 3, seal: 5))
            #expect(
                try await storage.seal(
                    [EventSeal(id: ids[4], seal: [2])], replacing: chain(4, prunedTo: 3, seal: 5),
                    with: chain(5, prunedTo: 3)))
            #expect(try await storage.sealedEvents(after: 0, limit: 9).map(\.number) == [4, 5])
            #expect(try await storage.sealedEvents(after: nil, limit: 1).map(\.number) == [4])
            #expect(try await storage.lastEventNumber() == 5)
        },
        Promise("the id of an event that was pruned is not given again") { storage async throws in
            try await storage.record(3)
            let ids = try await storage.unsealedEvents(limit: 3).map(\.id)
            _ = try await storage.seal(ids.map { EventSeal(id: $0, seal: [1]) }, replacing: nil, with: chain(3))
            #expect(try await storage.pruneEvents(replacing: chain(3), with: chain(3, prunedTo: 3, seal: 5)))
            #expect(try await storage.events(after: 0, limit: 9).isEmpty)
            try await storage.record(1)
            #expect(try await storage.events(after: ids[2], limit: 9).count == 1)
        },
        Promise("restarting the trail removes all numbers and seals, and records the event") { storage async throws in
            #expect(try await storage.lastEventNumber() == nil)
            try await storage.record(3)
            let ids = try await storage.unsealedEvents(limit: 3).map(\.id)
            _ = try await storage.seal(
                ids.prefix(2).map { EventSeal(id: $0, seal: [1]) }, replacing: nil, with: chain(2))
            let event = Samples.event(.auditRestarted, ["reason": "because"])
            for present in [nil, chain(3)] {
                let isDone = try await storage.restartTrail(
                    replacing: present, with: chain(2, prunedTo: 2, seal: 9), recording: event)
                #expect(!isDone)
            }
            #expect(try await storage.auditChain() == chain(2))
            #expect(try await storage.lastEventNumber() == 2)
            #expect(try await storage.events(after: 0, limit: 9).map(\.id) == ids)
            #expect(
                try await storage.restartTrail(
                    replacing: chain(2), with: chain(2, prunedTo: 2, seal: 9), recording: event))
            #expect(try await storage.auditChain() == chain(2, prunedTo: 2, seal: 9))
            #expect(try await storage.lastEventNumber() == nil)
            let rows = try await storage.unsealedEvents(limit: 9)
            #expect(rows.dropLast().map(\.id) == ids)
            #expect(rows.last?.fields == EventFields(event))
        },
        Promise("a trail without a stored chain can be restarted") { storage async throws in
            let event = Samples.event(.auditRestarted, ["reason": "because"])
            #expect(
                try await storage.restartTrail(replacing: nil, with: chain(7, prunedTo: 7), recording: event))
            #expect(try await storage.auditChain() == chain(7, prunedTo: 7))
            #expect(try await storage.unsealedEvents(limit: 9).map(\.fields) == [EventFields(event)])
        },
        Promise("sealed events are found by number, later and unsealed ones by id") { storage async throws in
            try await storage.record(5)
            let ids = try await storage.unsealedEvents(limit: 5).map(\.id)
            // Sealed in this order: the second row, the first, and later the fourth.
            try await _ = storage.seal(
                [EventSeal(id: ids[1], seal: [1]), EventSeal(id: ids[0], seal: [1])], replacing: nil, with: chain(2))
            try await _ = storage.seal(
                [EventSeal(id: ids[3], seal: [1])], replacing: chain(2), with: chain(3))
            func found(_ order: EventQuery.Order, limit: Int = 9) async throws -> [Int64] {
                var query = EventQuery()
                query.order = order
                return try await storage.events(matching: query, limit: limit).map(\.id)
            }
            #expect(try await found(.byNumber(after: .min, upTo: 2)) == [ids[1], ids[0]])
            #expect(try await found(.byNumber(after: 0, upTo: 3), limit: 2) == [ids[1], ids[0]])
            #expect(try await found(.byNumber(after: 1, upTo: .max)) == [ids[0], ids[3]])
            #expect(try await found(.byNumber(after: 3, upTo: .max)).isEmpty)
            #expect(try await found(.beyond(number: 2, after: .min)) == [ids[2], ids[3], ids[4]])
            #expect(try await found(.beyond(number: 2, after: ids[2]), limit: 1) == [ids[3]])
            #expect(try await found(.beyond(number: 3, after: .min)) == [ids[2], ids[4]])
            #expect(try await found(.beyond(number: 3, after: ids[4])).isEmpty)
        },
        Promise("events are found by account, name and time, from either end") { storage async throws in
            let clock = TestClock()
            for number in 1...6 {
                try await storage.append(
                    Samples.event(.databaseMigrated, user: number.isMultiple(of: 2) ? 7 : nil, at: clock.now))
                clock.advance(by: 1)
            }
            let all = try await storage.events(after: 0, limit: 9).map(\.id)
            func ids(_ limit: Int = 9, _ change: (inout EventQuery) -> Void) async throws -> [Int64] {
                var query = EventQuery()
                change(&query)
                return try await storage.events(matching: query, limit: limit).map(\.id)
            }
            let start = TestClock().now
            #expect(try await ids { _ in } == all.reversed())
            #expect(try await ids(2) { _ in } == [all[5], all[4]])
            #expect(try await ids { $0.order = .newestFirst(before: all[2]) } == [all[1], all[0]])
            #expect(try await ids(2) { $0.order = .beyond(number: 0, after: all[1]) } == [all[2], all[3]])
            #expect(try await ids { $0.userID = 7 } == [all[5], all[3], all[1]])
            #expect(try await ids { $0.userID = 8 }.isEmpty)
            #expect(try await ids { $0.names = [.userRegistered] }.isEmpty)
            #expect(try await ids { $0.names = [.userRegistered, .databaseMigrated] }.count == 6)
            #expect(try await ids { $0.since = start.addingTimeInterval(4) } == [all[5], all[4]])
            #expect(try await ids { $0.until = start.addingTimeInterval(1) } == [all[0]])
            let one = try await ids {
                $0.userID = 7
                $0.names = [.databaseMigrated]
                $0.since = start.addingTimeInterval(2)
                $0.until = start.addingTimeInterval(5)
                $0.order = .beyond(number: 0, after: all[0])
            }
            #expect(one == [all[3]])
        },
    ]
}

/// Makes a chain that can be told from others; the storage does not check seals.
private func chain(_ number: Int64, prunedTo anchor: Int64 = 0, seal: UInt8? = nil) -> AuditChain {
    AuditChain(
        head: AuditLink(number: number, digest: [UInt8(number), 0]), anchor: AuditLink(number: anchor, digest: [255]),
        sealedAt: TestClock().now, seal: [seal ?? UInt8(number), 7])
}

extension EventStorage {
    /// Records `count` events, a second apart.
    func record(_ count: Int) async throws {
        let clock = TestClock()
        for number in 0..<count {
            try await append(Samples.event(.databaseMigrated, ["rows": "\(number)"], at: clock.now))
            clock.advance(by: 1)
        }
    }
}
