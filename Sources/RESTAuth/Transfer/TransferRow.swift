package import Foundation

/// The values of a row, in the order of its table's columns; or the values of a key.
package typealias TransferRow = [TransferValue]

/// A value of a row, in a form that every backend can read and write.
package enum TransferValue: Sendable, Hashable {
    case null
    case integer(Int64)
    /// A text, or the 36 characters of a UUID.
    case text(String)
    case bytes([UInt8])
    /// Microseconds since 1970.
    case time(Int64)
    case boolean(Bool)

    /// Makes a time of seconds since 1970, rounded to microseconds, which is the precision of
    /// PostgreSQL; `nil` for a time out of range.
    package init?(secondsSince1970 seconds: TimeInterval) {
        guard let microseconds = Int64(exactly: (seconds * 1_000_000).rounded()) else { return nil }
        self = .time(microseconds)
    }
}

extension TransferValue {
    /// Appends the canonical encoding of the value (type, length and bytes), in which different
    /// rows are different.
    func encode(into bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(0)
        case .integer(let number): bytes.append(1, number)
        case .text(let text):
            bytes.append(2, Int64(text.utf8.count))
            bytes += text.utf8
        case .bytes(let value):
            bytes.append(3, Int64(value.count))
            bytes += value
        case .time(let microseconds): bytes.append(4, microseconds)
        case .boolean(let isTrue): bytes.append(5, isTrue ? 1 : 0)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ kind: UInt8, _ number: Int64) {
        append(kind)
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
