import CLibpq
import RESTAuth

/// Properties of a server, and whether it can be used.
struct ServerProfile: Sendable {
    /// Version number of the server, in PostgreSQL's form: 15.18 is 150018.
    let version: Int
    /// Encoding of text in the database.
    let encoding: String
    let isStandby: Bool
    /// Whether transactions are read-only by default.
    let isReadOnly: Bool
    /// Whether a program that speaks PostgreSQL's protocol stands between.
    let isThroughPooler: Bool
    /// The existing tables that the role may not read and write.
    let closedTables: [String]
    private let role: String
    private let readOnlyRemedy: String

    /// Oldest version of the server that has everything needed.
    static let oldestVersion = 120_000

    init(_ connection: Connection) throws {
        version = Int(PQserverVersion(connection.handle))
        isThroughPooler = try connection.isRelayed()
        let row = try connection.query(Statement(Self.question)).first
        encoding = try row?["encoding"] ?? ""
        isStandby = try row?["is_standby"] ?? false
        isReadOnly = try row?["is_read_only"] ?? false
        role = try row?["role"] ?? ""
        readOnlyRemedy = try row?["remedy"] ?? ""
        let hasTables: Bool = try row?["has_tables"] ?? false
        closedTables = try hasTables ? Self.closedTables(connection) : []
    }

    private static let question = """
        SELECT current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS is_standby,
            current_setting('default_transaction_read_only') = 'on' AS is_read_only,
            quote_ident(session_user) AS role, to_regclass('schema_migrations') IS NOT NULL AS has_tables,
            CASE (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only')
                WHEN 'database' THEN format('ALTER DATABASE %I RESET default_transaction_read_only', current_database())
                WHEN 'user' THEN format('ALTER ROLE %I RESET default_transaction_read_only', session_user)
                WHEN 'database user' THEN format(
                    'ALTER ROLE %I IN DATABASE %I RESET default_transaction_read_only', session_user,
                    current_database())
                WHEN 'client' THEN 'take it out of the options in the URL or in PGOPTIONS'
                ELSE format('ALTER ROLE %I SET default_transaction_read_only = off', session_user)
            END AS remedy
        """

    private static func closedTables(_ connection: Connection) throws -> [String] {
        try connection.query(
            Statement(
                """
                SELECT name FROM unnest($1) WITH ORDINALITY AS tables (name, place)
                WHERE to_regclass(name) IS NOT NULL AND NOT (
                    has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT')
                    AND has_table_privilege(name, 'UPDATE') AND has_table_privilege(name, 'DELETE'))
                ORDER BY place
                """, [PostgresArray(Migrations.tables.map(Optional.some))])
        ).map { try $0["name"] }
    }

    /// Reasons why the server cannot be used, in words that follow "the PostgreSQL database", each
    /// with what to do about it. Empty when it can be used.
    var obstacles: [String] {
        var obstacles = [Self.obstacle(ofVersion: version)].compactMap { $0 }
        if encoding != "UTF8" {
            obstacles.append(
                """
                keeps text in \(encoding), in which not every name can be written: make one with CREATE DATABASE name \
                ENCODING 'UTF8' TEMPLATE template0, and move what is there with pg_dump and pg_restore
                """
            )
        }
        if isStandby { obstacles.append("is \(Self.standby)") }
        if isReadOnly {
            obstacles.append("is only read, because default_transaction_read_only is on: \(readOnlyRemedy)")
        }
        if !closedTables.isEmpty {
            obstacles.append(
                """
                does not let the role \(role) read and write \(closedTables.joined(separator: ", ")); as the owner of \
                the tables: rest-auth schema apply --runtime-role \(role)
                """
            )
        }
        return obstacles
    }

    static let standby =
        """
        a standby, which cannot be written: name the primary in the URL, or all hosts (host1,host2), of which the \
        primary is taken
        """

    private static func obstacle(ofVersion version: Int) -> String? {
        guard version > 0, version < oldestVersion else { return nil }
        let text = version >= 100_000 ? "\(version / 10_000)" : "\(version / 10_000).\(version / 100 % 100)"
        return "is PostgreSQL \(text), and the oldest that will do is \(oldestVersion / 10_000)"
    }

    /// Checks the version, before a connection is set up.
    /// - Throws: `unsuitable` for an older version, which lacks what is set up.
    static func requireVersion(of connection: Connection) throws(PostgresError) {
        if let obstacle = obstacle(ofVersion: Int(PQserverVersion(connection.handle))) { throw .unsuitable(obstacle) }
    }

    /// Checks that the server can be used.
    /// - Throws: `unsuitable`, with the first obstacle.
    func requireUsable() throws(PostgresError) {
        if let obstacle = obstacles.first { throw .unsuitable(obstacle) }
    }
}

extension ServerProfile {
    /// Whether a pooler gives one connection to the server to several clients in turn, as in
    /// transaction mode. Two connections are opened at the same time to find out: if each client
    /// keeps its own, the two never meet the same server process, and neither meets another one.
    static func sharesConnections(of configuration: PostgresConfiguration) throws(PostgresError) -> Bool {
        var configuration = configuration
        configuration.pooler = .yes
        configuration.schema = nil
        let one = try Connection(configuration)
        guard try one.isRelayed(), let first = try one.serverProcess() else { return false }
        let other = try Connection(configuration)
        for _ in 0..<8 {
            // A pooler without a free connection makes the second one wait.
            guard let met = try? other.serverProcess() else { return false }
            guard met != first, try one.serverProcess() == first else { return true }
        }
        return false
    }
}
