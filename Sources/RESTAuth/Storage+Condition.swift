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

    package init() {}
}
