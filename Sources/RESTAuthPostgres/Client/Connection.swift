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
    /// Whether a pooler stands between, so that the connection behind it may be another one for
    /// each transaction. What would be set up here would be set up for others.
    private(set) var isThroughPooler = false
    /// For how long the server may be silent.
    private let patience: Duration

    /// Connects, waiting for two seconds at most for each address.
    /// - Throws: `connectionLost` with libpq's words, which name host and user and never the
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

    /// Whether asking again would be answered the same: by a server that would take a connection,
    /// or has a reason of its own not to take this one, or by libpq, which does not understand the
    /// URI.
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
        try ServerProfile.requireVersion(of: self)
        var settings = [
            ("statement_timeout", String(configuration.timeout * 1000)),
            ("default_transaction_isolation", "read committed"),
            // Every statement finds its rows by a key, whatever the values: to plan it anew each
            // time costs more than to run it.
            ("plan_cache_mode", "force_generic_plan"),
        ]
        if let schema = configuration.schema { settings.append(("search_path", Self.quoted(schema))) }
        let calls = settings.indices.map { "set_config($\(2 * $0 + 1), $\(2 * $0 + 2), false)" }
        try query(
            Statement("SELECT \(calls.joined(separator: ", "))", settings.flatMap { [$0.0, $0.1] }), within: patience)
    }

    // MARK: Poolers

    /// Whether somebody stands between who speaks PostgreSQL's protocol: a pooler tells its clients
    /// a number of its own for the server's process.
    func isRelayed() throws(PostgresError) -> Bool { try serverProcess() != Int64(PQbackendPID(handle)) }

    /// The number of the process that runs this transaction, by its own word; `nil` where the
    /// server cannot say.
    func serverProcess() throws(PostgresError) -> Int64? {
        do throws(PostgresError) {
            return Self.value(
                "process", of: try query(Statement("SELECT pg_backend_pid() AS process"), within: patience))
        } catch {
            guard case .refused = error else { throw error }
            return nil
        }
    }

    /// Through a pooler the schema is the role's, or it would be set for others too. One that is
    /// not there yet will be made.
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

    /// The value in that column of the first row, if it is as it should be.
    private static func value<Value: PostgresValue>(_ column: String, of rows: Rows) -> Value? {
        guard let row = rows.first else { return nil }
        return (try? row[column] as Value?) ?? nil
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
    /// - Parameter limit: for how long; `nil` for as long as it takes.
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
                // Of a copying there would be no end.
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

    /// Runs statements without parameters, in one transaction unless they say otherwise.
    /// Runs `body`, which begins a transaction, until no other transaction was in its way.
    func repeatingTransaction(_ body: () throws -> Void) throws {
        while true {
            do {
                return try body()
            } catch let error as PostgresError where error.asksForAnotherTry {
                try execute("ROLLBACK")
            }
        }
    }

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
