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
/// IPv4 by /24, IPv6 by /56, which is what one customer is usually given (RFC 6177). Who is given
/// more has many of these, so IPv6 is counted by the larger ``blocks`` as well.
///
/// An address of IPv6 that stands for one of IPv4 is that one: mapped (`::ffff:0:0/96`, RFC 4291
/// section 2.5.5.2), behind a translator of the well-known prefix (`64:ff9b::/96`, RFC 6052), where
/// otherwise all of IPv4 would be one network, and of 6to4 (`2002::/16`, RFC 3056), where who has
/// one address of IPv4 would have 256 networks.
public struct ClientNetwork: Sendable, Hashable {
    /// The leading 64 bits of an address, those beyond the prefix zero; of IPv4 the last 32 of
    /// them.
    private let bits: UInt64
    private let isVersion6: Bool
    /// How many bits the addresses of it have in common.
    public let prefixLength: Int

    /// The smallest one that the address is counted by; `nil` for what is no address.
    public init?(_ address: String) {
        // A zone is only meaningful on this machine.
        guard let address = IPAddress(address.utf8.prefix { $0 != UInt8(ascii: "%") }) else { return nil }
        switch address.embeddedVersion4 ?? address {
        case .version4(let bits): self.init(version4: bits)
        case .version6(let high, _): self.init(version6: high, Self.version6Lengths[0])
        }
    }

    /// The one that is written like that (``description``); `nil` for every other network.
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
    /// A customer's network, what a site is given at most (RFC 6177 section 2), and what providers
    /// are given at least.
    private static let version6Lengths = [56, 48, 32]

    /// This network and the larger ones that are counted with it, the smallest first.
    public var blocks: [ClientNetwork] {
        guard isVersion6 else { return [self] }
        return Self.version6Lengths.filter { $0 <= prefixLength }.map { ClientNetwork(version6: bits, $0) }
    }

    /// How many times as much it may as the smallest ones.
    var allowanceFactor: Int {
        switch (isVersion6, prefixLength) {
        case (true, 48): 4
        case (true, 32): 16
        default: 1
        }
    }

    /// Whether it is more than one customer's: what comes from there has nothing else in common.
    var isProvider: Bool { isVersion6 && prefixLength == 32 }
}

extension ClientNetwork: CustomStringConvertible {
    /// In CIDR notation, `192.0.2.0/24` or `2001:db8:0:100::/56`.
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
