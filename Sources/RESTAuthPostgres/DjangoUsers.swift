import Foundation
public import RESTAuth
import Synchronization

/// The users of a Django project in PostgreSQL, which are only read: table `auth_user` with `id`,
/// `username`, `password`, `is_active` and `date_joined`.
public final class DjangoUsers: UserSource {
    private struct State {
        let connection: Connection
        let total: Int
        var done = 0
        var lastID: Int64 = .min
    }

    /// On its way from the thread that connects.
    private final class Opened: Sendable {
        let state: Mutex<State>

        init(_ configuration: PostgresConfiguration) throws {
            do {
                state = Mutex(try DjangoUsers.open(configuration))
            } catch let error as PostgresError {
                throw DjangoUsers.unreadable(error)
            }
        }
    }

    private let opened: Opened

    /// - Parameter url: as libpq takes it.
    /// - Throws: `misconfigured` when the database cannot be reached or has no such table.
    public init(url: String) async throws {
        var configuration = PostgresConfiguration(url: url)
        try configuration.validate()
        // Nobody waits for an answer.
        configuration.timeout = 600
        // Where one may stand between, nothing is left on a connection that others have next.
        configuration.pooler = .yes
        opened = try await PostgresStorage.onThread { [configuration] in try Opened(configuration) }
    }

    private static func open(_ configuration: PostgresConfiguration) throws -> State {
        let connection = try Connection(configuration)
        let total: Int =
            try onlyReading(connection, Statement("SELECT count(*) AS count FROM auth_user")).first?["count"] ?? 0
        return State(connection: connection, total: total)
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
        let rows = try onlyReading(
            state.connection,
            Statement(
                """
                SELECT id::bigint AS id, username::text AS username, password::text AS password, is_active, date_joined::timestamptz AS date_joined
                FROM auth_user WHERE id > $1 ORDER BY id LIMIT $2
                """, [state.lastID, limit]))
        let users = try rows.map { row in
            try ForeignUser(
                place: .id(row["id"]), id: row["id"], username: row["username"], passwordHash: row["password"],
                createdAt: row["date_joined"], isDisabled: !(row["is_active"] as Bool))
        }
        if let last = users.last?.id { state.lastID = last }
        state.done += users.count
        return ImportBatch(
            entries: users.map(ImportBatch.Entry.user), done: state.done, total: max(state.done, state.total))
    }

    /// The rows of a statement that the server lets change nothing.
    private static func onlyReading(_ connection: Connection, _ statement: Statement) throws -> Rows {
        try connection.execute("BEGIN READ ONLY")
        let rows = try connection.query(statement)
        try connection.execute("COMMIT")
        return rows
    }

    private static func unreadable(_ error: PostgresError) -> AuthError {
        let reason =
            switch error {
            case .connectionLost(let message): "cannot be reached: \(message)"
            case .refused(_, let message): "has no table auth_user that can be read: \(message)"
            default: "cannot be read: \(error)"
            }
        return AuthError(.misconfigured, "the Django database \(reason)")
    }
}
