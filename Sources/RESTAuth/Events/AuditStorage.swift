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

    /// At most `limit` rows with a number greater than `number`, in the order of numbers.
    func sealedEvents(after number: Int64, limit: Int) async throws -> [StoredEvent]

    /// Gives rows the numbers after that of the head of `present`, and their seals, and stores the
    /// chain, in one transaction.
    /// - Returns: whether it did: not when the stored chain is not `present` any more.
    func seal(_ seals: [EventSeal], replacing present: AuditChain?, with chain: AuditChain) async throws -> Bool

    /// Deletes the rows up to the anchor of `chain` and stores it, in one transaction.
    /// - Returns: whether it did: not when the stored chain is not `present` any more.
    func pruneEvents(replacing present: AuditChain, with chain: AuditChain) async throws -> Bool

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
    /// By id, and only from after or before that one.
    public var order = Order.newestFirst(before: nil)

    public enum Order: Sendable, Hashable {
        case newestFirst(before: Int64?)
        case oldestFirst(after: Int64)
    }

    public init() {}
}
