import Foundation
import GRDB
package import RESTAuth

extension SQLiteStorage: TransferableStorage {
    package var transferName: String {
        "sqlite:" + (path.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path } ?? ":memory:")
    }

    package func beginTransfer(from source: String) async throws -> TransferBeginning {
        try await write { database in
            let marked = try database.row("SELECT source FROM unfinished_transfer", []) { try $0["source"] as String }
            if let marked { return marked == source ? .admitted : .filledFrom(marked) }
            for table in Rooms.tables {
                let condition = table.rowsOfUpgrades.map { "WHERE \($0.column) <> '\($0.text)'" } ?? ""
                let isEmpty =
                    try database.row("SELECT 1 FROM \(table.name) \(condition) LIMIT 1", []) { _ in true } == nil
                guard isEmpty else { return .notEmpty }
            }
            for table in Rooms.tables where table.rowsOfUpgrades != nil {
                try database.run("DELETE FROM \(table.name)")
            }
            try database.run("INSERT INTO unfinished_transfer (source) VALUES (?)", [source])
            return .admitted
        }
    }

    package func count(of table: StoredTable) async throws -> Int {
        try read { try $0.row("SELECT count(*) AS count FROM \(table.name)", []) { try $0["count"] as Int } ?? 0 }
    }

    package func rows(of table: StoredTable, after key: TransferRow?, limit: Int) async throws -> [TransferRow] {
        let condition = key == nil ? "" : "WHERE (\(table.key.list)) > (\(table.key.placeholders))"
        let arguments = StatementArguments((key ?? []).map(\.databaseValue) + [limit.databaseValue])
        return try read { database in
            try database.rows(
                "SELECT \(table.columns[...].list) FROM \(table.name) \(condition) ORDER BY \(table.key.list) LIMIT ?",
                arguments
            ) { try TransferRow($0, table.columns[...]) }
        }
    }

    package func lastKey(of table: StoredTable) async throws -> TransferRow? {
        let order = table.key.map { "\($0.name) DESC" }.joined(separator: ", ")
        return try read { database in
            try database.row("SELECT \(table.key.list) FROM \(table.name) ORDER BY \(order) LIMIT 1", []) {
                try TransferRow($0, table.key)
            }
        }
    }

    package func insert(_ rows: [TransferRow], into table: StoredTable) async throws -> Bool {
        let columns = table.columns[...]
        let sql = "INSERT INTO \(table.name) (\(columns.list)) VALUES (\(columns.placeholders))"
        do {
            try await write { database in
                guard try database.isBeingFilled() else { throw RowsContradict() }
                do {
                    for row in rows { try database.run(sql, StatementArguments(row.map(\.databaseValue))) }
                } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                    throw RowsContradict()
                }
            }
            return true
        } catch is RowsContradict {
            return false
        }
    }

    package func counters() async throws -> TransferCounters {
        try read { database in
            func last(_ table: String) throws -> Int64 {
                try database.row("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]) { try $0["seq"] } ?? 0
            }
            return try TransferCounters(
                lastUserID: last("users"), lastRevocationNumber: last("revocations"), lastEventID: last("audit_events"))
        }
    }

    package func finishTransfer(with counters: TransferCounters, recording event: AuthEvent) async throws {
        try await write { database in
            for (table, last) in [
                ("users", counters.lastUserID), ("revocations", counters.lastRevocationNumber),
                ("audit_events", counters.lastEventID),
            ] {
                try database.raiseSequence(of: table, to: last)
            }
            try database.run("DELETE FROM unfinished_transfer")
            if database.changesCount > 0 { try database.append(event) }
        }
    }

    package func deleteAllRows() async throws {
        try await write { database in
            guard try database.isBeingFilled() else { return }
            for table in Rooms.tables.reversed() { try database.run("DELETE FROM \(table.name)") }
        }
    }

    package func withoutWriters<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        guard let path else { return try await body() }
        // A connection of its own, with a transaction that lasts: SQLite admits one writer, and
        // readers beside it.
        let connection = try Self.lockedForWriting(path)
        defer { try? connection.close() }
        return try await body()
    }

    private static func lockedForWriting(_ path: String) throws -> DatabaseQueue {
        var configuration = Self.configuration
        configuration.allowsUnsafeTransactions = true
        do {
            let connection = try DatabaseQueue(path: path, configuration: configuration)
            try connection.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
            return connection
        } catch let error as DatabaseError {
            throw unavailable(error)
        }
    }
}

extension Database {
    /// Raises the sequence, so that the next id of that table is greater than `last`.
    func raiseSequence(of table: String, to last: Int64) throws {
        try run("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", [last, table])
        // A table that never had a row has no row in `sqlite_sequence`.
        if changesCount == 0 { try run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, last]) }
    }

    /// Whether a transfer is under way; `false` once another process has finished it.
    fileprivate func isBeingFilled() throws -> Bool {
        try row("SELECT 1 FROM unfinished_transfer", []) { _ in true } ?? false
    }
}

/// Thrown to roll back all rows of the batch.
private struct RowsContradict: Error {}

// MARK: - Values

extension ArraySlice<StoredTable.Column> {
    fileprivate var list: String { map(\.name).joined(separator: ", ") }
    fileprivate var placeholders: String { map { _ in "?" }.joined(separator: ", ") }
}

extension TransferRow {
    fileprivate init(_ row: Row, _ columns: ArraySlice<StoredTable.Column>) throws {
        self = try columns.enumerated().map { index, column in
            let value: DatabaseValue = row[index]
            return try TransferValue(value, column)
        }
    }
}

extension TransferValue {
    fileprivate init(_ value: DatabaseValue, _ column: StoredTable.Column) throws {
        let read: TransferValue? =
            switch (column.kind, value.storage) {
            case (_, .null): column.isNullable ? .null : nil
            case (.integer, .int64(let number)): .integer(number)
            case (.text, .string(let text)), (.uuid, .string(let text)): .text(text)
            case (.bytes, .blob(let data)): .bytes(Array(data))
            case (.time, .double(let seconds)): TransferValue(secondsSince1970: seconds)
            case (.boolean, .int64(let number)): .boolean(number != 0)
            default: nil
            }
        guard let read else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(column.name) has a value that it cannot have")
        }
        self = read
    }

    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let number): number.databaseValue
        case .text(let text): text.databaseValue
        case .bytes(let bytes): Data(bytes).databaseValue
        case .time(let microseconds): (Double(microseconds) / 1_000_000).databaseValue
        case .boolean(let isTrue): isTrue.databaseValue
        }
    }
}
