public import RESTAuth
public import Testing

/// The contract of every backend, as checks to run against an empty storage of each.
///
///     @Test(arguments: StorageContract.all)
///     func keeps(_ promise: StorageContract.Promise) async throws {
///         try await promise.check(SQLiteStorage())
///     }
///
/// A backend that leaves out a chapter gives the reason; the chapter's promises are then cancelled:
///
///     @Test(arguments: StorageContract.all(leavingOut: [.clients: "no other service asks here"]))
public enum StorageContract {
    /// The promises about one subject, which are kept or left out together.
    public struct Chapter: Sendable {
        /// Unique name in lower case.
        public let name: String
        /// Promises in the order in which they are best read.
        public let promises: [Promise]

        init(_ name: String, _ promises: [Promise]) {
            self.name = name
            self.promises = promises
        }
    }

    /// One promise, named by a sentence.
    public struct Promise: Sendable, CustomTestStringConvertible {
        public let sentence: String
        /// Reason why the promise is left out; `nil` when it is checked.
        public private(set) var omission: String?
        let body: @Sendable (any Storage) async throws -> Void

        init(_ sentence: String, _ body: @escaping @Sendable (any Storage) async throws -> Void) {
            self.sentence = sentence
            self.body = body
        }

        /// Checks the promise against an empty storage. If it is left out, the test case is
        /// cancelled, which is shown in the event stream of the tests (`testCaseCancelled`) but not
        /// on the console.
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

    /// All chapters, in the order of the rooms.
    public static let chapters = Rooms.all.flatMap { chapters(of: $0) }

    package static func chapters(of room: any Room.Type) -> [Chapter] {
        (room as? any PromisedRoom.Type)?.chapters ?? []
    }

    /// All promises.
    public static let all = Self.all(leavingOut: [:])

    /// Lists all promises, those of some chapters as left out.
    /// - Parameter omitted: the chapters to leave out, each with the reason to show.
    public static func all(leavingOut omitted: [Chapter: String]) -> [Promise] {
        chapters.flatMap { chapter in chapter.promises.map { $0.leftOut(because: omitted[chapter]) } }
    }
}

extension StorageContract.Chapter: Hashable {
    public static func == (one: Self, other: Self) -> Bool { one.name == other.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A room that has chapters of the contract.
protocol PromisedRoom: Room {
    static var chapters: [StorageContract.Chapter] { get }
}
