#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The network of an address, by which guesses are counted: an attacker with one address of a
/// network usually has all of them.
///
/// IPv4 is counted by /24, IPv6 by /56, which is what one customer is usually given (RFC 6177).
/// Some customers are given more, so IPv6 is counted by the larger ``blocks`` as well.
///
/// An IPv6 address that embeds an IPv4 address is counted as the IPv4 address: IPv4-mapped
/// (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2), the well-known prefix of translators
/// (`64:ff9b::/96`, RFC 6052), which would otherwise make one network of all IPv4, and 6to4
/// (`2002::/16`, RFC 3056), which would otherwise give 256 networks to each IPv4 address.
public struct ClientNetwork: Sendable, Hashable {
    /// The first 64 bits of an IPv6 address, or the 32 bits of an IPv4 address in the low half; the
    /// bits beyond the prefix are zero.
    private let bits: UInt64
    private let isVersion6: Bool
    /// The number of leading bits that all addresses of the network share.
    public let prefixLength: Int

    /// The smallest network that an address is counted by; `nil` for anything but an IP address.
    public init?(_ address: String) {
        // A zone is only meaningful on this machine.
        guard let address = IPAddress(address.utf8.prefix { $0 != UInt8(ascii: "%") }) else { return nil }
        switch address.embeddedVersion4 ?? address {
        case .version4(let bits): self.init(version4: bits)
        case .version6(let high, _): self.init(version6: high, Self.version6Lengths[0])
        }
    }

    /// Parses the text that ``description`` writes; `nil` for any other text.
    public static func cidr(_ text: String) -> ClientNetwork? {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]), let length = Int(Substring(parts[1])) else {
            return nil
        }
        let network: ClientNetwork? =
            switch address {
            case .version4(let bits): ClientNetwork(version4: bits)
            case .version6(let high, _):
                version6Lengths.contains(length) ? ClientNetwork(version6: high, length) : nil
            }
        return network.flatMap { $0.description.utf8.elementsEqual(text.utf8) ? $0 : nil }
    }

    private init(version4 bits: UInt32) {
        (self.bits, isVersion6, prefixLength) = (UInt64(bits & 0xFFFF_FF00), false, 24)
    }

    private init(version6 high: UInt64, _ length: Int) {
        (bits, isVersion6, prefixLength) = (high & ~0 << UInt64(64 - length), true, length)
    }
}

extension ClientNetwork {
    /// The prefix lengths of one customer's network, of the most that a site is given (RFC 6177
    /// section 2), and of the least that a provider is given.
    private static let version6Lengths = [56, 48, 32]

    /// This network and the larger ones that are counted with it, the smallest first.
    public var blocks: [ClientNetwork] {
        guard isVersion6 else { return [self] }
        return Self.version6Lengths.filter { $0 <= prefixLength }.map { ClientNetwork(version6: bits, $0) }
    }

    /// The factor by which the limits of the smallest networks are multiplied.
    var allowanceFactor: Int {
        switch (isVersion6, prefixLength) {
        case (true, 48): 4
        case (true, 32): 16
        default: 1
        }
    }

    /// Whether the network is a whole provider's, whose customers have nothing to do with each
    /// other.
    var isProvider: Bool { isVersion6 && prefixLength == 32 }
}

extension ClientNetwork: CustomStringConvertible {
    /// The network in CIDR notation, `192.0.2.0/24` or `2001:db8:0:100::/56`.
    public var description: String {
        let address: IPAddress = isVersion6 ? .version6(bits, 0) : .version4(UInt32(truncatingIfNeeded: bits))
        return "\(address)/\(prefixLength)"
    }
}

private enum IPAddress: CustomStringConvertible {
    case version4(UInt32)
    case version6(UInt64, UInt64)

    init?(_ text: some Collection<UInt8>) {
        guard !text.contains(0) else { return nil }
        let text = String(decoding: text, as: UTF8.self)
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self = .version4(UInt32(truncatingIfNeeded: Self.number(bytes[..<4])))
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self = .version6(Self.number(bytes[..<8]), Self.number(bytes[8...]))
        } else {
            return nil
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    var embeddedVersion4: IPAddress? {
        guard case .version6(let high, let low) = self else { return nil }
        let isMapped = high == 0 && low >> 32 == 0xFFFF
        let isTranslated = high == 0x0064_FF9B << 32 && low >> 32 == 0
        if isMapped || isTranslated { return .version4(UInt32(truncatingIfNeeded: low)) }
        return high >> 48 == 0x2002 ? .version4(UInt32(truncatingIfNeeded: high >> 16)) : nil
    }

    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch self {
        case .version4(let bits):
            withUnsafeBytes(of: bits.bigEndian) {
                _ = inet_ntop(AF_INET, $0.baseAddress, &text, socklen_t(INET6_ADDRSTRLEN))
            }
        case .version6(let high, let low):
            withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) {
                _ = inet_ntop(AF_INET6, $0.baseAddress, &text, socklen_t(INET6_ADDRSTRLEN))
            }
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
