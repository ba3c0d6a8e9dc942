import CLibpq
import Foundation

/// One connection of libpq, used by one thread at a time.
final class Connection {
    let handle: OpaquePointer

    /// Connects, waiting for two seconds at most for each address.
    /// - Throws: `connectionLost` with libpq's words, which name host and user and never the
    ///   password.
    init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let handle = Self.withParameters(of: configuration) { PQconnectdbParams($0, $1, 1) }
        guard let handle else { throw .connectionLost("out of memory") }
        self.handle = handle
        guard PQstatus(handle) == CONNECTION_OK else { throw lost }
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        if !configuration.isBehindPooler { try setUp(configuration) }
    }

    deinit { PQfinish(handle) }

    /// Whether asking again would be answered the same: by a server that would take a connection, or
    /// has a reason of its own not to take this one, or by libpq, which does not understand the URI.
    static func isAnswered(_ configuration: PostgresConfiguration) -> Bool {
        [PQPING_OK, PQPING_NO_ATTEMPT].contains(withParameters(of: configuration) { PQpingParams($0, $1, 1) })
    }

    /// Names and values, as libpq takes them.
    private static func withParameters<Value>(
        of configuration: PostgresConfiguration,
        _ body: ([UnsafePointer<CChar>?], [UnsafePointer<CChar>?]) -> Value
    ) -> Value {
        let parameters = [
            // What the URI says wins over these, a standby, which may not have heard yet of what
            // was ended, being none that is read from,
            ("target_session_attrs", "primary"), ("connect_timeout", "2"), ("fallback_application_name", "rest-auth"),
            ("keepalives_idle", "15"), ("keepalives_interval", "5"),
            ("tcp_user_timeout", String(configuration.timeout * 1000 + 1000)),
            ("dbname", configuration.url),
            // and this over the URI.
            ("client_encoding", "UTF8"),
        ]
        let names = parameters.map { strdup($0.0) } + [nil]
        let values = parameters.map { strdup($0.1) } + [nil]
        defer { for text in names + values { free(text) } }
        return body(names.map { UnsafePointer($0) }, values.map { UnsafePointer($0) })
    }

    /// What the server must hold us to, for as long as the connection lives.
    private func setUp(_ configuration: PostgresConfiguration) throws(PostgresError) {
        var settings = [
            ("statement_timeout", String(configuration.timeout * 1000)),
            ("default_transaction_isolation", "read committed"),
            // Every statement finds its rows by a key, whatever the values: to plan it anew each
            // time costs more than to run it.
            ("plan_cache_mode", "force_generic_plan"),
        ]
        if let schema = configuration.schema { settings.append(("search_path", Self.quoted(schema))) }
        for (name, value) in settings { try query(Statement("SELECT set_config($1, $2, false)", [name, value])) }
    }

    /// An identifier as SQL wants it.
    static func quoted(_ identifier: String) -> String {
        "\"" + identifier.replacing("\"", with: "\"\"") + "\""
    }

    /// The server's name and port.
    var host: String {
        [PQhost(handle), PQport(handle)].compactMap { $0.map { String(cString: $0) } }.joined(separator: ":")
    }

    // MARK: One after the other

    /// Runs one statement and waits for its rows.
    @discardableResult
    func query(_ statement: Statement) throws(PostgresError) -> Rows {
        let formats = [Int32](repeating: 1, count: statement.types.count)
        let result = statement.withParameters {
            PQexecParams(
                handle, statement.sql, Int32(formats.count), statement.types, $0, statement.lengths, formats, 1)
        }
        return try rows(result)
    }

    /// Runs statements without parameters, in one transaction unless they say otherwise.
    func execute(_ script: String) throws(PostgresError) {
        _ = try rows(PQexec(handle, script))
    }

    private func rows(_ result: OpaquePointer?) throws(PostgresError) -> Rows {
        guard let result else { throw lost }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK: return Rows(result, columns: Columns(of: result))
        default:
            defer { PQclear(result) }
            throw failure(result)
        }
    }

    // MARK: Failures

    /// Why a statement failed.
    func failure(_ result: OpaquePointer) -> PostgresError {
        guard let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))) else { return lost }
        // The primary message only: the detail has values of rows.
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) } ?? "-"
        return .refused(SQLState(rawValue: String(cString: state)), message)
    }

    /// Why the connection is of no use.
    var lost: PostgresError {
        let message = String(cString: PQerrorMessage(handle)).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
        return .connectionLost(message.isEmpty ? "the connection was closed" : message)
    }
}
