/// Text as it came from a client or another server, read as the bytes that the protocols speak of.
///
/// Swift's `String` reads characters: a mark that combines with a semicolon makes one character of
/// the two, which is no semicolon, and two spellings of a character are equal. In a protocol a
/// semicolon is a byte. So what is split, trimmed, compared or searched is a `WireText`, which has
/// no other way to do it; `dev/lint` finds where it is a `String`.
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

    /// The parts between these ASCII characters, each without the blanks around it; what is empty
    /// then is none (RFC 9110 section 5.6.1).
    package func parts(at separator: Unicode.Scalar) -> [WireText] {
        elements(at: separator).filter { !$0.isEmpty }
    }

    /// The same with those that are empty.
    package func elements(at separator: Unicode.Scalar) -> [WireText] {
        bytes.split(separator: UInt8(ascii: separator), omittingEmptySubsequences: false).map { WireText($0).trimmed }
    }

    /// Without blanks and tabs around it (OWS, RFC 9110 section 5.6.3).
    package var trimmed: WireText {
        let rest = bytes.drop(while: Self.isBlank)
        let end = rest.lastIndex { !Self.isBlank($0) }.map(rest.index(after:)) ?? rest.startIndex
        return WireText(rest[..<end])
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// What stands before the first of these ASCII characters; all of it when there is none.
    package func before(_ separator: Unicode.Scalar) -> WireText {
        WireText(bytes.prefix { $0 != UInt8(ascii: separator) })
    }

    /// What begins with the first of these ASCII characters; nothing when there is none.
    package func from(_ separator: Unicode.Scalar) -> WireText {
        WireText(bytes.drop { $0 != UInt8(ascii: separator) })
    }

    /// What stands after this beginning; `nil` when it begins with something else.
    package func after(_ beginning: StaticString) -> WireText? {
        guard begins(with: beginning) else { return nil }
        return WireText(bytes.dropFirst(beginning.utf8CodeUnitCount))
    }

    /// What stands before this end; `nil` when it ends with something else.
    package func before(end: StaticString) -> WireText? {
        guard ends(with: end) else { return nil }
        return WireText(bytes.dropLast(end.utf8CodeUnitCount))
    }

    package func before(end: WireText) -> WireText? {
        guard bytes.suffix(end.bytes.count).elementsEqual(end.bytes) else { return nil }
        return WireText(bytes.dropLast(end.bytes.count))
    }

    /// Without these ASCII characters at the end.
    package func trimmingEnd(_ character: Unicode.Scalar) -> WireText {
        let end = bytes.lastIndex { $0 != UInt8(ascii: character) }.map(bytes.index(after:)) ?? bytes.startIndex
        return WireText(bytes[..<end])
    }

    // MARK: Comparing

    /// Byte for byte.
    package func equals(_ word: StaticString) -> Bool {
        word.withUTF8Buffer { bytes.elementsEqual($0) }
    }

    /// Whether it is that word of ASCII in whatever case.
    package func isWord(_ lowercased: StaticString) -> Bool {
        lowercased.withUTF8Buffer { bytes.elementsEqual($0) { Self.lowercased($0) == $1 } }
    }

    package func begins(with beginning: StaticString) -> Bool {
        beginning.withUTF8Buffer { bytes.starts(with: $0) }
    }

    package func ends(with end: StaticString) -> Bool {
        end.withUTF8Buffer { bytes.suffix($0.count).elementsEqual($0) }
    }

    /// The same with small letters in the place of the capitals of ASCII, and of no others.
    package var lowercased: WireText {
        WireText(String(decoding: bytes.map(Self.lowercased), as: UTF8.self))
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    // MARK: What it spells

    /// The value of a hexadecimal digit of ASCII.
    package static func value(ofHexDigit byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Whether it is one decimal digit of ASCII or more, and nothing else.
    package var isDigits: Bool {
        !isEmpty && bytes.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    /// The number that it is in decimal digits; `nil` for anything else, and for one too large.
    package var decimalNumber: Int64? { isDigits ? Int64(string) : nil }

    /// Whether it is a token (RFC 9110 section 5.6.2).
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
