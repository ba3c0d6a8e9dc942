/// Counters of numbers that are never used again, also when their rows are deleted.
package struct TransferCounters: Sendable, Hashable {
    package var lastUserID: Int64
    package var lastRevocationNumber: Int64

    package init(lastUserID: Int64, lastRevocationNumber: Int64) {
        self.lastUserID = lastUserID
        self.lastRevocationNumber = lastRevocationNumber
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

    /// The number of rows of a table.
    func count(of table: TransferTable) async throws -> Int

    /// At most `limit` rows with a key greater than `key`, in the order of keys; `nil` begins with
    /// the first row.
    func rows(of table: TransferTable, after key: TransferRow?, limit: Int) async throws -> [TransferRow]

    /// The greatest key of a table; `nil` for an empty one.
    func lastKey(of table: TransferTable) async throws -> TransferRow?

    /// Stores all rows or none, in one transaction.
    /// - Returns: whether the rows were stored; not when a constraint refuses one of them.
    func insert(_ rows: [TransferRow], into table: TransferTable) async throws -> Bool

    func counters() async throws -> TransferCounters

    /// Raises the counters to at least the given ones and removes the mark, in one transaction.
    func finishTransfer(with counters: TransferCounters) async throws

    /// Deletes all rows and keeps the mark, in one transaction.
    func deleteAllRows() async throws

    /// Runs `body` while others can read and not write: writers wait, or are refused after a while.
    func withoutWriters<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value
}
