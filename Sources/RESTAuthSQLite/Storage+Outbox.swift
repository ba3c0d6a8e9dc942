public import Foundation
import GRDB
public import RESTAuth

extension OutboxRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            12, "outbox",
            """
            -- Events that wait for their reader.
            CREATE TABLE outbox (
                event_id INTEGER PRIMARY KEY REFERENCES audit_events (id) ON DELETE CASCADE,
                -- Until when whoever took it last may take to deal with it.
                taken_until REAL
            ) STRICT;
            -- Has a row as long as somebody reads.
            CREATE TABLE outbox_reader (
                is_the_only_row INTEGER PRIMARY KEY CHECK (is_the_only_row = 1)
            ) STRICT;
            CREATE TRIGGER event_is_recorded AFTER INSERT ON audit_events
            WHEN EXISTS (SELECT 1 FROM outbox_reader) BEGIN
                INSERT INTO outbox (event_id) VALUES (NEW.id);
            END;
            """)
    ]
}

extension SQLiteStorage {
    public func openOutbox() async throws {
        try await write { try $0.run("INSERT OR IGNORE INTO outbox_reader (is_the_only_row) VALUES (1)") }
    }

    public func closeOutbox() async throws {
        try await write { database in
            try database.run("DELETE FROM outbox_reader")
            try database.run("DELETE FROM outbox")
        }
    }

    public func takeFromOutbox(limit: Int, until end: Date, at now: Date) async throws -> [StoredEvent] {
        try await write { database in
            let events = try database.rows(
                """
                SELECT \(StoredEvent.columns) FROM audit_events JOIN outbox ON event_id = id
                WHERE taken_until IS NULL OR taken_until <= ? ORDER BY event_id LIMIT ?
                """, [now.timeIntervalSince1970, limit]
            ) { try StoredEvent($0) }
            for event in events {
                try database.run(
                    "UPDATE outbox SET taken_until = ? WHERE event_id = ?", [end.timeIntervalSince1970, event.id])
            }
            return events
        }
    }

    public func deleteFromOutbox(_ ids: [Int64]) async throws {
        try await write { database in
            for id in ids { try database.run("DELETE FROM outbox WHERE event_id = ?", [id]) }
        }
    }

    public func trimOutbox(before date: Date, keeping count: Int, limit: Int) async throws -> Int {
        try await write { database in
            try database.run(
                """
                DELETE FROM outbox WHERE event_id IN (
                    SELECT event_id FROM outbox JOIN audit_events ON id = event_id
                    WHERE at < ? OR event_id <= (SELECT event_id FROM outbox ORDER BY event_id DESC LIMIT 1 OFFSET ?)
                    ORDER BY event_id LIMIT ?)
                """, [date.timeIntervalSince1970, count, limit])
            return database.changesCount
        }
    }
}
