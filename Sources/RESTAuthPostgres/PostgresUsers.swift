import Foundation
public import RESTAuth
import Synchronization

/// The users of another program in PostgreSQL. They are only read, all as they were when the
/// reading began (one read-only transaction, REPEATABLE READ).
public final class PostgresUsers: UserSource {
    private struct State {
        let connection: Connection
        let table: Table
        let total: Int
        var done = 0
        var lastID: Int64 = .min
    }

    /// Carries the state from the thread that connects.
    private final class Opened: Sendable {
        let state: Mutex<State>

        init(_ configuration: PostgresConfiguration, _ tables: [Table]) throws {
            do {
                state = Mutex(try PostgresUsers.open(configuration, tables))
            } catch let error as PostgresError {
                throw PostgresUsers.unreadable(error)
            }
        }
    }

    private let opened: Opened

    /// Opens the users of a Flask server like the original one: table `users`, or `user` as
    /// Flask-SQLAlchemy names it, with `id`, `username` and `password_hash`. The ids are also those
    /// in the server's tokens.
    /// - Parameter url: the URI in the form of libpq.
    /// - Throws: `misconfigured` when the database cannot be reached or has no such table.
    public convenience init(ofFlask url: String) async throws {
        try await self.init(url, Table.flask)
    }

    /// Opens the users of a Django project: table `auth_user` with `id`, `username`, `password`,
    /// `is_active` and `date_joined`.
    /// - Parameter url: the URI in the form of libpq.
    /// - Throws: `misconfigured` when the database cannot be reached or has no such table.
    public convenience init(ofDjango url: String) async throws {
        try await self.init(url, [Table.django])
    }

    private init(_ url: String, _ tables: [Table]) async throws {
        var configuration = PostgresConfiguration(url: url)
        try configuration.validate()
        // No request waits for these answers.
        configuration.timeout = 600
        // If there is a pooler, nothing is left on a connection that others use next.
        configuration.pooler = .yes
        opened = try await PostgresStorage.onThread { [configuration] in try Opened(configuration, tables) }
    }

    private static func open(_ configuration: PostgresConfiguration, _ tables: [Table]) throws -> State {
        let connection = try Connection(configuration)
        // The transaction lasts until the connection is closed.
        try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table in tables {
            guard let table = try table.found(by: connection) else { continue }
            let total: Int =
                try connection.query(Statement("SELECT count(*) AS count FROM \(table.quotedName)")).first?["count"]
                ?? 0
            return State(connection: connection, table: table, total: total)
        }
        let names = tables.map(\.name).joined(separator: " or ")
        throw AuthError(
            .misconfigured,
            """
            the database has no table \(names) with the columns \
            \(tables.first?.columns.joined(separator: ", ") ?? "-"), or none in the role's search_path that it may see
            """)
    }

    public func next(_ limit: Int) async throws -> ImportBatch {
        try await PostgresStorage.onThread { [opened] in
            do {
                return try opened.state.withLock { try Self.read(&$0, limit) }
            } catch let error as PostgresError {
                throw Self.unreadable(error)
            }
        }
    }

    private static func read(_ state: inout State, _ limit: Int) throws -> ImportBatch {
        let rows = try state.connection.query(Statement(state.table.selection, [state.lastID, limit]))
        let entries = try rows.map { row in
            let id: Int64 = try row["id"]
            state.lastID = id
            return try state.table.entry(row, id: id)
        }
        state.done += entries.count
        return ImportBatch(entries: entries, done: state.done, total: max(state.done, state.total))
    }

    private static func unreadable(_ error: PostgresError) -> AuthError {
        let reason =
            switch error {
            case .connectionLost(let message): "cannot be reached: \(message)"
            case .refused(_, let message): "has no table of users that can be read: \(message)"
            default: "cannot be read: \(error)"
            }
        return AuthError(.misconfigured, "the database of the users \(reason)")
    }
}

// MARK: - Tables

/// The table in which a program keeps its users.
private struct Table: Sendable {
    let name: String
    private let hash: String
    /// Whether the table has `is_active` and `date_joined`.
    private let isDjango: Bool
    /// The expression that selects the hash; some programs store it as bytes.
    private var selectedHash: String

    private init(_ name: String, hash: String, isDjango: Bool) {
        (self.name, self.hash, self.isDjango) = (name, hash, isDjango)
        selectedHash = "\(hash)::text"
    }

    static let flask = ["users", "user"].map { Table($0, hash: "password_hash", isDjango: false) }
    static let django = Table("auth_user", hash: "password", isDjango: true)

    var quotedName: String { Connection.quoted(name) }
    var columns: [String] { ["id", "username", hash] + (isDjango ? ["is_active", "date_joined"] : []) }

    /// Finds the table in the database; `nil` when it is missing or has other columns.
    /// - Throws: `misconfigured` when its ids are not whole numbers, and when it is a table of
    ///   rest-auth.
    func found(by connection: Connection) throws -> Table? {
        let rows = try connection.query(
            Statement(
                """
                SELECT attname::text AS name, format_type(atttypid, NULL)::text AS type FROM pg_attribute
                WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
                """, [quotedName]))
        let types = Dictionary(
            try rows.map { (try $0["name"] as String, try $0["type"] as String) },
            uniquingKeysWith: { first, _ in first })
        guard types["canonical_username"] == nil else {
            throw AuthError(
                .misconfigured, "the database is one of rest-auth: rest-auth migrate moves those")
        }
        guard columns.allSatisfy({ types[$0] != nil }) else { return nil }
        guard let type = types["id"], ["smallint", "integer", "bigint"].contains(type) else {
            throw AuthError(
                .misconfigured,
                """
                the id of the table \(name) is of type \(types["id"] ?? "-"), and no whole number, as a user's is \
                here: write username and \(hash) to a list without the id, and import that with --csv
                """)
        }
        var table = self
        if types[hash] == "bytea" { table.selectedHash = "encode(\(hash), 'escape')" }
        return table
    }

    var selection: String {
        let django = isDjango ? ", is_active::boolean AS is_active, date_joined::timestamptz AS date_joined" : ""
        return """
            SELECT id::bigint AS id, username::text AS username, \(selectedHash) AS hash\(django)
            FROM \(quotedName) WHERE id > $1 ORDER BY id LIMIT $2
            """
    }

    func entry(_ row: Row, id: Int64) throws -> ImportBatch.Entry {
        let place = ImportPlace.id(id)
        guard let username = try row["username"] as String? else {
            return .unreadable(place, id: id, reason: "username is no text")
        }
        let passwordHash = try row["hash"] as String? ?? ""
        guard isDjango else {
            return .user(
                ForeignUser(place: place, id: id, legacyID: id, username: username, passwordHash: passwordHash))
        }
        return .user(
            ForeignUser(
                place: place, id: id, username: username, passwordHash: passwordHash,
                createdAt: try row["date_joined"] as Date?, isDisabled: try row["is_active"] as Bool? != true))
    }
}
