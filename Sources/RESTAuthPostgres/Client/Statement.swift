import CLibpq

/// A statement and its parameters, as the wire wants them.
struct Statement: Sendable {
    let sql: String
    let types: [Oid]
    /// Of each parameter in `bytes`, one after the other; -1 for NULL.
    let lengths: [Int32]
    /// Whether the server can take every parameter.
    let isStorable: Bool
    private let bytes: [UInt8]

    /// - Parameter parameters: `$1`, `$2` and so on.
    init(_ sql: String, _ parameters: [any PostgresParameter] = []) {
        var (types, lengths, bytes): ([Oid], [Int32], [UInt8]) = ([], [], [])
        for parameter in parameters {
            let start = bytes.count
            types.append(Swift.type(of: parameter).type)
            lengths.append(parameter.append(to: &bytes) ? Int32(bytes.count - start) : -1)
        }
        // An empty value needs an address too: no address means NULL.
        bytes.append(0)
        self.sql = sql
        isStorable = parameters.allSatisfy(\.isStorable)
        self.types = types
        self.lengths = lengths
        self.bytes = bytes
    }

    /// Calls `body` with a pointer to each parameter, good for as long as that lasts.
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
