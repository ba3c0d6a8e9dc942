/// CBOR as somebody writes it, right or wrong.
package enum CBORBytes {
    /// The head of an item, in its shortest form.
    package static func head(_ type: UInt8, _ value: Int) -> [UInt8] {
        switch value {
        case 0..<24: [type << 5 | UInt8(value)]
        case 24..<256: [type << 5 | 24, UInt8(value)]
        default: [type << 5 | 25, UInt8(value >> 8), UInt8(value & 0xFF)]
        }
    }

    package static func int(_ value: Int) -> [UInt8] { value < 0 ? head(1, -1 - value) : head(0, value) }
    package static func bytes(_ value: some Collection<UInt8>) -> [UInt8] { head(2, value.count) + value }
    package static func text(_ value: String) -> [UInt8] { head(3, value.utf8.count) + value.utf8 }
    package static func array(_ items: [[UInt8]]) -> [UInt8] { head(4, items.count) + items.flatMap(\.self) }

    /// A map with its entries in the order given.
    package static func map(_ entries: [([UInt8], [UInt8])]) -> [UInt8] {
        head(5, entries.count) + entries.flatMap { $0.0 + $0.1 }
    }

    package static let yes: [UInt8] = [0xF5]
}

/// Bytes of their spelling in hexadecimal, blanks between them as you like.
package func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
