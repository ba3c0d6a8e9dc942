import RESTAuth

/// One element of a `Forwarded` field (RFC 7239 section 4): the report of one proxy about its
/// neighbour.
///
/// Lists are read from their end. What a client has sent is at the beginning, and a quotation mark
/// that it leaves open there must not extend over what a proxy has appended.
struct ForwardedElement {
    private(set) var node: WireText?
    /// Empty if the proxy sent an empty value; `nil` if it sent none.
    private(set) var host: WireText?
    private(set) var scheme: WireText?

    /// The elements from the nearest proxy's to the furthest. One that cannot be read, or is empty,
    /// has no values.
    static func elements(of field: String) -> [ForwardedElement] {
        WireText(field).partsFromEnd(at: ",").map { ForwardedElement($0) ?? ForwardedElement() }
    }

    private init() {}

    /// `nil` for text that is no list of parameters, or has one of the three twice.
    private init?(_ text: WireText) {
        for pair in text.partsFromEnd(at: ";") where !pair.isEmpty {
            guard let value = pair.from("=").after("=")?.trimmed.unquoted else { return nil }
            let name = pair.before("=").trimmed
            if name.isWord("for") {
                guard node == nil else { return nil }
                node = value
            } else if name.isWord("host") {
                guard host == nil else { return nil }
                host = value
            } else if name.isWord("proto") {
                guard scheme == nil else { return nil }
                scheme = value
            }
        }
    }
}

extension WireText {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    /// The parts between separators outside of quoted strings (RFC 9110 section 5.6.4), the last
    /// part first, each without the blanks around it.
    func partsFromEnd(at separator: Unicode.Scalar) -> [WireText] {
        let bytes = Array(bytes)
        var (parts, end, isQuoted): ([WireText], Int, Bool) = ([], bytes.count, false)
        func add(from start: Int) {
            parts.append(WireText(String(decoding: bytes[start..<end], as: UTF8.self)).trimmed)
        }
        for index in bytes.indices.reversed() {
            if bytes[index] == Self.quote {
                let escapes = bytes[..<index].lastIndex { $0 != Self.backslash }.map { index - $0 - 1 } ?? index
                if !isQuoted || escapes.isMultiple(of: 2) { isQuoted.toggle() }
            } else if bytes[index] == UInt8(ascii: separator), !isQuoted {
                add(from: index + 1)
                end = index
            }
        }
        add(from: 0)
        return parts
    }

    /// The value of a token or a quoted string; `nil` for text that is neither.
    var unquoted: WireText? {
        guard begins(with: "\"") else { return bytes.contains(Self.quote) ? nil : self }
        var (value, rest): ([UInt8], ArraySlice<UInt8>) = ([], Array(bytes.dropFirst())[...])
        while let byte = rest.popFirst() {
            switch byte {
            case Self.quote: return rest.isEmpty ? WireText(String(decoding: value, as: UTF8.self)) : nil
            case Self.backslash:
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped)
            default: value.append(byte)
            }
        }
        return nil
    }
}
