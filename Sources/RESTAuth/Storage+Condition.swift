package import Foundation

/// What a database says of itself, for whoever looks after it.
package struct DatabaseCondition: Sendable {
    /// When the last user, session or revocation was written, by the clock of whoever wrote it.
    package var newestRow: Date?
    /// The database's own clock less this machine's, in seconds.
    package var clockOffset: Double = 0
    /// Seconds from a question to its answer.
    package var roundTrip: Double = 0
    /// Bytes that were written and not yet taken into the database's file.
    package var pendingBytes = 0
    /// Settings of the database under which what it acknowledged can be lost, as `NAME = VALUE`.
    package var unsafeSettings: [String] = []
    /// Connections that it would still give; `nil` where it counts none.
    package var freeConnections: Int?
    /// Some password hashes of users, at even distances of their ids.
    package var hashSample: [String] = []
    /// Why the database will not do, each in words that go on from "the PostgreSQL database".
    package var obstacles: [String] = []
    /// Whether something stands between that gives one connection to several clients.
    package var isThroughPooler = false

    package init() {}
}
