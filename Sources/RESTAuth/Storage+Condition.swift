package import Foundation

/// Condition of a database, as reported to its operator.
package struct DatabaseCondition: Sendable {
    /// Time of the last write of a user, session or revocation, by the clock of the node that wrote
    /// it.
    package var newestRow: Date?
    /// The database's clock less this machine's, in seconds.
    package var clockOffset: Double = 0
    /// Seconds from a query to its answer.
    package var roundTrip: Double = 0
    /// Bytes that were written and are not yet in the database's main file.
    package var pendingBytes = 0
    /// Settings of the database, as `NAME = VALUE`, under which acknowledged writes can be lost.
    package var unsafeSettings: [String] = []
    /// Number of connections that the database would still accept; `nil` when it does not count
    /// them.
    package var freeConnections: Int?
    /// Password hashes of some users, at even distances of their ids.
    package var hashSample: [String] = []
    /// Reasons why the database cannot be used, each in words that follow "the PostgreSQL
    /// database".
    package var obstacles: [String] = []
    /// Whether a pooler stands between, which gives one connection to several clients.
    package var isThroughPooler = false

    package init() {}
}
