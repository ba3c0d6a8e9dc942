import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The text of a `Host` field: a registered name or an address, and perhaps a port (RFC 3986
/// section 3.2.2).
package enum HostName {
    /// Whether `text` is a host, with or without a port, and has nothing in it that could begin a
    /// path, a user or another field.
    package static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count <= 255 else { return false }
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            return isIPv6(bytes[1..<end]) && isPort(bytes[(end + 1)...])
        }
        let name = bytes.prefix(while: isNameByte)
        return !name.isEmpty && isPort(bytes[name.endIndex...])
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
        canonicalIPv6(String(decoding: bytes, as: UTF8.self)) != nil
    }

    /// The spelling of an IPv6 address that browsers use (RFC 5952); `nil` for anything else.
    static func canonicalIPv6(_ text: String) -> String? {
        var address = in6_addr()
        // In C a string ends at a NUL.
        guard !text.utf8.contains(0), inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        var spelled = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &address, &spelled, socklen_t(spelled.count)) != nil else { return nil }
        spelled.removeSubrange((spelled.firstIndex(of: 0) ?? spelled.endIndex)...)
        return String(decoding: spelled.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether `text` is an IPv4 address: four numbers with dots between.
    static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return !text.utf8.contains(0) && inet_pton(AF_INET, text, &address) == 1
    }

    /// Whether the host is loopback: `localhost` and what is below it (RFC 6761 section 6.3),
    /// 127.0.0.0/8 and `[::1]`.
    /// - Parameter host: without a port, in lower case.
    package static func isLoopback(_ host: String) -> Bool {
        let host = WireText(host)
        if host.equals("localhost") || host.ends(with: ".localhost") || host.equals("[::1]") { return true }
        return host.begins(with: "127.") && isIPv4(host.string)
    }

    /// Whether the bytes are empty, or a colon and a number of at most 65535, which may be missing.
    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let colon = bytes.first else { return true }
        var port = 0
        for byte in bytes.dropFirst() {
            guard (0x30...0x39).contains(byte) else { return false }
            port = port * 10 + Int(byte - 0x30)
            if port > 65535 { return false }
        }
        return colon == UInt8(ascii: ":")
    }
}
