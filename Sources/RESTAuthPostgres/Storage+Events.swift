import Foundation
public import RESTAuth

extension EventsRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            10, "events",
            """
            -- What happened. Users and sessions may be gone, so nothing refers to them.
            CREATE TABLE audit_events (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                at timestamptz NOT NULL,
                name text COLLATE "C" NOT NULL,
                user_id bigint,
                session_id uuid,
                actor_kind text COLLATE "C" NOT NULL CHECK (
                    actor_kind IN ('anonymous', 'user', 'client', 'operator', 'application')),
                actor_id text COLLATE "C",
                request_id text COLLATE "C",
                address text COLLATE "C",
                user_agent text COLLATE "C",
                -- A JSON object, its names in order.
                details text COLLATE "C" NOT NULL,
                -- The place in the chain of seals, and the seal, once there are any.
                number bigint CHECK (number > 0),
                seal bytea,
                CHECK ((number IS NULL) = (seal IS NULL))
            );
            CREATE INDEX audit_events_of_user ON audit_events (user_id, id);
            CREATE UNIQUE INDEX audit_events_by_number ON audit_events (number) WHERE number IS NOT NULL;
            CREATE INDEX audit_events_not_sealed ON audit_events (id) WHERE number IS NULL;
            """)
    ]
}

extension PostgresStorage {
    public func append(_ event: AuthEvent) async throws {
        guard event.name.isDurable else { return }
        _ = try await write(Statement(recording: event))
    }

    public func events(after id: Int64, limit: Int) async throws -> [StoredEvent] {
        try await read(
            "SELECT \(StoredEvent.columns) FROM audit_events WHERE id > $1 ORDER BY id LIMIT $2", [id, limit]
        ).map(StoredEvent.init)
    }
}

extension Statement {
    /// The number of events that a statement records with its change.
    enum Occurrence {
        /// One event, if there is any row.
        case once
        /// One event, if there is a row that meets the condition.
        case onceWhere(String)
        /// One event, if there is any row, with the number of rows
        /// (``AuthEvent/counting(users:)``).
        case countingUsers
        /// One event for each row, with its `user_id`, and its `session_id` if rows have one.
        case forEachUser, forEachSession
    }

    /// Makes a statement that only records the event.
    init(recording event: AuthEvent) {
        let (sql, parameters) = Self.insertion(of: event, after: 0)
        self.init(sql, parameters)
    }

    /// Makes a statement that runs `change` and records the event if it returned any row, so that
    /// only what happened is recorded. Both are one statement and one round trip.
    /// - Parameters:
    ///   - change: an INSERT, UPDATE or DELETE with `RETURNING`, or a SELECT; its rows are those of
    ///     the statement.
    ///   - parameters: the parameters of `change`.
    init(
        _ change: String, _ parameters: [any PostgresParameter], recording event: AuthEvent,
        _ occurrence: Occurrence = .once
    ) {
        self.init(change, parameters, recording: [(event, occurrence)])
    }

    /// Makes a statement that runs `change` and records any number of events.
    init(
        _ change: String, _ parameters: [any PostgresParameter], recording events: [(AuthEvent, Occurrence)]
    ) {
        let recorded = Self.recorded(events, after: parameters.count)
        self.init(
            "WITH changed AS (\(change))\(recorded.sql) SELECT * FROM changed", parameters + recorded.parameters)
    }

    /// Parts of a WITH list that follow one called `changed` and record the events for it.
    /// - Parameter count: the number of parameters before.
    static func recorded(
        _ events: [(AuthEvent, Occurrence)], after count: Int
    ) -> (sql: String, parameters: [any PostgresParameter]) {
        var (sql, parameters): (String, [any PostgresParameter]) = ("", [])
        for (index, (event, occurrence)) in events.enumerated() where event.name.isDurable {
            let insertion = insertion(of: event, occurrence, after: count + parameters.count)
            sql += ", recorded_\(index) AS (\(insertion.sql))"
            parameters += insertion.parameters
        }
        return (sql, parameters)
    }

    private static func insertion(
        of event: AuthEvent, _ occurrence: Occurrence? = nil, after count: Int
    ) -> (sql: String, parameters: [any PostgresParameter]) {
        let isCounting = if case .countingUsers = occurrence { true } else { false }
        let fields = EventFields(isCounting ? event.counting(users: 0) : event)
        func place(_ index: Int) -> String { "$\(count + index)" }
        let (user, session, condition) =
            switch occurrence {
            case nil: (place(3), place(4), "")
            case .once: (place(3), place(4), " WHERE EXISTS (SELECT FROM changed)")
            case .onceWhere(let condition):
                (place(3), place(4), " WHERE EXISTS (SELECT FROM changed WHERE \(condition))")
            case .countingUsers: (place(3), place(4), " FROM changed HAVING count(*) > 0")
            case .forEachUser: ("coalesce(user_id, \(place(3)))", place(4), " FROM changed")
            case .forEachSession:
                ("coalesce(user_id, \(place(3)))", "coalesce(session_id, \(place(4)))", " FROM changed")
            }
        var others = (5...10).map(place).joined(separator: ", ")
        if isCounting {
            // The count replaces the 0 in the text.
            others =
                (5...9).map(place).joined(separator: ", ")
                + #", replace(\#(place(10)), '"0"', '"' || count(*) || '"')"#
        }
        return (
            """
            INSERT INTO audit_events (
                at, name, user_id, session_id, actor_kind, actor_id, request_id, address, user_agent, details)
            SELECT \(place(1)), \(place(2)), \(user), \(session), \(others)\(condition)
            """,
            [
                fields.at, fields.name, fields.userID, fields.sessionID, fields.actorKind, fields.actorID,
                fields.requestID, fields.address, fields.userAgent, fields.details,
            ]
        )
    }
}

extension PostgresStorage {
    /// Number of the newest events among which an event of an earlier attempt is searched for.
    private static let newest = 10_000

    /// Whether a transaction made its change: this attempt did, or an earlier one did and recorded
    /// the event, but its answer was lost.
    /// - Parameter index: index of the statement that returns a row when it changes something.
    func isNew(_ written: Written, _ index: Int, recording event: AuthEvent?) async throws -> Bool {
        if written[index].count > 0 { return true }
        guard written.isRepeated, let event else { return false }
        let fields = EventFields(event)
        return try await read(
            """
            SELECT FROM (SELECT * FROM audit_events ORDER BY id DESC LIMIT $1) AS newest
            WHERE name = $2 AND at = $3 AND details = $4 AND user_id IS NOT DISTINCT FROM $5
                AND actor_id IS NOT DISTINCT FROM $6 AND request_id IS NOT DISTINCT FROM $7
            """,
            [
                Self.newest, fields.name, fields.at, fields.details, fields.userID, fields.actorID, fields.requestID,
            ]
        ).count > 0
    }
}

extension StoredEvent {
    static let columns = """
        id, at, name, user_id, session_id, actor_kind, actor_id, request_id, address, user_agent, details, number, seal
        """

    init(_ row: Row) throws {
        self.init(
            id: try row["id"],
            fields: EventFields(
                at: try row["at"], name: try row["name"], userID: try row["user_id"],
                sessionID: try row["session_id"], actorKind: try row["actor_kind"], actorID: try row["actor_id"],
                requestID: try row["request_id"], address: try row["address"], userAgent: try row["user_agent"],
                details: try row["details"]),
            number: try row["number"], seal: try row["seal"])
    }
}
