public import Foundation
public import RESTAuth

extension OutboxRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            12, "outbox",
            """
            -- Events that wait for their reader.
            CREATE TABLE outbox (
                event_id bigint PRIMARY KEY REFERENCES audit_events (id) ON DELETE CASCADE,
                -- Until when whoever took it last may take to deal with it.
                taken_until timestamptz
            );
            -- Has a row as long as somebody reads.
            CREATE TABLE outbox_reader (is_the_only_row boolean PRIMARY KEY CHECK (is_the_only_row));
            CREATE FUNCTION event_is_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                -- The lock makes closing the outbox wait for this transaction.
                PERFORM FROM outbox_reader FOR KEY SHARE;
                IF FOUND THEN INSERT INTO outbox (event_id) VALUES (NEW.id); END IF;
                RETURN NULL;
            END $$;
            -- Also for whoever has another search_path.
            DO $$ BEGIN
                EXECUTE format(
                    'ALTER FUNCTION event_is_recorded() SET search_path = %I, pg_temp', current_schema());
            END $$;
            CREATE TRIGGER event_is_recorded AFTER INSERT ON audit_events
                FOR EACH ROW EXECUTE FUNCTION event_is_recorded();
            """)
    ]
}

extension PostgresStorage {
    public func openOutbox() async throws {
        _ = try await write(
            isRepeatable: true,
            Statement("INSERT INTO outbox_reader (is_the_only_row) VALUES (true) ON CONFLICT DO NOTHING"))
    }

    public func closeOutbox() async throws {
        // The first statement waits for running transactions, which may have written to the outbox.
        _ = try await write(
            isRepeatable: true, Statement("DELETE FROM outbox_reader"), Statement("DELETE FROM outbox"))
    }

    public func takeFromOutbox(limit: Int, until end: Date, at now: Date) async throws -> [StoredEvent] {
        try await write(
            Statement(
                """
                WITH taken AS (
                    UPDATE outbox SET taken_until = $1 WHERE event_id = ANY (ARRAY(
                        SELECT event_id FROM outbox WHERE taken_until IS NULL OR taken_until <= $2
                        ORDER BY event_id LIMIT $3 FOR UPDATE SKIP LOCKED))
                    RETURNING event_id
                )
                SELECT \(StoredEvent.columns) FROM audit_events JOIN taken ON event_id = id ORDER BY id
                """, [end, now, limit]))[0].map(StoredEvent.init)
    }

    public func deleteFromOutbox(_ ids: [Int64]) async throws {
        _ = try await write(
            isRepeatable: true, Statement("DELETE FROM outbox WHERE event_id = ANY ($1)", [PostgresArray(ids)]))
    }

    public func trimOutbox(before date: Date, keeping count: Int, limit: Int) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM outbox WHERE event_id = ANY (ARRAY(
                    SELECT event_id FROM outbox JOIN audit_events ON id = event_id
                    WHERE at < $1 OR event_id <= (SELECT event_id FROM outbox ORDER BY event_id DESC OFFSET $2 LIMIT 1)
                    ORDER BY event_id LIMIT $3))
                """, [date, count, limit]))[0].changedCount
    }
}
