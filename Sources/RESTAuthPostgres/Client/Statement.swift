import CLibpq

/// A statement and its parameters in binary form.
struct Statement: Sendable {
    let sql: String
    let types: [Oid]
    /// Length of each parameter in `bytes`, where they follow each other; -1 for NULL.
    let lengths: [Int32]
    /// Whether the server can store every parameter.
    let isStorable: Bool
    private let bytes: [UInt8]

    /// Makes a statement.
    /// - Parameter parameters: the values of `$1`, `$2` and so on.
    init(_ sql: String, _ parameters: [any PostgresParameter] = []) {
        var (types, lengths, bytes): ([Oid], [Int32], [UInt8]) = ([], [], [])
        for parameter in parameters {
            let start = bytes.count
            types.append(Swift.type(of: parameter).type)
            lengths.append(parameter.append(to: &bytes) ? Int32(bytes.count - start) : -1)
        }
        // An empty value needs an address too: a null pointer means NULL.
        bytes.append(0)
        self.sql = sql
        isStorable = parameters.allSatisfy(\.isStorable)
        self.types = types
        self.lengths = lengths
        self.bytes = bytes
    }

    /// Calls `body` with a pointer to each parameter, valid until it returns.
    func withParameters<Result>(_ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
        bytes.withUnsafeBytes { buffer in
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            var offset = 0
            let pointers = lengths.map { length -> UnsafePointer<CChar>? in
                guard length >= 0 else { return nil }
                defer { offset += Int(length) }
                return start.map { $0 + offset }
            }
            return body(pointers)
        }
    }
}
