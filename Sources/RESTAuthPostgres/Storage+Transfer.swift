import Foundation
package import RESTAuth
import Synchronization

extension PostgresStorage: TransferableStorage {
    package func beginTransfer(from source: String) async throws -> TransferBeginning {
        let isEmpty = Rooms.tables.map { table in
            let condition = table.rowsOfUpgrades.map { " WHERE \($0.column) <> '\($0.text)'" } ?? ""
            return "NOT EXISTS (SELECT FROM \(table.name)\(condition))"
        }.joined(separator: " AND ")
        let deletions = Rooms.tables.filter { $0.rowsOfUpgrades != nil }.map { table in
            ", \(table.name)_emptied AS (DELETE FROM \(table.name) WHERE EXISTS (SELECT FROM marked))"
        }.joined()
        let rows = try await write(
            // A row that always exists is locked: of two transfers that begin at the same time, the
            // second sees the mark of the first.
            Statement("SELECT FROM revocation_counter FOR UPDATE"),
            Statement("SELECT source FROM unfinished_transfer"),
            Statement(
                """
                WITH marked AS (
                    INSERT INTO unfinished_transfer (source)
                    SELECT $1 WHERE NOT EXISTS (SELECT FROM unfinished_transfer) AND \(isEmpty)
                    RETURNING source
                )\(deletions)
                SELECT FROM marked
                """, [source]))
        if let marked: String = try rows[1].first?["source"] {
            return marked == source ? .admitted : .filledFrom(marked)
        }
        return rows[2].count == 1 ? .admitted : .notEmpty
    }

    package func count(of table: StoredTable) async throws -> Int {
        try await read("SELECT count(*) AS count FROM \(table.name)").first?["count"] ?? 0
    }

    package func rows(of table: StoredTable, after key: TransferRow?, limit: Int) async throws -> [TransferRow] {
        let condition = key == nil ? "" : "WHERE (\(table.key.list)) > (\(table.key.placeholders(from: 2)))"
        let parameters = zip(key ?? [], table.key).map { $0.parameter($1) }
        return try await read(
            "SELECT \(table.columns[...].list) FROM \(table.name) \(condition) ORDER BY \(table.key.list) LIMIT $1",
            [limit] + parameters
        ).map { try TransferRow($0, table.columns[...]) }
    }

    package func lastKey(of table: StoredTable) async throws -> TransferRow? {
        let order = table.key.map { "\($0.name) DESC" }.joined(separator: ", ")
        return try await read("SELECT \(table.key.list) FROM \(table.name) ORDER BY \(order) LIMIT 1").first
            .map { try TransferRow($0, table.key) }
    }

    package func insert(_ rows: [TransferRow], into table: StoredTable) async throws -> Bool {
        let columns = table.columns[...]
        let places = rows.indices.map { "(\(columns.placeholders(from: 1 + $0 * columns.count)))" }.joined(
            separator: ", ")
        let parameters = rows.flatMap { zip($0, columns).map { $0.parameter($1) } }
        do {
            return try await write(
                Statement(
                    """
                    INSERT INTO \(table.name) (\(columns.list)) OVERRIDING SYSTEM VALUE
                    SELECT * FROM (VALUES \(places)) AS rows
                    WHERE EXISTS (SELECT FROM unfinished_transfer)
                    """, parameters)
            )[0].changedCount == rows.count
        } catch let error as PostgresError where error.state?.isIntegrityViolation == true {
            return false
        }
    }

    package func counters() async throws -> TransferCounters {
        try await requireSequences()
        let row = try await read(
            """
            SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('users', 'id')::regclass), 0) AS user_id,
                last_number,
                coalesce(pg_sequence_last_value(pg_get_serial_sequence('audit_events', 'id')::regclass), 0) AS event_id
            FROM revocation_counter
            """
        ).first
        return TransferCounters(
            lastUserID: try row?["user_id"] ?? 0, lastRevocationNumber: try row?["last_number"] ?? 0,
            lastEventID: try row?["event_id"] ?? 0)
    }

    /// - Throws: `misconfigured` when the role may not read a sequence that ids come from.
    private func requireSequences() async throws {
        let closed = try await read(
            """
            SELECT sequence, quote_ident(session_user) AS role FROM (\(Schema.sequences)) AS sequences
            WHERE NOT has_sequence_privilege(sequence, 'SELECT') ORDER BY sequence
            """)
        guard let row = closed.first else { return }
        let (sequence, role): (String, String) = (try row["sequence"], try row["role"])
        throw AuthError(
            .misconfigured,
            """
            the PostgreSQL database does not let the role \(role) read the sequence \(sequence); as the owner of the \
            tables: rest-auth schema apply --runtime-role \(role)
            """)
    }

    package func finishTransfer(with counters: TransferCounters, recording event: AuthEvent) async throws {
        _ = try await write(
            isRepeatable: true,
            Self.raisedSequence(of: "users", to: counters.lastUserID),
            Self.raisedSequence(of: "audit_events", to: counters.lastEventID),
            Statement(
                "UPDATE revocation_counter SET last_number = greatest(last_number, $1)", [counters.lastRevocationNumber]
            ),
            Statement("DELETE FROM unfinished_transfer RETURNING source", [], recording: event))
    }

    package func deleteAllRows() async throws {
        _ = try await pool.write(
            Rooms.tables.reversed().map {
                Statement("DELETE FROM \($0.name) WHERE EXISTS (SELECT FROM unfinished_transfer)")
            },
            isRepeatable: true)
    }

    package func withoutWriters<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        // A connection of its own, with a transaction that lasts and admits readers only.
        let lock = try await Self.onThread { [configuration] in try TableLock(configuration) }
        let value = try await body()
        // Releasing fails if the lock was lost in between, as somebody may have written then.
        try await Self.onThread { try lock.release() }
        return value
    }
}

/// Lock that keeps everybody from writing, for as long as its connection is open.
private final class TableLock: Sendable {
    private let connection: Mutex<Connection>

    init(_ configuration: PostgresConfiguration) throws {
        do {
            let connection = try Connection(configuration)
            try Self.lock(connection)
            self.connection = Mutex(connection)
        } catch {
            throw PostgresStorage.unavailable(error)
        }
    }

    private static func lock(_ connection: Connection) throws {
        let tables = Rooms.tables.map(\.name).joined(separator: ", ")
        try connection.repeatingTransaction {
            try connection.execute(
                "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE \(tables) IN SHARE MODE")
        }
    }

    /// Releases the lock.
    /// - Throws: `storage_unavailable` when the lock was lost before.
    func release() throws {
        do {
            try connection.withLock { connection in try connection.execute("COMMIT") }
        } catch {
            throw PostgresStorage.unavailable(error)
        }
    }
}

// MARK: - Values

extension ArraySlice<StoredTable.Column> {
    fileprivate var list: String { map(\.name).joined(separator: ", ") }

    fileprivate func placeholders(from first: Int) -> String {
        (first..<first + count).map { "$\($0)" }.joined(separator: ", ")
    }
}

extension TransferRow {
    fileprivate init(_ row: Row, _ columns: ArraySlice<StoredTable.Column>) throws {
        self = try columns.map { try TransferValue(row, $0) }
    }
}

extension TransferValue {
    fileprivate init(_ row: Row, _ column: StoredTable.Column) throws {
        let read: TransferValue? =
            switch column.kind {
            case .integer: (try row[column.name] as Int64?).map { .integer($0) }
            case .text: (try row[column.name] as String?).map { .text($0) }
            case .uuid: (try row[column.name] as Session.ID?).map { .text($0.description) }
            case .bytes: (try row[column.name] as [UInt8]?).map { .bytes($0) }
            case .time:
                (try row[column.name] as Date?).flatMap { TransferValue(secondsSince1970: $0.timeIntervalSince1970) }
            case .boolean: (try row[column.name] as Bool?).map { .boolean($0) }
            }
        guard read != nil || column.isNullable else { throw PostgresError.unexpectedColumn(column.name) }
        self = read ?? .null
    }

    /// The value as a parameter of the column's type, because NULL has no type of its own.
    fileprivate func parameter(_ column: StoredTable.Column) -> any PostgresParameter {
        switch (column.kind, self) {
        case (_, .integer(let number)): number
        case (.uuid, .text(let text)): Session.ID(text)
        case (_, .text(let text)): text
        case (_, .bytes(let bytes)): bytes
        case (_, .time(let microseconds)): Date(timeIntervalSince1970: Double(microseconds) / 1_000_000)
        case (_, .boolean(let isTrue)): isTrue
        case (.integer, .null): Int64?.none
        case (.text, .null): String?.none
        case (.uuid, .null): Session.ID?.none
        case (.bytes, .null): [UInt8]?.none
        case (.time, .null): Date?.none
        case (.boolean, .null): Bool?.none
        }
    }
}
