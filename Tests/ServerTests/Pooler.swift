import Foundation
import Support

/// PgBouncer in front of a PostgreSQL of the tests.
final class Pooler {
    /// The time for which a connection to the server belongs to one client.
    enum Mode: String {
        case session
        /// Each transaction gets any free connection.
        case transaction
        /// Each statement gets any free connection, and every transaction has one statement.
        case statement
    }

    let url: String
    private let process: ExternalProcess

    /// - Parameter user: the user name for the server.
    init(
        before server: PostgresServer, _ database: String, mode: Mode = .transaction, user: String = "postgres"
    ) async throws {
        let port = try FreePort.next()
        url = server.networkURL(database, port: port)
        let file = "\(server.host)/pgbouncer-\(port).ini"
        let text = """
            [databases]
            \(database) = host=\(server.host) port=\(server.port) user=\(user)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = \(mode.rawValue)
            default_pool_size = \(mode == .session ? 40 : 4)
            """
        try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: file))
        process = try server.run("pgbouncer", [file])
        let url = url
        try await wait(for: "the pooler") { (try? await server.execute("SELECT 1", at: url)) == "1" }
    }

    deinit { process.kill() }
}
