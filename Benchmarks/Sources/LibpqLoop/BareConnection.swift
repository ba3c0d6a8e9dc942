import CBenchLibpq

/// A connection that waits for every answer. What fails ends the program: there is nothing to
/// measure then.
final class BareConnection {
    private let handle: OpaquePointer

    init(url: String) {
        guard let handle = PQconnectdb(url), PQstatus(handle) == CONNECTION_OK else {
            fatalError("no connection to the database")
        }
        self.handle = handle
    }

    deinit { PQfinish(handle) }

    func prepare(_ name: String, _ sql: String) {
        let result = PQprepare(handle, name, sql, 0, nil)
        defer { PQclear(result) }
        check(result, PGRES_COMMAND_OK)
    }

    /// The value in a column of the one row that a prepared statement gives.
    func value(of column: Int32, in name: String, _ parameters: [[UInt8]]) -> [UInt8] {
        let result = send(name, parameters)
        defer { PQclear(result) }
        check(result, PGRES_TUPLES_OK)
        guard PQntuples(result) == 1, let value = PQgetvalue(result, 0, column) else {
            fatalError("\(name) gave no row")
        }
        return Array(UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, 0, column))))
    }

    /// Runs a prepared statement that gives no rows.
    func run(_ name: String, _ parameters: [[UInt8]], expectedChanges: String) {
        let result = send(name, parameters)
        defer { PQclear(result) }
        check(result, PGRES_COMMAND_OK)
        guard String(cString: PQcmdTuples(result)) == expectedChanges else {
            fatalError("\(name) changed something else")
        }
    }

    /// All values, there and back, are in PostgreSQL's binary form.
    private func send(_ name: String, _ parameters: [[UInt8]]) -> OpaquePointer? {
        let lengths = parameters.map { Int32($0.count) }
        let formats = [Int32](repeating: 1, count: parameters.count)
        return parameters.flatMap(\.self).withUnsafeBytes { buffer in
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            var offset = 0
            let pointers = lengths.map { length -> UnsafePointer<CChar>? in
                defer { offset += Int(length) }
                return start.map { $0 + offset }
            }
            return PQexecPrepared(handle, name, Int32(lengths.count), pointers, lengths, formats, 1)
        }
    }

    private func check(_ result: OpaquePointer?, _ expected: ExecStatusType) {
        guard PQresultStatus(result) == expected else { fatalError(String(cString: PQerrorMessage(handle))) }
    }
}
