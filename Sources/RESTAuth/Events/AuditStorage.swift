public import Foundation

/// The promises about the trail: rows of events get a number and a seal, and are pruned in the end.
///
/// The caller that seals or prunes reads the chain before the rows, and passes it back: when
/// another process has replaced the chain in between, the call changes nothing. No method takes a
/// lock that recording an event waits for.
public protocol AuditStorage: Sendable {
    /// The stored chain; `nil` before anything was sealed.
    func auditChain() async throws -> AuditChain?

    /// Returns at most `limit` rows without a number, in the order of their ids.
    func unsealedEvents(limit: Int) async throws -> [StoredEvent]

    /// Returns at most `limit` rows with a number greater than `number`, in the order of numbers;
    /// `nil` begins with the least number.
    func sealedEvents(after number: Int64?, limit: Int) async throws -> [StoredEvent]

    /// Gives rows the numbers after the head of `present`, and their seals, and stores the chain,
    /// in one transaction.
    /// - Returns: whether it did; `false` when the stored chain is no longer `present`, or when one
    ///   of the rows is gone or has a number already.
    func seal(_ seals: [EventSeal], replacing present: AuditChain?, with chain: AuditChain) async throws -> Bool

    /// Deletes the rows up to the anchor of `chain` and stores `chain`, in one transaction.
    /// - Returns: whether it did; `false` when the stored chain is no longer `present`.
    func pruneEvents(replacing present: AuditChain, with chain: AuditChain) async throws -> Bool

    /// The greatest number of a row; `nil` when no row has a number.
    func lastEventNumber() async throws -> Int64?

    /// Removes the numbers and seals of all rows, stores the chain and records the event, in one
    /// transaction.
    /// - Returns: whether it did; `false` when the stored chain is no longer `present`.
    func restartTrail(
        replacing present: AuditChain?, with chain: AuditChain, recording event: AuthEvent
    ) async throws -> Bool

    /// Returns at most `limit` rows that match `query`, in its order.
    func events(matching query: EventQuery, limit: Int) async throws -> [StoredEvent]
}

/// The seal to store in a row.
public struct EventSeal: Sendable, Hashable {
    /// The row's id.
    public let id: Int64
    public let seal: [UInt8]

    public init(id: Int64, seal: [UInt8]) {
        self.id = id
        self.seal = seal
    }
}

/// A selection of rows: those that meet all conditions given here.
public struct EventQuery: Sendable, Hashable {
    /// The user whose account the event is about.
    public var userID: User.ID?
    /// Names of events; empty for all.
    public var names: Set<AuthEvent.Name> = []
    /// The earliest time, inclusive.
    public var since: Date?
    /// The end of the time range, exclusive.
    public var until: Date?
    public var order = Order.newestFirst(before: nil)

    /// The order of the rows, and the position in it after which they are returned.
    public enum Order: Sendable, Hashable {
        /// By descending id, less than `before`; from the newest on when that is `nil`.
        case newestFirst(before: Int64?)
        /// Sealed rows by ascending number, greater than `after` and at most `upTo`.
        case byNumber(after: Int64, upTo: Int64)
        /// Rows without a number or with one greater than `number`, by ascending id, greater than
        /// `after`.
        case beyond(number: Int64, after: Int64)
    }

    public init() {}
}
