package import HTTPTypes
public import Hummingbird
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
    /// The client's address as far as the proxies in front can be believed; set by
    /// ``TrustedProxies``.
    var clientAddress: String? { get set }
}

extension RequestContext {
    /// The client's IP address, where the context knows it.
    var knownClientAddress: String? {
        (self as? any PeerAddressContext).flatMap { $0.clientAddress ?? $0.peerAddress?.clientAddress }
    }
}

/// Believes `X-Forwarded-For`, `-Proto` and `-Host` from the configured proxies and takes them away
/// from requests of anyone else.
public struct TrustedProxies<Context: PeerAddressContext>: RouterMiddleware {
    private let proxies: ForwardedFields

    public init(_ networks: [Network]) {
        proxies = ForwardedFields(trusted: networks)
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.clientAddress = proxies.client(request.headers, peer: context.peerAddress)
        return try await next(proxies.believe(request, from: context.peerAddress), context)
    }
}

/// Which proxies are believed, and what of a request is.
package struct ForwardedFields: Sendable {
    private let trusted: [Network]

    package init(trusted: [Network]) {
        self.trusted = trusted
    }

    /// The client's address: the rightmost hop that is not one of the proxies. What stands to its
    /// left, the client may have written itself. Where that is no address, someone else than a
    /// proxy wrote it: then it is the last proxy that is known.
    package func client(_ fields: HTTPFields, peer: SocketAddress?) -> String? {
        guard let peer, var client = peer.isUnixSocket ? Network.unixSockets : peer.ipAddress else { return nil }
        var hops = fields[values: .xForwardedFor].flatMap { WireText($0).parts(at: ",") }
        while isTrusted(client), let hop = hops.popLast()?.string, Network.isAddress(hop) { client = hop }
        return WireText(client).equals("unix:") ? peer.clientAddress : client
    }

    /// The request without the fields that are not to be believed.
    package func believe(_ request: Request, from peer: SocketAddress?) -> Request {
        if let peer, let name = peer.isUnixSocket ? Network.unixSockets : peer.ipAddress, isTrusted(name) {
            return request
        }
        var head = request.head
        for name in [HTTPField.Name.xForwardedFor, .xForwardedProto, .xForwardedHost] { head.headerFields[name] = nil }
        return Request(head: head, body: request.body)
    }

    private func isTrusted(_ address: String) -> Bool {
        trusted.contains { $0.contains(address) }
    }
}

/// A range of IP addresses in CIDR notation, for example `10.0.0.0/8`, `::1` or `fd00::/8`.
public struct Network: Sendable, Hashable {
    private let prefix: [UInt8]
    private let length: Int

    /// Stands for the other ends of unix-domain sockets, which have no address.
    package static let unixSockets = "unix:"

    /// `nil` when `text` is neither an address nor a range, nor ``unixSockets``.
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

    static func isAddress(_ text: String) -> Bool { bytes(of: text) != nil }

    func contains(_ address: String) -> Bool {
        if prefix.isEmpty { return WireText(address).equals("unix:") }
        guard let bytes = Self.bytes(of: address), bytes.count == prefix.count else { return false }
        return (0..<length).allSatisfy { bit in
            (bytes[bit / 8] ^ prefix[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }

    /// The 4 or 16 bytes; an IPv4 address inside IPv6 counts as IPv4.
    private static func bytes(of address: String) -> [UInt8]? {
        // In C a string ends there.
        guard !address.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes[..<4]) }
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }
}

extension SocketAddress {
    var isUnixSocket: Bool { if case .unixDomainSocket = self { true } else { false } }

    /// The address that whoever is at the other end is counted by. Who comes over a unix-domain
    /// socket is on this machine: all of them are one network, as they are over the loopback
    /// address.
    package var clientAddress: String? { isUnixSocket ? "127.0.0.1" : ipAddress }
}
