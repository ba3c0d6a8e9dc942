public import RESTAuth
public import Testing

/// What every backend promises, as checks to run against an empty storage of each.
///
///     @Test(arguments: StorageContract.all)
///     func keeps(_ promise: StorageContract.Promise) async throws {
///         try await promise.check(SQLiteStorage())
///     }
public enum StorageContract {
    /// One promise, named as a sentence.
    public struct Promise: Sendable, CustomTestStringConvertible {
        public let sentence: String
        let body: @Sendable (any Storage) async throws -> Void

        init(_ sentence: String, _ body: @escaping @Sendable (any Storage) async throws -> Void) {
            self.sentence = sentence
            self.body = body
        }

        /// Checks the promise against a storage that holds nothing yet.
        public func check(_ storage: any Storage) async throws {
            try await body(storage)
        }

        public var testDescription: String { sentence }
    }

    public static let all =
        users + sessions + signingKeys + revocations + clients + throttle + knownOrigins + upgrades + registration
        + importing + owners + events + auditTrail + outbox
}
