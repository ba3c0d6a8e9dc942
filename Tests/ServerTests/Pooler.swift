import Foundation
import Support

/// PgBouncer before a PostgreSQL of the tests.
final class Pooler {
    /// For how long a connection of the server's is one client's.
    enum Mode: String {
        case session
        /// Each transaction gets whatever connection is free.
        case transaction
        /// So does each statement, and there are no others than transactions of one.
        case statement
    }

    let url: String
    private let process: ExternalProcess

    /// - Parameter user: as whom it comes to the server.
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
