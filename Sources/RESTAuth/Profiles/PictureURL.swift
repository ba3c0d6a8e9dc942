/// The syntax of a URL that a browser is given to load a picture from: an absolute https URL that
/// RFC 3986 and the URL Standard of WHATWG read alike.
///
/// User information is refused, and so is a host that is neither a name of letters, digits, hyphens
/// and underscores nor an address. A name in another script is given in its ASCII form (`xn--…`).
enum PictureURL {
    static let maximumBytes = 2048
    private static let longestHost = 253
    private static let longestLabel = 63

    static func isValid(_ text: String) -> Bool {
        let text = WireText(text)
        guard text.bytes.count <= maximumBytes, text.before(":").isWord("https"),
            let rest = text.from(":").after("://")
        else { return false }
        let isDelimiter = { (byte: UInt8) in "/?#".utf8.contains(byte) }
        let authority = Array(rest.bytes.prefix { !isDelimiter($0) })
        return isAuthority(authority[...]) && isPathAndQuery(Array(rest.bytes.drop { !isDelimiter($0) })[...])
    }

    // MARK: Host and port

    private static func isAuthority(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = bytes[(bytes.startIndex + 1)..<end]
            // A zone means something on one machine only.
            return address.contains(UInt8(ascii: ":")) && !address.contains(UInt8(ascii: "%")) && isAddress(address)
                && isPort(bytes[(end + 1)...])
        }
        let host = bytes.prefix { $0 != UInt8(ascii: ":") }
        return isName(host) && isPort(bytes[host.endIndex...])
    }

    /// Whether these are a colon and a port, or nothing. A port may be empty.
    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard !bytes.isEmpty else { return true }
        let digits = bytes.dropFirst()
        guard bytes.first == UInt8(ascii: ":"), digits.allSatisfy(isDigit) else { return false }
        let number = digits.drop { $0 == UInt8(ascii: "0") }
        return number.count <= 5 && number.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 65535
    }

    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        // The dot of the root.
        let name = bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard name.count <= longestHost,
            labels.allSatisfy({ (1...longestLabel).contains($0.count) && $0.allSatisfy(isNameByte) })
        else { return false }
        // Browsers read a name that ends with a number as an address, and not all numbers are one.
        guard let last = labels.last, isNumber(last) else { return true }
        return labels.count == 4 && isAddress(name)
    }

    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy(isDigit) { return true }
        let isHexadecimal = label.starts(with: "0x".utf8) || label.starts(with: "0X".utf8)
        return isHexadecimal && label.dropFirst(2).allSatisfy { WireText.value(ofHexDigit: $0) != nil }
    }

    private static func isAddress(_ bytes: ArraySlice<UInt8>) -> Bool {
        ClientNetwork(String(decoding: bytes, as: UTF8.self)) != nil
    }

    // MARK: The rest

    /// Whether every byte may stand in a path, a query or a fragment, and every escape is whole.
    private static func isPathAndQuery(_ bytes: ArraySlice<UInt8>) -> Bool {
        var (rest, isFragment) = (bytes, false)
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "#"):
                guard !isFragment else { return false }
                isFragment = true
            case UInt8(ascii: "%"):
                guard rest.popFirst().flatMap(WireText.value(ofHexDigit:)) != nil,
                    rest.popFirst().flatMap(WireText.value(ofHexDigit:)) != nil
                else { return false }
            default: guard isPathByte(byte) else { return false }
            }
        }
        return true
    }

    /// Marks that stand for themselves in a path, a query and a fragment (RFC 3986 section 3.3 to
    /// 3.5).
    private static let marks = Set("-._~!$&'()*+,;=:@/?".utf8)

    private static func isPathByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || marks.contains(byte) }
    private static func isNameByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || "-_".utf8.contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        let lowercased = byte | 0x20
        return isDigit(byte) || lowercased >= UInt8(ascii: "a") && lowercased <= UInt8(ascii: "z")
    }
}
