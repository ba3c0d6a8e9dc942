#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The text of a `Host` field: a registered name or an address, and perhaps a port (RFC 3986 section 3.2.2).
package enum HostName {
    /// Whether `text` is one, with nothing in it that could start a path, a user or another field.
    package static func isValid(_ text: some StringProtocol) -> Bool {
        guard text.utf8.count <= 255 else { return false }
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return false }
            return isIPv6(String(text[..<end].dropFirst())) && isPort(text[text.index(after: end)...])
        }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        return isName(text[..<colon]) && isPort(text[colon...])
    }

    private static func isName(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// Nothing, or a colon and at most 65535.
    private static func isPort(_ text: some StringProtocol) -> Bool {
        guard let colon = text.first else { return true }
        let digits = text.dropFirst()
        return colon == ":" && digits.utf8.allSatisfy { (0x30...0x39).contains($0) } && (digits.isEmpty || UInt16(digits) != nil)
    }
}
