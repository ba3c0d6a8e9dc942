import RESTAuth
import Testing

extension EventsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.events]
}

extension StorageContract.Chapter {
    /// What happened.
    public static let events = Self("events", StorageContract.events)
}

extension StorageContract {
    static let events = [
        Promise("an event comes back as it was recorded") { storage async throws in
            let event = AuthEvent.databaseMigrated(from: "sqlite:/\"ü\u{1}", rows: 7)
                .by(.application, at: TestClock().now)
            try await storage.append(event)
            #expect(try await storage.events(after: 0, limit: 10).map(\.fields) == [EventFields(event)])
        }
    ]
}
