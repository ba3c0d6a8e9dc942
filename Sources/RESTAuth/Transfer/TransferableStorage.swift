/// Numbers that were given and are never given again, also when their rows are gone.
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

/// How a storage takes it that it is to be filled.
package enum TransferBeginning: Sendable, Hashable {
    /// It was empty, or an earlier transfer from the same source was interrupted.
    case admitted
    /// It has rows, and no transfer put them there.
    case notEmpty
    /// An earlier transfer was interrupted, from the source of that name.
    case filledFrom(String)
}

/// What a backend promises so that everything in it can move to another one.
///
/// While a storage is being filled it carries a mark, and is not opened for anything else: nobody
/// is to sign in to half of the users.
package protocol TransferableStorage: Sendable {
    /// The same whenever the same database is opened, and without passwords: it is shown, and kept
    /// in the mark.
    var transferName: String { get }

    /// Marks the storage as being filled from that source. Looks whether it is empty and writes the
    /// mark, in one transaction.
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

    /// Lets no counter be less than given, takes the mark away and records the event, in one
    /// transaction.
    func finishTransfer(with counters: TransferCounters, recording event: AuthEvent) async throws

    /// Deletes all rows and leaves the mark, in one transaction.
    func deleteAllRows() async throws

    /// Runs `body` while others can read and nobody can write: writers wait, or are refused after a
    /// while.
    func withoutWriters<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value
}
