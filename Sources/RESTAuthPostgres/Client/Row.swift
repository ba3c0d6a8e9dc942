import CLibpq

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The rows of a statement's result, kept in libpq's memory as long as they are used.
final class Rows: Sendable {
    // The compiler cannot know that the result behind the pointer is never changed, only read,
    // which libpq allows from any thread.
    nonisolated(unsafe) private let result: OpaquePointer
    fileprivate let columns: Columns

    /// Takes ownership of `result`.
    init(_ result: OpaquePointer, columns: Columns) {
        self.result = result
        self.columns = columns
    }

    deinit { PQclear(result) }

    var count: Int { Int(PQntuples(result)) }
    var first: Row? { count > 0 ? self[0] : nil }
    /// Number of rows that the statement changed, if it returns none.
    var changedCount: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    subscript(index: Int) -> Row { Row(rows: self, index: Int32(index)) }

    func map<Value>(_ value: (Row) throws -> Value) rethrows -> [Value] {
        try (0..<count).map { try value(self[$0]) }
    }

    fileprivate func bytes(row: Int32, column: Int32) -> UnsafeRawBufferPointer? {
        guard PQgetisnull(result, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
    }
}

/// One row, read by the names of its columns.
struct Row {
    fileprivate let rows: Rows
    fileprivate let index: Int32

    /// The value of that column.
    /// - Throws: `unexpectedColumn` when it is NULL, of another type, or missing.
    subscript<Value: PostgresValue>(name: String) -> Value {
        get throws {
            guard let value: Value = try self[name] else { throw PostgresError.unexpectedColumn(name) }
            return value
        }
    }

    /// The value of that column; `nil` for NULL.
    /// - Throws: `unexpectedColumn` when it is of another type or missing.
    subscript<Value: PostgresValue>(name: String) -> Value? {
        get throws {
            guard let column = rows.columns[name] else { throw PostgresError.unexpectedColumn(name) }
            guard let bytes = rows.bytes(row: index, column: column) else { return nil }
            guard let value = Value(bytes) else { throw PostgresError.unexpectedColumn(name) }
            return value
        }
    }
}

/// The indices of a statement's columns, worked out once.
struct Columns: Sendable {
    private let places: [String: Int32]
    /// The names, each with the zero at its end.
    private let names: [[CChar]]

    /// Reads the columns of a result; `nil` when one is not in binary form, whose bytes would be
    /// misread.
    init?(of result: OpaquePointer) {
        let columns = 0..<PQnfields(result)
        guard columns.allSatisfy({ PQfformat(result, $0) == 1 }) else { return nil }
        names = columns.map { column in
            PQfname(result, column).map { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) } ?? [0]
        }
        places = Dictionary(columns.map { (PQfname(result, $0).map { String(cString: $0) } ?? "", $0) }) { first, _ in
            first
        }
    }

    /// Whether `result` has these columns.
    func fit(_ result: OpaquePointer) -> Bool {
        guard PQnfields(result) == names.count else { return false }
        return names.indices.allSatisfy { index in
            PQfformat(result, Int32(index)) == 1
                && PQfname(result, Int32(index)).map { strcmp($0, names[index]) == 0 } ?? false
        }
    }

    fileprivate subscript(name: String) -> Int32? { places[name] }
}
