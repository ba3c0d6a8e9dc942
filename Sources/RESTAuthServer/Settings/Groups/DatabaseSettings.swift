import RESTAuth
import RESTAuthPostgres

struct DatabaseSettings: SettingGroup {
    static let title = "Database"

    let url = Setting(
        "database_url", \.database, .databaseURL, platformName: "DATABASE_URL", flag: "database",
        isAlsoReadFromFile: true, "Where users are kept: sqlite:PATH or postgres://...",
        details: """
            `sqlite:///x` is `/x`. Other users can see a command line: leave a password to the environment, the file \
            or `~/.pgpass`.
            """)
}

struct PostgresSettings: SettingGroup {
    static let title = "PostgreSQL"

    let schema = Setting(
        "database_schema", \.postgres.schema, .text("name", "the name of a schema"), standard: "the role's first",
        "Schema of the tables.")
    let timeout = Setting(
        "database_timeout", \.postgres.timeout, .duration(in: 1...600), "How long a statement may take.",
        details: "Its time in the queue counts. After that the answer is 503.")
    let pooler = Setting(
        "database_pooler", \.postgres.pooler, .pooler, "Whether a pooler such as PgBouncer stands between.",
        details: "`no` is for none, and for one in session mode; `auto` looks for one.")
}

struct ServerDatabaseSettings: SettingGroup {
    static let title = "Database of a server"

    let connections = Setting(
        "database_connections", \.postgres.connections, .count(in: 3...1000),
        "PostgreSQL: connections of this node; one reads, one listens, the others write.")
    let wait = Setting(
        "wait_for_database", \.waitForDatabase, .duration(in: 0...86400),
        "How long serve waits at its start for a database that is not there.",
        details: """
            For a database that cannot be reached, starts, is locked, or whose directory is not mounted.
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
