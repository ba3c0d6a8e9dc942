import Foundation
import RESTAuth

/// Looks at the database when a node starts, and brings its schema up to date.
enum Schema {
    /// "RAth", for whoever looks at the locks.
    private static let lock = 0x5241_7468

    /// - Returns: whether the database can say that something was written (NOTIFY).
    /// - Throws: `misconfigured`, with what to do about it.
    static func prepare(_ configuration: PostgresConfiguration) throws -> Bool {
        do {
            let connection = try Connection(configuration)
            if let schema = configuration.schema { try createSchema(schema, connection) }
            try migrate(connection)
            let rows = try connection.query(Statement("SELECT to_regproc('pg_catalog.pg_notify') IS NOT NULL AS is_there"))
            return try rows.first?["is_there"] ?? false
        } catch let error as PostgresError {
            throw unusable(error)
        }
    }

    private static func createSchema(_ name: String, _ connection: Connection) throws {
        let isThere = try connection.query(Statement("SELECT FROM pg_namespace WHERE nspname = $1", [name])).count == 1
        if !isThere { try connection.execute("CREATE SCHEMA IF NOT EXISTS \(Connection.quoted(name))") }
    }

    /// Of nodes that start at once one does it, the others wait for its end. A node that finds all done asks for no lock and needs no right to change
    /// anything.
    private static func migrate(_ connection: Connection) throws {
        guard try version(connection) < Migrations.all.count else { return }
        try connection.execute("BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(\(lock))")
        try connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
        for (index, script) in Migrations.all.enumerated().dropFirst(try version(connection)) {
            try connection.execute(script)
            try connection.query(Statement("INSERT INTO schema_migrations (version) VALUES ($1)", [index + 1]))
        }
        try connection.execute("COMMIT")
    }

    /// How many of the migrations have been applied.
    private static func version(_ connection: Connection) throws -> Int {
        guard try connection.query(Statement("SELECT to_regclass('schema_migrations') IS NOT NULL AS is_there")).first?["is_there"] ?? false
        else { return 0 }
        let version: Int =
            try connection.query(Statement("SELECT coalesce(max(version), 0) AS version FROM schema_migrations")).first?["version"] ?? 0
        guard version <= Migrations.all.count else {
            throw AuthError(.misconfigured, "the database was made by a newer version of rest-auth; use that version or a later one")
        }
        return version
    }

    private static func unusable(_ error: PostgresError) -> AuthError {
        let reason =
            switch error {
            case .connectionLost(let message): "cannot be reached: \(message)"
            case .refused(.insufficientPrivilege, let message):
                "needs its schema brought up to date, which this role may not (\(message)); run as the owner: rest-auth schema apply"
            case .refused(let state, let message): "cannot be used: \(message) (SQLSTATE \(state.rawValue))"
            case .timedOut, .queueFull: "does not answer"
            case .unexpectedColumn(let name): "has another schema than this program expects, in the column \(name)"
            }
        return AuthError(.misconfigured, "the PostgreSQL database \(reason)")
    }
}
