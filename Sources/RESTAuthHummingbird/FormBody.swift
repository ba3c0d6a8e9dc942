import RESTAuth

/// The fields of an `application/x-www-form-urlencoded` body, read strictly.
struct FormBody: Sendable {
    static let mediaType: StaticString = "application/x-www-form-urlencoded"

    private var fields: [WireText: String] = [:]

    /// `nil` for a field that comes twice (RFC 6749 section 3.2), a broken escape, or text that is
    /// not UTF-8.
    init?(_ bytes: [UInt8]) {
        for field in bytes.split(separator: UInt8(ascii: "&")) {
            let pair = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(pair[0]), let value = Self.decode(pair.count == 2 ? pair[1] : []),
                fields.updateValue(value, forKey: WireText(name)) == nil
            else { return nil }
        }
    }

    /// The value of a field; `nil` for one that is missing or has no value (RFC 6749 section 3.1).
    subscript(name: String) -> String? {
        fields[WireText(name)].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Decodes one name or value; `nil` for a broken escape or text that is not UTF-8.
    /// - Parameter blank: the byte that stands for a blank; `nil` for none, as in queries, where a
    ///   plus sign is itself (RFC 3986 section 3.4).
    static func decode(_ bytes: ArraySlice<UInt8>, blank: UInt8? = UInt8(ascii: "+")) -> String? {
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case blank: decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(WireText.value(ofHexDigit:)),
                    let low = rest.popFirst().flatMap(WireText.value(ofHexDigit:))
                else { return nil }
                decoded.append(high << 4 | low)
            default: decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }
}
