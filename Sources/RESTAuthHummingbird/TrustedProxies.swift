public import Hummingbird
import Logging
public import NIOCore
import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A request context that knows the other end of the connection.
public protocol PeerAddressContext: RequestContext {
    /// The address at the other end of the socket.
    var peerAddress: SocketAddress? { get }
    /// The client's address, as far as the proxies in front are believed; set by
    /// ``TrustedProxies``.
    var clientAddress: String? { get set }
}

extension RequestContext {
    /// The client's IP address; `nil` where the context does not know it.
    var knownClientAddress: String? {
        (self as? any PeerAddressContext).flatMap { $0.clientAddress ?? $0.peerAddress?.clientAddress }
    }

    /// The caller of `request`, before an identity is proven.
    func caller(_ request: Request) -> Caller {
        Caller(
            address: knownClientAddress, userAgent: request.headers[.userAgent],
            requestID: logger[metadataKey: "hb.request.id"]?.description)
    }
}

/// Believes the configured proxies about the client, and removes the fields that name it from
/// requests of anyone else.
///
/// Whatever comes after it finds at most one value in each of `X-Forwarded-For`, `-Proto` and
/// `-Host`, and can believe it.
public struct TrustedProxies<Context: PeerAddressContext>: RouterMiddleware {
    private let proxies: ForwardedFields

    /// - Parameters:
    ///   - networks: the addresses of the proxies.
    ///   - family: the fields that all of them write.
    public init(_ networks: [Network], reading family: ForwardedFamily = .xForwarded) {
        proxies = ForwardedFields(trusted: networks, family: family)
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.clientAddress = proxies.client(request.headers, peer: context.peerAddress)
        return try await next(proxies.believe(request, from: context.peerAddress), context)
    }
}

/// A range of IP addresses in CIDR notation, for example `10.0.0.0/8`, `::1` or `fd00::/8`.
public struct Network: Sendable, Hashable {
    private let prefix: [UInt8]
    private let length: Int

    /// The name of the other ends of unix-domain sockets, which have no address.
    package static let unixSockets = "unix:"

    /// `nil` when `text` is neither an address nor a range, nor `unix:`, which stands for all peers
    /// on unix-domain sockets.
    public init?(_ text: String) {
        if WireText(text).equals("unix:") {
            (prefix, length) = ([], 0)
            return
        }
        let (address, range) = (WireText(text).before("/"), WireText(text).from("/"))
        guard let bytes = Self.bytes(of: address.string) else { return nil }
        let bits = range.isEmpty ? Int64(bytes.count * 8) : range.after("/")?.decimalNumber
        guard let bits, (0...Int64(bytes.count * 8)).contains(bits) else { return nil }
        prefix = bytes
        length = Int(bits)
    }

    /// Whether this stands for all peers on unix-domain sockets.
    package var isUnixSockets: Bool { prefix.isEmpty }

    /// Whether it contains all addresses of its family, or half of them: two halves are all.
    package var isEverybody: Bool { length <= 1 && !prefix.isEmpty }

    /// Whether it is the unspecified address (`0.0.0.0`, `::`), from which nobody comes.
    package var isUnspecified: Bool { length == prefix.count * 8 && !prefix.isEmpty && prefix.allSatisfy { $0 == 0 } }

    /// The address that a proxy names, without a port, brackets and a zone (RFC 7239 section 6;
    /// `203.0.113.7:51008` and the like in `X-Forwarded-For`). `nil` for text that is no address.
    static func address(ofHop hop: WireText) -> String? {
        if let bracketed = hop.after("[") {
            let behind = bracketed.from("]").after("]")
            guard let behind, behind.isEmpty || behind.after(":")?.isNodePort == true else { return nil }
            return version6(bracketed.before("]"))
        }
        if let address = version6(hop) ?? text(of: hop) { return address }
        let port = hop.afterLast(":")
        guard port.isNodePort, port.bytes.count < hop.bytes.count else { return nil }
        let address = WireText(String(Substring(hop.bytes.dropLast(port.bytes.count + 1))))
        return text(of: address)
    }

    /// An IPv6 address without its zone, which means nothing on another machine; `nil` for anything
    /// else.
    private static func version6(_ address: WireText) -> String? {
        address.bytes.contains(UInt8(ascii: ":")) ? text(of: address.before("%")) : nil
    }

    /// The canonical spelling of an address; `nil` for text that is none.
    package static func canonical(_ address: String) -> String? { text(of: WireText(address)) }

    private static func text(of address: WireText) -> String? { bytes(of: address.string).flatMap(text(of:)) }

    /// The text of an address of 4 or 16 bytes in network order; `nil` for any other number of
    /// bytes.
    package static func text(of bytes: [UInt8]) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        let end = text.firstIndex(of: 0) ?? text.endIndex
        return String(decoding: text[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func contains(_ address: String) -> Bool {
        if prefix.isEmpty { return WireText(address).equals("unix:") }
        guard let bytes = Self.bytes(of: address), bytes.count == prefix.count else { return false }
        return (0..<length).allSatisfy { bit in
            (bytes[bit / 8] ^ prefix[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }

    /// The 4 or 16 bytes of an address, where IPv4 inside IPv6 counts as IPv4; `nil` for text that
    /// is none.
    private static func bytes(of address: String) -> [UInt8]? {
        // In C a string ends at a NUL.
        guard !address.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes[..<4]) }
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }
}

extension SocketAddress {
    package var isUnixSocket: Bool { if case .unixDomainSocket = self { true } else { false } }

    /// The name that a trusted ``Network`` must contain for this peer to be believed.
    var proxyName: String? { isUnixSocket ? Network.unixSockets : clientAddress }

    /// The address by which the peer is counted. Peers on unix-domain sockets are on this machine:
    /// they all have the loopback address, and so are one network.
    ///
    /// A socket for both families gives IPv4 clients in IPv6 (RFC 4291 section 2.5.5.2); they are
    /// written as IPv4.
    package var clientAddress: String? {
        switch self {
        case .unixDomainSocket: Self.addressBehindSockets
        case .v4: ipAddress
        case .v6: ipAddress.map { Network.canonical($0) ?? $0 }
        }
    }

    static let addressBehindSockets = "127.0.0.1"
}

extension Network: CustomStringConvertible {
    /// The text that ``init(_:)`` reads.
    public var description: String {
        (Self.text(of: prefix) ?? Self.unixSockets) + (length == prefix.count * 8 ? "" : "/\(length)")
    }
}

extension WireText {
    /// The text after the last of these ASCII characters; all of it when there is none.
    func afterLast(_ separator: Unicode.Scalar) -> WireText {
        guard let index = bytes.lastIndex(of: UInt8(ascii: separator)) else { return self }
        return WireText(Substring(bytes[bytes.index(after: index)...]))
    }

    /// Whether it is a port, or an obfuscated one (`node-port`, RFC 7239 section 6).
    fileprivate var isNodePort: Bool {
        if let name = after("_") { return name.isToken }
        return bytes.count <= 5 && decimalNumber.map { $0 <= 65535 } ?? false
    }
}
