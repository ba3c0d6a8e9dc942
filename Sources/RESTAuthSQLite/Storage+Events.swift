import Foundation
import GRDB
public import RESTAuth

extension EventsRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            10, "events",
            """
            -- What happened. Users and sessions may be gone, so nothing refers to them.
            CREATE TABLE audit_events (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                at REAL NOT NULL,
                name TEXT NOT NULL,
                user_id INTEGER,
                session_id TEXT,
                actor_kind TEXT NOT NULL CHECK (
                    actor_kind IN ('anonymous', 'user', 'client', 'operator', 'application')),
                actor_id TEXT,
                request_id TEXT,
                address TEXT,
                user_agent TEXT,
                -- A JSON object, its names in order.
                details TEXT NOT NULL,
                -- The place in the chain of seals, and the seal, once there are any.
                number INTEGER CHECK (number > 0),
                seal BLOB,
                CHECK ((number IS NULL) = (seal IS NULL))
            ) STRICT;
            CREATE INDEX audit_events_of_user ON audit_events (user_id, id);
            CREATE UNIQUE INDEX audit_events_by_number ON audit_events (number) WHERE number IS NOT NULL;
            CREATE INDEX audit_events_not_sealed ON audit_events (id) WHERE number IS NULL;
            """)
    ]
}

extension SQLiteStorage {
    public func append(_ event: AuthEvent) async throws {
        try await write { try $0.append(event) }
    }

    public func events(after id: Int64, limit: Int) async throws -> [StoredEvent] {
        try read { database in
            try database.rows(
                "SELECT \(StoredEvent.columns) FROM audit_events WHERE id > ? ORDER BY id LIMIT ?", [id, limit]
            ) { try StoredEvent($0) }
        }
    }
}

extension Database {
    /// Stores the event, if it is durable, in the transaction of the change that it describes.
    func append(_ event: AuthEvent) throws {
        guard event.name.isDurable else { return }
        let fields = EventFields(event)
        try run(
            """
            INSERT INTO audit_events (
                at, name, user_id, session_id, actor_kind, actor_id, request_id, address, user_agent, details)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                fields.at.timeIntervalSince1970, fields.name, fields.userID, fields.sessionID?.description,
                fields.actorKind, fields.actorID, fields.requestID, fields.address, fields.userAgent, fields.details,
            ])
    }
}

extension Database {
    /// Stores the event if the statement before changed a row.
    /// - Returns: whether a row was changed.
    func recordChange(_ event: AuthEvent) throws -> Bool {
        guard changesCount > 0 else { return false }
        try append(event)
        return true
    }
}

extension StoredEvent {
    static let columns = """
        id, at, name, user_id, session_id, actor_kind, actor_id, request_id, address, user_agent, details, number, seal
        """

    /// Reads any row, also one that another program has written. Its session's id may be no UUID:
    /// the name of such an event ends in a NUL, so that its digest differs from the one that was
    /// sealed.
    init(_ row: Row) throws {
        let text: String? = try row["session_id"]
        let sessionID = text.flatMap { Session.ID($0) }
        let name: String = try row["name"]
        try self.init(
            id: row["id"],
            fields: EventFields(
                at: row["at"], name: text != nil && sessionID == nil ? name + "\0" : name,
                userID: row["user_id"], sessionID: sessionID, actorKind: row["actor_kind"], actorID: row["actor_id"],
                requestID: row["request_id"], address: row["address"], userAgent: row["user_agent"],
                details: row["details"]),
            number: row["number"], seal: row["seal"])
    }
}
