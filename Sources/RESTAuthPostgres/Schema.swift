import Foundation
import RESTAuth

/// Examines the database when a node starts, and brings its schema up to date.
enum Schema {
    /// Number of the advisory lock: "RAth", to be recognised in a list of locks.
    private static let lock = 0x5241_7468

    /// The database that was found.
    struct Database: Sendable {
        /// Host, port, name and schema.
        let name: String
        /// Whether the database supports NOTIFY.
        let announces: Bool
        let isThroughPooler: Bool
    }

    /// Connects, brings the schema up to date, and checks that the database can be used.
    /// - Parameters:
    ///   - configuration: the connection.
    ///   - createsMissing: whether to make the tables when there are none.
    ///   - isFilled: whether this is for a transfer; only a transfer may open a database that one
    ///     is filling.
    ///   - caller: the caller, for the event of a changed schema.
    /// - Throws: `misconfigured`, with what to do about it.
    static func prepare(
        _ configuration: PostgresConfiguration, createsMissing: Bool, isFilled: Bool, by caller: Caller = .application
    ) throws -> Database {
        do {
            let connection = try connect(configuration)
            guard try createsMissing || version(connection) > 0 else {
                throw AuthError(.misconfigured, "the PostgreSQL database has no tables of rest-auth")
            }
            try migrate(connection, schema: configuration.schema, by: caller)
            if isFilled { try requireOwner(connection) } else { try refuseUnfinished(connection) }
            return try describe(connection)
        } catch let error as PostgresError {
            throw unusable(error)
        }
    }

    /// Checks that the database can be reached, is not of a newer version and is not partly filled;
    /// returns its signing keys if the schema is of this version.
    static func look(
        _ configuration: PostgresConfiguration
    ) throws -> (keys: [StoredSigningKey], boundRelyingParty: String?) {
        do {
            let connection = try connect(configuration)
            let version = try version(connection)
            if version > 0 { try refuseUnfinished(connection) }
            guard try version == latest() else { return ([], nil) }
            let keys = try connection.query(Statement(StoredSigningKey.selection)).map(StoredSigningKey.init)
            return (keys, try connection.query(Statement(PostgresStorage.boundRelyingParty)).first?["rp_id"])
        } catch let error as PostgresError {
            throw unusable(error)
        }
    }

    /// Connects, and checks that the server can be used.
    private static func connect(_ configuration: PostgresConfiguration) throws -> Connection {
        // This comes before anything is set up on a connection that other clients share.
        if configuration.pooler == .no, try ServerProfile.sharesConnections(of: configuration) {
            throw PostgresError.unsuitable(
                """
                is behind a pooler that changes the connection between transactions, and database_pooler is no: take \
                it out, or set it to yes
                """
            )
        }
        let connection = try Connection(configuration)
        try ServerProfile(connection).requireUsable()
        return connection
    }

    /// Gives a role that does not own the tables the rights of a node: all on rows, none to change
    /// tables.
    static func grantRows(to role: String, _ configuration: PostgresConfiguration) throws {
        do {
            let connection = try Connection(configuration)
            guard
                let schema: String = try connection.query(Statement("SELECT current_schema()::text AS name")).first?[
                    "name"]
            else {
                return
            }
            let (name, role) = (Connection.quoted(schema), Connection.quoted(role))
            let sequences: [String] = try connection.query(Statement(sequences)).map { try $0["sequence"] }
            try connection.execute(
                """
                GRANT USAGE ON SCHEMA \(name) TO \(role);
                GRANT SELECT, INSERT, UPDATE, DELETE ON \
                \(Migrations.tables.map { "\(name).\($0)" }.joined(separator: ", ")) TO \(role);
                GRANT SELECT ON \(name).schema_migrations TO \(role);
                GRANT SELECT ON SEQUENCE \(sequences.joined(separator: ", ")) TO \(role)
                """)
        } catch let error as PostgresError {
            throw unusable(error)
        }
    }

    /// Query for the sequences that give the tables' rows their ids, with names quoted for SQL.
    static let sequences = """
        SELECT pg_get_serial_sequence(tables.name, attname::text) AS sequence
        FROM unnest(ARRAY[\(Migrations.tables.map { "'\($0)'" }.joined(separator: ", "))]) AS tables (name)
            JOIN pg_attribute ON attrelid = tables.name::regclass AND attidentity <> ''
        """

    /// Brings the schema up to date. Of nodes that start at the same time one does it and the
    /// others wait. A node that finds the schema up to date takes no lock and needs no right to
    /// change anything.
    private static func migrate(_ connection: Connection, schema: String?, by caller: Caller) throws {
        guard try version(connection) < latest() else { return }
        try connection.repeatingTransaction { try change(connection, schema: schema, by: caller) }
    }

    private static func change(_ connection: Connection, schema: String?, by caller: Caller) throws {
        try connection.execute("BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(\(lock))")
        if let schema,
            try connection.query(Statement("SELECT FROM pg_namespace WHERE nspname = $1", [schema])).count == 0
        {
            try connection.execute("CREATE SCHEMA \(Connection.quoted(schema))")
        }
        try connection.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL \
            DEFAULT now())
            """
        )
        let earlier = try version(connection)
        for change in try Migrations.all() where change.number > earlier {
            try connection.execute(change.script)
            try connection.query(Statement("INSERT INTO schema_migrations (version) VALUES ($1)", [change.number]))
        }
        // For a new database no event is recorded.
        let latest = try latest()
        if earlier > 0, earlier < latest {
            let event = AuthEvent.schemaApplied(version: latest, from: earlier).by(caller, at: .now)
            try connection.query(Statement(recording: event))
        }
        try connection.execute("COMMIT")
    }

    static func isOfThisVersion(_ connection: Connection) throws -> Bool {
        try version(connection) == latest()
    }

    private static func latest() throws -> Int { try Migrations.all().last?.number ?? 0 }

    /// The number of the last change that was made.
    private static func version(_ connection: Connection) throws -> Int {
        guard
            try connection.query(Statement("SELECT to_regclass('schema_migrations') IS NOT NULL AS is_there")).first?[
                "is_there"] ?? false
        else { return 0 }
        let version: Int =
            try connection.query(Statement("SELECT coalesce(max(version), 0) AS version FROM schema_migrations"))
            .first?["version"] ?? 0
        guard try version <= latest() else {
            throw AuthError(
                .misconfigured, "the database was made by a newer version of rest-auth; use that version or a later one"
            )
        }
        return version
    }

    /// Checks the role before anything is copied, because the next user id must be set at the end.
    private static func requireOwner(_ connection: Connection) throws {
        let row = try connection.query(Statement("SELECT has_sequence_privilege('users_id_seq', 'UPDATE') AS is_owner"))
            .first
        guard try row?["is_owner"] ?? false else {
            throw AuthError(
                .misconfigured, "the PostgreSQL database is filled by the owner of its tables: sign in as that role")
        }
    }

    private static func refuseUnfinished(_ connection: Connection) throws {
        guard
            let source: String = try connection.query(Statement("SELECT source FROM unfinished_transfer")).first?[
                "source"]
        else {
            return
        }
        throw AuthError(
            .misconfigured,
            "the database is only partly filled from \(source): repeat the rest-auth migrate command to finish it")
    }

    private static func describe(_ connection: Connection) throws -> Database {
        let row = try connection.query(
            Statement(
                """
                SELECT current_database()::text AS database, current_schema()::text AS schema,
                    to_regproc('pg_catalog.pg_notify') IS NOT NULL AS announces
                """)
        ).first
        let (database, schema): (String, String) = (try row?["database"] ?? "", try row?["schema"] ?? "")
        return Database(
            name: "postgres://\(connection.host)/\(database), schema \(schema)",
            announces: try row?["announces"] ?? false, isThroughPooler: connection.isThroughPooler)
    }

    static func unusable(_ error: PostgresError) -> AuthError {
        let reason =
            switch error {
            case .connectionLost(let message) where message.utf8.contains("hot standby mode".utf8):
                "cannot be reached: \(message); it is \(ServerProfile.standby)"
            case .connectionLost(let message) where message.utf8.contains("unsupported startup parameter".utf8):
                """
                cannot be reached: \(message); a pooler sets no parameters for its clients: take it out of the URL, \
                or of PGOPTIONS, and set it on the role, such as ALTER ROLE name SET search_path = schema
                """
            case .connectionLost(let message) where message.utf8.contains("statement pooling mode".utf8):
                """
                is behind a pooler in statement mode, through which no tables are made: set its pool_mode to \
                transaction, or run rest-auth schema apply with the URL of the database itself
                """
            case .connectionLost(let message): "cannot be reached: \(message)"
            case .refused(.insufficientPrivilege, let message):
                """
                needs its schema brought up to date, which this role may not (\(message)); run as the owner: rest-auth \
                schema apply
                """
            case .refused(.invalidSchemaName, let message):
                """
                has no schema for the tables (\(message)): CREATE SCHEMA makes one, and the role's search_path or \
                database_schema names it
                """
            case .refused(let state, let message): "cannot be used: \(message) (SQLSTATE \(state.rawValue))"
            case .unsuitable(let message): message
            case .timedOut, .queueFull, .abandoned: "does not answer"
            case .unexpectedColumn(let name): "has another schema than this program expects, in the column \(name)"
            }
        return AuthError(.misconfigured, "the PostgreSQL database \(reason)")
    }
}
