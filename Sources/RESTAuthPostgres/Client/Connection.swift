import CLibpq
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One connection of libpq, used by one thread at a time.
final class Connection {
    let handle: OpaquePointer
    /// Whether there is a pooler, so that each transaction may get another connection of the
    /// server. Any setting made here would be made for other clients.
    private(set) var isThroughPooler = false
    /// Time for which the server may be silent.
    private let patience: Duration

    /// Connects, waiting at most two seconds for each address.
    /// - Throws: `connectionLost` with libpq's message, which names host and user and never the
    ///   password; `unsuitable` for a server that cannot be used as configured.
    init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        patience = .seconds(configuration.timeout + 1)
        let handle = Self.withParameters(of: configuration) { PQconnectdbParams($0, $1, 1) }
        guard let handle else { throw .connectionLost("out of memory") }
        self.handle = handle
        guard PQstatus(handle) == CONNECTION_OK else { throw lost }
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        isThroughPooler =
            switch configuration.pooler {
            case .auto: try isRelayed()
            case .yes: true
            case .no: false
            }
        if isThroughPooler { try requireSchema(configuration.schema) } else { try setUp(configuration) }
    }

    deinit { PQfinish(handle) }

    /// Whether asking again would get the same answer: from a server that would take a connection
    /// or has its own reason to refuse this one, or from libpq, which does not understand the URI.
    static func isAnswered(_ configuration: PostgresConfiguration) -> Bool {
        [PQPING_OK, PQPING_NO_ATTEMPT].contains(withParameters(of: configuration) { PQpingParams($0, $1, 1) })
    }

    /// Calls `body` with the names and values of the connection parameters, in the form of libpq.
    private static func withParameters<Value>(
        of configuration: PostgresConfiguration,
        _ body: ([UnsafePointer<CChar>?], [UnsafePointer<CChar>?]) -> Value
    ) -> Value {
        let parameters = [
            // The URI wins over these. A standby is not read from, because it may not know yet
            // which tokens were refused.
            ("target_session_attrs", "primary"), ("connect_timeout", "2"), ("fallback_application_name", "rest-auth"),
            ("keepalives_idle", "15"), ("keepalives_interval", "5"),
            ("tcp_user_timeout", String(configuration.timeout * 1000 + 1000)),
            ("dbname", configuration.url),
            // These win over the URI.
            ("client_encoding", "UTF8"),
        ]
        let names = parameters.map { strdup($0.0) } + [nil]
        let values = parameters.map { strdup($0.1) } + [nil]
        defer { for text in names + values { free(text) } }
        return body(names.map { UnsafePointer($0) }, values.map { UnsafePointer($0) })
    }

    /// Makes the settings that hold for as long as the connection lives.
    private func setUp(_ configuration: PostgresConfiguration) throws(PostgresError) {
        try ServerProfile.requireVersion(of: self)
        var settings = [
            ("statement_timeout", String(configuration.timeout * 1000)),
            ("default_transaction_isolation", "read committed"),
            // Every statement finds its rows by a key, whatever the values, so planning it each
            // time costs more than running it.
            ("plan_cache_mode", "force_generic_plan"),
        ]
        if let schema = configuration.schema { settings.append(("search_path", Self.quoted(schema))) }
        let calls = settings.indices.map { "set_config($\(2 * $0 + 1), $\(2 * $0 + 2), false)" }
        try query(
            Statement("SELECT \(calls.joined(separator: ", "))", settings.flatMap { [$0.0, $0.1] }), within: patience)
    }

    // MARK: Poolers

    /// Whether a program that speaks PostgreSQL's protocol stands between: a pooler reports a
    /// process number of its own to its clients.
    func isRelayed() throws(PostgresError) -> Bool { try serverProcess() != Int64(PQbackendPID(handle)) }

    /// The number of the process that runs this transaction, as the server reports it; `nil` if the
    /// server cannot.
    func serverProcess() throws(PostgresError) -> Int64? {
        do throws(PostgresError) {
            return Self.value(
                "process", of: try query(Statement("SELECT pg_backend_pid() AS process"), within: patience))
        } catch {
            guard case .refused = error else { throw error }
            return nil
        }
    }

    /// Checks that the role has the schema, because through a pooler it would be set for other
    /// clients too. A schema that does not exist yet passes, as it will be made.
    private func requireSchema(_ schema: String?) throws(PostgresError) {
        guard let schema else { return }
        let rows = try query(
            Statement(
                """
                SELECT coalesce(current_schema()::text, '') = $1
                        OR btrim(split_part(current_setting('search_path'), ',', 1)) IN ($1, quote_ident($1))
                        AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS is_right,
                    format('ALTER ROLE %I IN DATABASE %I SET search_path = %I', session_user, current_database(), $1)
                        AS remedy
                """, [schema]), within: patience)
        guard !(Self.value("is_right", of: rows) ?? false) else { return }
        let remedy = Self.value("remedy", of: rows) ?? "ALTER ROLE name SET search_path = schema"
        throw .unsuitable(
            """
            is behind a pooler, where database_schema cannot be set on a connection: the role has to have it by \
            \(remedy), and the pooler has to connect anew; where it is in session mode, set database_pooler to no
            """
        )
    }

    /// The value of a column in the first row; `nil` if it is missing or of another type.
    private static func value<Value: PostgresValue>(_ column: String, of rows: Rows) -> Value? {
        guard let row = rows.first else { return nil }
        return (try? row[column] as Value?) ?? nil
    }

    /// Quotes an identifier for SQL.
    static func quoted(_ identifier: String) -> String {
        "\"" + identifier.replacing("\"", with: "\"\"") + "\""
    }

    /// The server's name and port.
    var host: String {
        [PQhost(handle), PQport(handle)].compactMap { $0.map { String(cString: $0) } }.joined(separator: ":")
    }

    // MARK: One after the other

    /// Runs one statement and waits for its rows.
    /// - Parameter limit: the time to wait; `nil` for no limit.
    @discardableResult
    func query(_ statement: Statement, within limit: Duration? = nil) throws(PostgresError) -> Rows {
        let formats = [Int32](repeating: 1, count: statement.types.count)
        let count = Int32(formats.count)
        guard let limit else {
            return try rows(
                statement.withParameters {
                    PQexecParams(handle, statement.sql, count, statement.types, $0, statement.lengths, formats, 1)
                })
        }
        let isSent = statement.withParameters {
            PQsendQueryParams(handle, statement.sql, count, statement.types, $0, statement.lengths, formats, 1)
        }
        guard isSent == 1 else { throw lost }
        let deadline = ContinuousClock.now + limit
        let result = try nextResult(by: deadline)
        do throws(PostgresError) {
            while let more = try nextResult(by: deadline) {
                defer { PQclear(more) }
                // The results of a COPY would never end.
                guard PQresultStatus(more) == PGRES_FATAL_ERROR else { throw .misunderstood }
            }
        } catch {
            PQclear(result)
            throw error
        }
        return try rows(result)
    }

    private func nextResult(by deadline: ContinuousClock.Instant) throws(PostgresError) -> OpaquePointer? {
        while PQisBusy(handle) == 1 {
            var file = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            let milliseconds = max(.zero, deadline - .now) / Duration.milliseconds(1)
            guard poll(&file, 1, Int32(clamping: Int(milliseconds.rounded(.up)))) > 0 else {
                throw .connectionLost("the server does not answer")
            }
            guard PQconsumeInput(handle) == 1 else { throw lost }
        }
        return PQgetResult(handle)
    }

    /// Runs `body`, which begins a transaction. After a serialization failure or a deadlock it
    /// rolls back and runs `body` again.
    func repeatingTransaction(_ body: () throws -> Void) throws {
        while true {
            do {
                return try body()
            } catch let error as PostgresError where error.asksForAnotherTry {
                try execute("ROLLBACK")
            }
        }
    }

    /// Runs statements without parameters, in one transaction unless they say otherwise.
    func execute(_ script: String) throws(PostgresError) {
        PQclear(try succeeded(PQexec(handle, script)))
    }

    private func rows(_ result: OpaquePointer?) throws(PostgresError) -> Rows {
        let result = try succeeded(result)
        guard let columns = Columns(of: result) else {
            PQclear(result)
            throw .misunderstood
        }
        return Rows(result, columns: columns)
    }

    private func succeeded(_ result: OpaquePointer?) throws(PostgresError) -> OpaquePointer {
        guard let result else { throw PQstatus(handle) == CONNECTION_OK ? .misunderstood : lost }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK: return result
        default:
            defer { PQclear(result) }
            throw failure(result)
        }
    }

    // MARK: Failures

    /// The error of a failed statement.
    func failure(_ result: OpaquePointer) -> PostgresError {
        guard let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))) else { return lost }
        // Only the primary message is used, as the detail contains values of rows.
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) } ?? "-"
        return .refused(SQLState(rawValue: String(cString: state)), message)
    }

    /// The error of an unusable connection.
    var lost: PostgresError {
        let message = String(cString: PQerrorMessage(handle)).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
        return .connectionLost(message.isEmpty ? "the connection was closed" : message)
    }
}
