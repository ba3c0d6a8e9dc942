/// Counters of numbers that are never used again, also when their rows are deleted.
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

/// The answer of a storage that is to be filled.
package enum TransferBeginning: Sendable, Hashable {
    /// The storage is empty, or an earlier transfer from the same source was interrupted.
    case admitted
    /// The storage has rows that are of no transfer.
    case notEmpty
    /// An earlier transfer from another source was interrupted.
    case filledFrom(String)
}

/// The promises of a backend for transfers.
///
/// A storage that is being filled is marked and cannot be opened for anything else, so that no
/// server runs with half of the users.
package protocol TransferableStorage: Sendable {
    /// The name of the database, without passwords: the same each time, shown to the operator, and
    /// stored in the mark.
    var transferName: String { get }

    /// Marks the storage as being filled from a source, if it is empty, in one transaction.
    func beginTransfer(from source: String) async throws -> TransferBeginning

    /// How many rows a table has.
    func count(of table: StoredTable) async throws -> Int

    /// At most `limit` rows whose key is greater than `key`, in the order of keys; from the first
    /// one on when that is `nil`.
    func rows(of table: StoredTable, after key: TransferRow?, limit: Int) async throws -> [TransferRow]

    /// The greatest key; `nil` for none.
    func lastKey(of table: StoredTable) async throws -> TransferRow?

    /// Stores all rows or none, in one transaction.
    /// - Returns: whether they were stored: not when they contradict what is there, as a name that
    ///   another row has.
    func insert(_ rows: [TransferRow], into table: StoredTable) async throws -> Bool

    func counters() async throws -> TransferCounters

    /// Raises the counters to at least the given ones, removes the mark and records the event, in
    /// one transaction.
    func finishTransfer(with counters: TransferCounters, recording event: AuthEvent) async throws

    /// Deletes all rows and keeps the mark, in one transaction.
    func deleteAllRows() async throws

    /// Runs `body` while others can read and not write: writers wait, or are refused after a while.
    func withoutWriters<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value
}
