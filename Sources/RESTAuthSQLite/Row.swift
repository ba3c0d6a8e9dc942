import Foundation
import GRDB
import GRDBSQLite
import RESTAuth

/// The rows of a statement that is being run, one at a time.
///
/// GRDB's own rows are copied, and find a column by comparing its name with that of every column,
/// regardless of case; a renewal of a session spent a tenth of its time so.
final class Rows: DatabaseCursor {
    typealias Element = Row

    let _statement: Statement
    var _isDone = false
    private let names: [String]
    /// Column after the one that was read last.
    private var next = 0

    init(_ statement: Statement, arguments: StatementArguments) throws {
        _statement = statement
        names = statement.columnNames
        try statement.setArguments(arguments)
    }

    /// The error of a reset is that of the last step, which has been thrown: every statement is
    /// either run to its end or only reads.
    deinit { sqlite3_reset(_statement.sqliteStatement) }

    func _element(sqliteStatement: SQLiteStatement) -> Row { Row(rows: self) }

    /// The column of that name. Values are mostly read in the order of their columns, so the search
    /// starts behind the last one.
    fileprivate func column(_ name: String) -> Int32? {
        for offset in names.indices {
            let column = (next + offset) % names.count
            guard names[column] == name else { continue }
            next = column + 1
            return Int32(column)
        }
        return nil
    }
}

/// The row at which a statement is, read by the names of its columns. It is valid until the next.
struct Row {
    fileprivate let rows: Rows

    /// The value of that column.
    /// - Throws: `SQLITE_CORRUPT` when it is NULL, of another type, or missing.
    subscript<Value: SQLiteValue>(name: String) -> Value {
        get throws {
            guard let value: Value = try self[name] else { throw unexpected(name) }
            return value
        }
    }

    /// The value of that column; `nil` for NULL.
    /// - Throws: `SQLITE_CORRUPT` when it is of another type or missing.
    subscript<Value: SQLiteValue>(name: String) -> Value? {
        get throws {
            guard let column = rows.column(name) else { throw unexpected(name) }
            let statement = rows._statement.sqliteStatement
            let type = sqlite3_column_type(statement, column)
            guard type != SQLITE_NULL else { return nil }
            guard type == Value.type, let value = Value(statement, column) else { throw unexpected(name) }
            return value
        }
    }

    /// The value of the column at that place, of any type.
    subscript(column: Int) -> DatabaseValue {
        let (statement, column) = (rows._statement.sqliteStatement, Int32(column))
        // GRDB reads text up to a NUL.
        return sqlite3_column_type(statement, column) == SQLITE_TEXT
            ? String(statement, column).databaseValue : DatabaseValue(sqliteStatement: statement, index: column)
    }

    private func unexpected(_ column: String) -> DatabaseError {
        DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(column) has a value that it cannot have")
    }
}

/// A value that can be read from a column.
protocol SQLiteValue {
    /// Storage class of the column: `SQLITE_INTEGER` and so on.
    static var type: Int32 { get }
    /// Reads the column of the row at which the statement is; it is of that storage class. `nil`
    /// when the value is none of this type.
    init?(_ statement: SQLiteStatement, _ column: Int32)
}

extension Int64: SQLiteValue {
    static var type: Int32 { SQLITE_INTEGER }
    init(_ statement: SQLiteStatement, _ column: Int32) { self = sqlite3_column_int64(statement, column) }
}

extension Int: SQLiteValue {
    static var type: Int32 { SQLITE_INTEGER }
    init(_ statement: SQLiteStatement, _ column: Int32) { self.init(sqlite3_column_int64(statement, column)) }
}

extension Bool: SQLiteValue {
    static var type: Int32 { SQLITE_INTEGER }
    init(_ statement: SQLiteStatement, _ column: Int32) { self = sqlite3_column_int64(statement, column) != 0 }
}

/// Seconds since 1970, in the range of PostgreSQL, so that no arithmetic on them overflows.
extension Date: SQLiteValue {
    static var type: Int32 { SQLITE_FLOAT }

    init?(_ statement: SQLiteStatement, _ column: Int32) {
        let seconds = sqlite3_column_double(statement, column)
        guard TransferValue(secondsSince1970: seconds) != nil else { return nil }
        self.init(timeIntervalSince1970: seconds)
    }
}

extension String: SQLiteValue {
    static var type: Int32 { SQLITE_TEXT }

    init(_ statement: SQLiteStatement, _ column: Int32) {
        // In this order: the text may be converted, which changes its length.
        let text = sqlite3_column_text(statement, column)
        let count = Int(sqlite3_column_bytes(statement, column))
        self.init(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }
}

extension [UInt8]: SQLiteValue {
    static var type: Int32 { SQLITE_BLOB }

    init(_ statement: SQLiteStatement, _ column: Int32) {
        let bytes = sqlite3_column_blob(statement, column)
        self.init(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(statement, column))))
    }
}

extension Session.ID: SQLiteValue {
    static var type: Int32 { SQLITE_TEXT }
    init?(_ statement: SQLiteStatement, _ column: Int32) { self.init(String(statement, column)) }
}
