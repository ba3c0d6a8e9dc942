public import Foundation

/// The promises about the trail: events' rows that get a number and a seal, and in the end go.
///
/// Who seals or prunes has read the chain before the rows, and hands it back: what was decided on
/// one that another process has replaced since changes nothing. Nothing here takes a lock that
/// whoever records an event waits for.
public protocol AuditStorage: Sendable {
    /// `nil` before anything was sealed.
    func auditChain() async throws -> AuditChain?

    /// At most `limit` rows that have no number, in the order of their ids.
    func unsealedEvents(limit: Int) async throws -> [StoredEvent]

    /// At most `limit` rows with a number greater than `number`, in the order of numbers; from the
    /// least number on when that is `nil`.
    func sealedEvents(after number: Int64?, limit: Int) async throws -> [StoredEvent]

    /// Gives rows the numbers after that of the head of `present`, and their seals, and stores the
    /// chain, in one transaction.
    /// - Returns: whether it did: not when the stored chain is not `present` any more, nor when one
    ///   of the rows is gone or has a number.
    func seal(_ seals: [EventSeal], replacing present: AuditChain?, with chain: AuditChain) async throws -> Bool

    /// Deletes the rows up to the anchor of `chain` and stores it, in one transaction.
    /// - Returns: whether it did: not when the stored chain is not `present` any more.
    func pruneEvents(replacing present: AuditChain, with chain: AuditChain) async throws -> Bool

    /// The greatest number of a row; `nil` when none has a number.
    func lastEventNumber() async throws -> Int64?

    /// Takes the numbers and seals of all rows away, stores the chain and records the event, in one
    /// transaction.
    /// - Returns: whether it did: not when the stored chain is not `present` any more.
    func restartTrail(
        replacing present: AuditChain?, with chain: AuditChain, recording event: AuthEvent
    ) async throws -> Bool

    /// At most `limit` rows that `query` asks for, the newest first unless it says otherwise.
    func events(matching query: EventQuery, limit: Int) async throws -> [StoredEvent]
}

/// The seal of a row that has none.
public struct EventSeal: Sendable, Hashable {
    /// The row's id.
    public let id: Int64
    public let seal: [UInt8]

    public init(id: Int64, seal: [UInt8]) {
        self.id = id
        self.seal = seal
    }
}

/// Which rows are asked for: those for which all that is given here is true.
public struct EventQuery: Sendable, Hashable {
    /// Whose account it happened to.
    public var userID: User.ID?
    /// What happened; empty for anything.
    public var names: Set<AuthEvent.Name> = []
    /// Not before that time.
    public var since: Date?
    /// Before that time.
    public var until: Date?
    public var order = Order.newestFirst(before: nil)

    /// The order of the rows, and the place among them from which on they are asked for.
    public enum Order: Sendable, Hashable {
        /// By descending id, less than that one.
        case newestFirst(before: Int64?)
        /// Sealed rows by ascending number, greater than the first and at most the second.
        case byNumber(after: Int64, upTo: Int64)
        /// Rows that have no number or a greater one, by ascending id, greater than that one.
        case beyond(number: Int64, after: Int64)
    }

    public init() {}
}
