/// Text from a client or another server, handled as the bytes that the protocols specify.
///
/// Swift's `String` compares characters: a combining mark after a semicolon makes one character of
/// both, which is no semicolon, and two spellings of a character are equal. In a protocol a
/// semicolon is a byte. Text that is split, trimmed, compared or searched is therefore a
/// `WireText`, which only works on bytes; `dev/lint` finds places that use a `String`.
package struct WireText: Sendable {
    package let bytes: Substring.UTF8View

    package init(_ text: some StringProtocol) {
        bytes = Substring(text).utf8
    }

    private init(_ bytes: Substring.UTF8View) {
        self.bytes = bytes
    }

    package var string: String { String(Substring(bytes)) }

    package var isEmpty: Bool { bytes.isEmpty }

    // MARK: Taking apart

    /// Splits the text at an ASCII character, trims blanks from each part, and leaves out empty
    /// parts (RFC 9110 section 5.6.1).
    package func parts(at separator: Unicode.Scalar) -> [WireText] {
        elements(at: separator).filter { !$0.isEmpty }
    }

    /// Splits the text at an ASCII character and trims blanks from each part; empty parts are kept.
    package func elements(at separator: Unicode.Scalar) -> [WireText] {
        bytes.split(separator: UInt8(ascii: separator), omittingEmptySubsequences: false).map { WireText($0).trimmed }
    }

    /// The text without blanks and tabs around it (OWS, RFC 9110 section 5.6.3).
    package var trimmed: WireText {
        let rest = bytes.drop(while: Self.isBlank)
        let end = rest.lastIndex { !Self.isBlank($0) }.map(rest.index(after:)) ?? rest.startIndex
        return WireText(rest[..<end])
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// The text before the first `separator`, an ASCII character; all of it when there is none.
    package func before(_ separator: Unicode.Scalar) -> WireText {
        WireText(bytes.prefix { $0 != UInt8(ascii: separator) })
    }

    /// The text from the first `separator` on, an ASCII character; empty when there is none.
    package func from(_ separator: Unicode.Scalar) -> WireText {
        WireText(bytes.drop { $0 != UInt8(ascii: separator) })
    }

    /// The text after this beginning; `nil` when it begins with something else.
    package func after(_ beginning: StaticString) -> WireText? {
        guard begins(with: beginning) else { return nil }
        return WireText(bytes.dropFirst(beginning.utf8CodeUnitCount))
    }

    /// The text before this ending; `nil` when it ends with something else.
    package func before(end: StaticString) -> WireText? {
        guard ends(with: end) else { return nil }
        return WireText(bytes.dropLast(end.utf8CodeUnitCount))
    }

    package func before(end: WireText) -> WireText? {
        guard bytes.suffix(end.bytes.count).elementsEqual(end.bytes) else { return nil }
        return WireText(bytes.dropLast(end.bytes.count))
    }

    /// The text without any of these ASCII characters at its end.
    package func trimmingEnd(_ character: Unicode.Scalar) -> WireText {
        let end = bytes.lastIndex { $0 != UInt8(ascii: character) }.map(bytes.index(after:)) ?? bytes.startIndex
        return WireText(bytes[..<end])
    }

    // MARK: Comparing

    /// Compares byte by byte.
    package func equals(_ word: StaticString) -> Bool {
        word.withUTF8Buffer { bytes.elementsEqual($0) }
    }

    /// Whether the text is that ASCII word, regardless of case.
    package func isWord(_ lowercased: StaticString) -> Bool {
        lowercased.withUTF8Buffer { bytes.elementsEqual($0) { Self.lowercased($0) == $1 } }
    }

    package func begins(with beginning: StaticString) -> Bool {
        beginning.withUTF8Buffer { bytes.starts(with: $0) }
    }

    package func ends(with end: StaticString) -> Bool {
        end.withUTF8Buffer { bytes.suffix($0.count).elementsEqual($0) }
    }

    /// The text with ASCII capitals, and no others, in lower case.
    package var lowercased: WireText {
        WireText(String(decoding: bytes.map(Self.lowercased), as: UTF8.self))
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    // MARK: What it spells

    /// The value of a hexadecimal digit in ASCII; `nil` for any other byte.
    package static func value(ofHexDigit byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Whether the text is one or more ASCII decimal digits and nothing else.
    package var isDigits: Bool {
        !isEmpty && bytes.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    /// The value of a text of decimal digits; `nil` for any other text, and for a number that is
    /// too large.
    package var decimalNumber: Int64? { isDigits ? Int64(string) : nil }

    /// Whether the text is a token (RFC 9110 section 5.6.2).
    package var isToken: Bool {
        !isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: Self.tokenMarks.contains(byte)
                }
            }
    }

    private static let tokenMarks = Set("!#$%&'*+-.^_`|~".utf8)
}

extension WireText: Hashable {
    package static func == (one: WireText, other: WireText) -> Bool { one.bytes.elementsEqual(other.bytes) }

    package func hash(into hasher: inout Hasher) {
        for byte in bytes { hasher.combine(byte) }
    }
}
