#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The network that an address belongs to, as far as guesses are counted: an attacker with one
/// address of it has them all.
///
/// IPv4 by /24, IPv6 by /56, which is what one customer is usually given (RFC 6177). An IPv4
/// address inside IPv6 is IPv4.
public struct ClientNetwork: Sendable, Hashable, CustomStringConvertible {
    /// In CIDR notation, `192.0.2.0/24` or `2001:db8:0:100::/56`.
    public let description: String

    /// `nil` for what is no address.
    public init?(_ address: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        // A zone is only meaningful on this machine.
        let address = String(address.prefix { $0 != "%" })
        if inet_pton(AF_INET, address, &bytes) == 1 {
            self.init(version4: bytes[..<3])
        } else if inet_pton(AF_INET6, address, &bytes) == 1 {
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            if isMapped {
                self.init(version4: bytes[12..<15])
            } else {
                self.init(version6: bytes)
            }
        } else {
            return nil
        }
    }

    private init(version4 bytes: ArraySlice<UInt8>) {
        description = bytes.map(String.init).joined(separator: ".") + ".0/24"
    }

    private init(version6 bytes: [UInt8]) {
        let prefix = Array(bytes[..<7]) + [UInt8](repeating: 0, count: 9)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(AF_INET6, prefix, &text, socklen_t(text.count))
        description = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/56"
    }
}
