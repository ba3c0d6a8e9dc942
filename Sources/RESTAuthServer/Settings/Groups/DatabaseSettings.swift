import RESTAuth
import RESTAuthPostgres

struct DatabaseSettings: SettingGroup {
    static let title = "Database"

    let url = Setting(
        "database_url", \.database, .databaseURL, platformName: "DATABASE_URL", flag: "database",
        isAlsoReadFromFile: true, "Database of the users: sqlite:PATH or postgres://...",
        details: """
            `sqlite:///x` is the path `/x`. Other users of the machine can see a command line: write a password into \
            the environment, the file or `~/.pgpass` instead.
            """)
}

struct PostgresSettings: SettingGroup {
    static let title = "PostgreSQL"

    let schema = Setting(
        "database_schema", \.postgres.schema, .text("name", "the name of a schema"), standard: "the role's first",
        "Schema that contains the tables.")
    let timeout = Setting(
        "database_timeout", \.postgres.timeout, .duration(in: 1...600), "How long a statement may take.",
        details: "This includes its time in the queue. After that, the request is answered with 503.")
    let pooler = Setting(
        "database_pooler", \.postgres.pooler, .pooler,
        "Whether this server connects through a pooler such as PgBouncer.",
        details: "Write `no` if there is no pooler, or one in session mode. `auto` detects a pooler.")
}

struct ServerDatabaseSettings: SettingGroup {
    static let title = "Database of a server"

    let connections = Setting(
        "database_connections", \.postgres.connections, .count(in: 3...1000),
        "PostgreSQL connections of this node: one reads, one listens, the others write.")
    let wait = Setting(
        "wait_for_database", \.waitForDatabase, .duration(in: 0...86400),
        "How long serve waits at its start for a database that is unavailable.",
        details: """
            It waits while the database cannot be reached, is starting or is locked, and while the directory of a \
            SQLite database is missing because it is not mounted yet.
            """)
}

extension Setting {
    static let database = DatabaseSettings()
    static let postgres = PostgresSettings()
    static let serverDatabase = ServerDatabaseSettings()
}

extension PostgresConfiguration {
    /// All connections of a server: the ``writers``, the one that reads and the one that listens.
    var connections: Int {
        get { writers + 2 }
        set { writers = newValue - 2 }
    }
}

extension SettingType<DatabaseURL> {
    fileprivate static let databaseURL = SettingType(
        placeholder: "url", range: "sqlite: and a path, or a URI of PostgreSQL such as postgres://USER@HOST/DATABASE",
        text: \.url,
        shown: DatabaseURL.withoutPassword
    ) { found throws(AuthError) in try DatabaseURL(found.value, place: found.place) }
}

extension SettingType<PostgresConfiguration.Pooler> {
    fileprivate static let pooler = SettingType("auto|yes|no", "auto, yes or no", text: \.rawValue) { text in
        switch text.lowercased() {
        case "auto": .auto
        case "yes", "true", "on", "1": .yes
        case "no", "false", "off", "0": .no
        default: nil
        }
    }
}
