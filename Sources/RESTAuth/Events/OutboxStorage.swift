public import Foundation

/// The promises about the outbox: each event that is recorded while somebody reads it waits there
/// until it is deleted.
///
/// That somebody reads is a fact of the database, not a setting of a process: whatever process
/// records an event, a node or a command, puts it in, in the same transaction.
public protocol OutboxStorage: Sendable {
    /// Events are put in from now on, if they are not already.
    func openOutbox() async throws

    /// Events are put in no longer, and those that wait are deleted.
    func closeOutbox() async throws

    /// At most `limit` events that wait and that nobody has taken, in the order in which they were
    /// recorded: what was recorded after another was committed comes after it. They are whoever's
    /// takes them until `end`; from then on, unless they were deleted, they are taken again.
    func takeFromOutbox(limit: Int, until end: Date, at now: Date) async throws -> [StoredEvent]

    /// Deletes what needs no other reader.
    /// - Parameter ids: of events.
    func deleteFromOutbox(_ ids: [Int64]) async throws

    /// Deletes at most `limit` events that nobody has read: those from before `date`, and the
    /// oldest beyond `count`.
    /// - Returns: how many.
    func trimOutbox(before date: Date, keeping count: Int, limit: Int) async throws -> Int
}
