public import Foundation

/// The promises about the outbox: each event that is recorded while the outbox is open waits there
/// until it is deleted.
///
/// Whether the outbox is open is stored in the database and not a setting of a process: every
/// process that records an event, a node or a command, adds it in the same transaction.
public protocol OutboxStorage: Sendable {
    /// Opens the outbox: events are added from now on. Does nothing when it is open.
    func openOutbox() async throws

    /// Closes the outbox: events are no longer added, and those that wait are deleted.
    func closeOutbox() async throws

    /// Takes at most `limit` waiting events that no other reader has taken, in the order in which
    /// they were recorded: an event recorded after another was committed comes after it. Until
    /// `end` they belong to the caller; after that, unless they were deleted, they can be taken
    /// again.
    func takeFromOutbox(limit: Int, until end: Date, at now: Date) async throws -> [StoredEvent]

    /// Deletes events that have been read.
    /// - Parameter ids: ids of events.
    func deleteFromOutbox(_ ids: [Int64]) async throws

    /// Deletes at most `limit` events that no reader has deleted: those from before `date`, and the
    /// oldest beyond `count`.
    /// - Returns: the number of deleted events.
    func trimOutbox(before date: Date, keeping count: Int, limit: Int) async throws -> Int
}
