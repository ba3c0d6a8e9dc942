/// Counters behind the ids and sequence numbers that are never reused, even after their rows were
/// deleted.
package struct TransferCounters: Sendable, Hashable {
    package var lastUserID: Int64
    package var lastRevocationNumber: Int64
    package var lastEventID: Int64

    package init(lastUserID: Int64, lastRevocationNumber: Int64, lastEventID: Int64) {
        self.lastUserID = lastUserID
        self.lastRevocationNumber = lastRevocationNumber
        self.lastEventID = lastEventID
    }
}

/// Answer of a storage that is asked to be filled.
package enum TransferBeginning: Sendable, Hashable {
    /// The storage is empty, or an earlier transfer from the same source was interrupted.
    case admitted
    /// The storage has rows, and no transfer is under way.
    case notEmpty
    /// An earlier transfer from another source was interrupted.
    case filledFrom(String)
}

/// Storage that can be copied from and filled.
///
/// A storage that is being filled is marked and cannot be opened for anything else, so that no
/// server runs with half of the users.
package protocol TransferableStorage: Sendable {
    /// Name of the database without passwords, the same each time. It is shown to the operator and
    /// stored in the mark.
    var transferName: String { get }

    /// Marks the storage as being filled from a source, if it is empty, in one transaction.
    func beginTransfer(from source: String) async throws -> TransferBeginning

    /// Counts the rows of a table.
    func count(of table: StoredTable) async throws -> Int

    /// Reads at most `limit` rows with a key greater than `key`, in the order of keys; without
    /// `key` from the first row on.
    func rows(of table: StoredTable, after key: TransferRow?, limit: Int) async throws -> [TransferRow]

    /// Finds the greatest key; `nil` for an empty table.
    func lastKey(of table: StoredTable) async throws -> TransferRow?

    /// Stores all rows or none, in one transaction.
    /// - Returns: whether they were stored: `false` when they contradict stored rows, as by a name
    ///   that another row has.
    func insert(_ rows: [TransferRow], into table: StoredTable) async throws -> Bool

    func counters() async throws -> TransferCounters

    /// Raises the counters to at least the given values, removes the mark and records the event, in
    /// one transaction.
    func finishTransfer(with counters: TransferCounters, recording event: AuthEvent) async throws

    /// Deletes all rows and keeps the mark, in one transaction.
    func deleteAllRows() async throws

    /// Runs `body` while others can read but not write: writers wait, or are refused after a while.
    func withoutWriters<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value
}
