import Foundation
import Logging

/// Events that wait for a reader.
package enum OutboxRoom: Room {
    package static let name = "outbox"

    package static let tables = [
        StoredTable("outbox", [Column("event_id", .integer), Column("taken_until", .time, isNullable: true)]),
        // Listed after the table of events: while this row exists, each event that is written is
        // put into the outbox again.
        StoredTable("outbox_reader", [Column("is_the_only_row", .boolean)]),
    ]

    /// Seconds that an event waits for a reader: 7 days.
    private static let patience: TimeInterval = 7 * 86400

    /// The largest number of events that wait.
    private static let limit = 100_000

    package static func sweep(_ auth: Auth) async throws {
        let tooOld = auth.configuration.now().addingTimeInterval(-patience)
        var total = 0
        while case let count = try await auth.storage.trimOutbox(before: tooOld, keeping: limit, limit: 1000),
            count > 0
        {
            total += count
        }
        if total > 0 { Logger.current.warning("events were not read in time", metadata: ["count": "\(total)"]) }
    }
}
