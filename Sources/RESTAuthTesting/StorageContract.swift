public import RESTAuth
public import Testing

/// What every backend promises, as checks to run against an empty storage of each.
///
///     @Test(arguments: StorageContract.all)
///     func keeps(_ promise: StorageContract.Promise) async throws {
///         try await promise.check(SQLiteStorage())
///     }
///
/// A backend that does not keep some chapter says so, and why; its promises are then cancelled:
///
///     @Test(arguments: StorageContract.all(leavingOut: [.clients: "no other service asks here"]))
public enum StorageContract {
    /// The promises about one thing, which are kept or left out together.
    public struct Chapter: Sendable {
        /// In lower case, other than that of every other chapter.
        public let name: String
        /// In the order in which they are best read.
        public let promises: [Promise]

        init(_ name: String, _ promises: [Promise]) {
            self.name = name
            self.promises = promises
        }
    }

    /// One promise, named as a sentence.
    public struct Promise: Sendable, CustomTestStringConvertible {
        public let sentence: String
        /// Why it is left out; `nil` for one that is checked.
        public private(set) var omission: String?
        let body: @Sendable (any Storage) async throws -> Void

        init(_ sentence: String, _ body: @escaping @Sendable (any Storage) async throws -> Void) {
            self.sentence = sentence
            self.body = body
        }

        /// Checks the promise against a storage that holds nothing yet. When it is left out, the
        /// test's case is cancelled, which the event stream of the tests says (`testCaseCancelled`)
        /// and the console does not.
        public func check(_ storage: any Storage) async throws {
            if let omission { try Test.cancel("left out: \(omission)") }
            try await body(storage)
        }

        public var testDescription: String { sentence }

        fileprivate func leftOut(because reason: String?) -> Promise {
            var promise = self
            promise.omission = reason
            return promise
        }
    }

    /// Every chapter, in the order of the rooms.
    public static let chapters = Rooms.all.flatMap { chapters(of: $0) }

    package static func chapters(of room: any Room.Type) -> [Chapter] {
        (room as? any PromisedRoom.Type)?.chapters ?? []
    }

    /// Every promise.
    public static let all = Self.all(leavingOut: [:])

    /// Every promise, of which a backend does not keep some.
    /// - Parameter omitted: the chapters to leave out, each with the reason, which is shown.
    public static func all(leavingOut omitted: [Chapter: String]) -> [Promise] {
        chapters.flatMap { chapter in chapter.promises.map { $0.leftOut(because: omitted[chapter]) } }
    }
}

extension StorageContract.Chapter: Hashable {
    public static func == (one: Self, other: Self) -> Bool { one.name == other.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A room whose storage promises something.
protocol PromisedRoom: Room {
    static var chapters: [StorageContract.Chapter] { get }
}
