import Foundation
import RESTAuth
import Testing

extension OutboxRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.outbox]
}

extension StorageContract.Chapter {
    /// Events that wait for a reader.
    public static let outbox = Self("outbox", StorageContract.outbox)
}

extension StorageContract {
    static let outbox = [
        Promise("nothing waits for a reader that there is not") { storage async throws in
            let now = TestClock().now
            try await storage.record(2)
            #expect(try await storage.takeFromOutbox(limit: 9, until: now, at: now).isEmpty)
            try await storage.openOutbox()
            try await storage.openOutbox()
            #expect(try await storage.takeFromOutbox(limit: 9, until: now, at: now).isEmpty)
            try await storage.record(2)
            try await storage.closeOutbox()
            try await storage.record(2)
            try await storage.openOutbox()
            #expect(try await storage.takeFromOutbox(limit: 9, until: now, at: now).isEmpty)
        },
        Promise("events are taken in the order in which they were recorded, each by one reader") {
            storage async throws in
            let now = TestClock().now
            try await storage.openOutbox()
            try await storage.record(5)
            let recorded = try await storage.events(after: 0, limit: 9)
            let end = now.addingTimeInterval(60)
            let first = try await storage.takeFromOutbox(limit: 2, until: end, at: now)
            let second = try await storage.takeFromOutbox(limit: 9, until: end, at: now)
            #expect(first == Array(recorded[..<2]))
            #expect(second == Array(recorded[2...]))
            #expect(try await storage.takeFromOutbox(limit: 9, until: end, at: now).isEmpty)
        },
        Promise("of ten readers at once each takes others") { storage async throws in
            let now = TestClock().now
            try await storage.openOutbox()
            try await storage.record(20)
            let taken = try await withThrowingTaskGroup(of: [Int64].self, returning: [Int64].self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await storage.takeFromOutbox(limit: 2, until: now.addingTimeInterval(60), at: now).map(\.id)
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(taken).count == taken.count)
            let rest = try await storage.takeFromOutbox(limit: 99, until: now.addingTimeInterval(60), at: now)
            #expect(Set(taken + rest.map(\.id)).count == 20)
        },
        Promise("what was taken and not deleted is taken again when its time is over") { storage async throws in
            let now = TestClock().now
            let end = now.addingTimeInterval(60)
            try await storage.openOutbox()
            try await storage.record(3)
            let taken = try await storage.takeFromOutbox(limit: 9, until: end, at: now).map(\.id)
            try await storage.deleteFromOutbox([taken[1]])
            #expect(try await storage.takeFromOutbox(limit: 9, until: end, at: end.addingTimeInterval(-1)).isEmpty)
            let later = try await storage.takeFromOutbox(limit: 9, until: end.addingTimeInterval(60), at: end)
            #expect(later.map(\.id) == [taken[0], taken[2]])
            try await storage.deleteFromOutbox(taken)
            try await storage.deleteFromOutbox(taken)
            let muchLater = end.addingTimeInterval(3600)
            #expect(try await storage.takeFromOutbox(limit: 9, until: muchLater, at: muchLater).isEmpty)
            #expect(try await storage.events(after: 0, limit: 9).count == 3)
        },
        Promise("an event is put in with what it tells, or not at all") { storage async throws in
            let now = TestClock().now
            try await storage.openOutbox()
            let client = Client(id: "gateway", createdAt: now)
            let event = Samples.event(.clientAdded, at: now)
            try await storage.insertClient(client, secretDigest: [1], recording: event)
            await #expect(throws: AuthError.self) {
                try await storage.insertClient(client, secretDigest: [2], recording: event)
            }
            #expect(try await !storage.deleteClient(id: "other", recording: Samples.event(.clientDeleted, at: now)))
            let taken = try await storage.takeFromOutbox(limit: 9, until: now, at: now)
            #expect(taken.map(\.fields.name) == ["client.added"])
        },
        Promise("what nobody reads is deleted by its age and beyond a number, the oldest first") {
            storage async throws in
            let now = TestClock().now
            try await storage.openOutbox()
            try await storage.record(6)
            let ids = try await storage.events(after: 0, limit: 9).map(\.id)
            #expect(try await storage.trimOutbox(before: now, keeping: 6, limit: 9) == 0)
            #expect(try await storage.trimOutbox(before: now.addingTimeInterval(2), keeping: 6, limit: 9) == 2)
            #expect(try await storage.trimOutbox(before: now, keeping: 2, limit: 1) == 1)
            #expect(try await storage.trimOutbox(before: now, keeping: 2, limit: 9) == 1)
            #expect(try await storage.trimOutbox(before: now, keeping: 2, limit: 9) == 0)
            let left = try await storage.takeFromOutbox(limit: 9, until: now, at: now)
            #expect(left.map(\.id) == [ids[4], ids[5]])
        },
    ]
}
