package import HTTPTypes
package import Hummingbird
import Logging
package import NIOCore
import RESTAuth

/// The two families of fields in which proxies name the client. One family is read, and the other
/// never counts: a proxy that writes the one may pass on what a client wrote into the other.
public enum ForwardedFamily: String, Sendable, CaseIterable {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`; `X-Real-IP` where there is no
    /// `X-Forwarded-For`.
    case xForwarded = "x-forwarded"
    /// `Forwarded` (RFC 7239).
    case forwarded

    /// The fields of both families, which are removed from every request before believed values are
    /// set.
    static let names: [HTTPField.Name] = [
        .xForwardedFor, .xRealIP, .xForwardedProto, .xForwardedHost, .xForwardedPort, .forwarded,
    ]

    /// The fields that name the client's address.
    var addressNames: [HTTPField.Name] {
        switch self {
        case .xForwarded: [.xForwardedFor, .xRealIP]
        case .forwarded: [.forwarded]
        }
    }

    var other: ForwardedFamily { self == .forwarded ? .xForwarded : .forwarded }
}

/// The trusted proxies, and what is believed of the requests that they pass on.
package struct ForwardedFields: Sendable {
    private let trusted: [Network]
    private let family: ForwardedFamily
    /// The senders of such fields that are not believed.
    package let unheard: UnheardProxies
    private let logger = Logger(label: "rest-auth")

    package init(
        trusted: [Network], family: ForwardedFamily = .xForwarded,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.trusted = trusted
        self.family = family
        unheard = UnheardProxies(named: trusted, family: family, now: now)
    }

    package var areNamed: Bool { !trusted.isEmpty }

    /// The client's address: the rightmost hop that is not one of the proxies. The client may have
    /// written what is left of it. A hop that is no address was not written by a proxy: then the
    /// last known proxy counts as the client.
    ///
    /// The sender of an address that does not count is noted (``UnheardProxies``).
    package func client(_ fields: HTTPFields, peer: SocketAddress?) -> String? {
        guard let peer, let own = peer.clientAddress else { return nil }
        let name = peer.isUnixSocket ? Network.unixSockets : own
        guard isTrusted(name) else {
            warn(unheard.notice(fields, from: name, .notNamed))
            return own
        }
        let addresses = family.addresses(in: fields)
        guard let nearest = addresses.first else {
            warn(unheard.notice(fields, from: name, .otherFamily))
            return own
        }
        if Network.address(ofHop: nearest) == nil, !isTrustedSocket(nearest) {
            warn(unheard.notice(fields, from: name, .noAddress))
        }
        return origin(of: addresses, from: peer).client
    }

    /// The request with believed values in place of those that were sent: at most one in each of
    /// `X-Forwarded-For`, `-Proto` and `-Host`, whichever family they came by.
    package func believe(_ request: Request, from peer: SocketAddress?) -> Request {
        var head = request.head
        for name in ForwardedFamily.names where head.headerFields.contains(name) { head.headerFields[name] = nil }
        if let peer, let name = peer.proxyName, isTrusted(name) {
            let (client, depth) = origin(of: family.addresses(in: request.headers), from: peer)
            let hops = family.hops(in: request.headers)
            func value(_ list: [WireText?]) -> String? {
                list[..<min(depth, list.count)].compactMap(\.self).last?.string
            }
            head.headerFields[.xForwardedFor] = client
            head.headerFields[.xForwardedProto] = value(hops.schemes)
            head.headerFields[.xForwardedHost] = Self.host(
                value(hops.hosts), port: value(hops.ports), of: request.head.authority)
        }
        return Request(head: head, body: request.body)
    }

    /// The client's address, and the number of proxies in a row that are believed.
    ///
    /// Each proxy appends the address of its own neighbour. So the last value of a list is the
    /// peer's report; the one before it counts when the last names a proxy, and so on.
    private func origin(of addresses: [WireText], from peer: SocketAddress) -> (client: String?, depth: Int) {
        var (client, depth) = (peer.clientAddress, 1)
        for hop in addresses {
            if isTrustedSocket(hop) {
                client = SocketAddress.addressBehindSockets
            } else {
                guard let address = Network.address(ofHop: hop) else { break }
                client = address
                guard isTrusted(address) else { break }
            }
            depth += 1
        }
        // When all hops are proxies, the furthest made the request itself and has appended nothing.
        return (client, min(depth, max(1, addresses.count)))
    }

    /// The forwarded host, with the forwarded port where it has none. The schemes' default ports
    /// are left out: they need not be named, and often are wrong where TLS ends before the proxy
    /// that names them.
    private static func host(_ forwarded: String?, port: String?, of authority: String?) -> String? {
        guard let host = forwarded ?? authority, let port, let number = WireText(port).decimalNumber,
            (1...65535).contains(number), number != 80, number != 443,
            !WireText(host).afterLast("]").bytes.contains(UInt8(ascii: ":"))
        else { return forwarded }
        return "\(host):\(number)"
    }

    private func warn(_ sighting: UnheardProxies.Sighting?) {
        guard let sighting else { return }
        logger.warning("\(unheard.advice(on: sighting))")
    }

    private func isTrusted(_ address: String) -> Bool {
        trusted.contains { $0.contains(address) }
    }

    /// Whether a hop is `unix:`, as nginx names the other end of a unix-domain socket, and such
    /// peers are trusted.
    private func isTrustedSocket(_ hop: WireText) -> Bool {
        hop.equals("unix:") && isTrusted(Network.unixSockets)
    }
}

/// The schemes, hosts and ports that proxies report, from the nearest one on; `nil` where one
/// reports none.
private struct ForwardedHops {
    var schemes: [WireText?]
    var hosts: [WireText?]
    var ports: [WireText?]
}

extension ForwardedFamily {
    /// The addresses that proxies report, from the nearest one on. An empty value stays as one that
    /// names nobody: what is before it, and in `X-Real-IP`, may be the client's own.
    fileprivate func addresses(in fields: HTTPFields) -> [WireText] {
        switch self {
        case .xForwarded:
            let name = fields.contains(.xForwardedFor) ? HTTPField.Name.xForwardedFor : .xRealIP
            return fields[values: name].flatMap { WireText($0).elements(at: ",") }.reversed()
        case .forwarded: return Self.elements(in: fields).map { $0.node ?? WireText("") }
        }
    }

    fileprivate func hops(in fields: HTTPFields) -> ForwardedHops {
        switch self {
        case .xForwarded:
            return ForwardedHops(
                schemes: Self.list(.xForwardedProto, in: fields), hosts: Self.list(.xForwardedHost, in: fields),
                ports: Self.list(.xForwardedPort, in: fields))
        case .forwarded:
            let elements = Self.elements(in: fields)
            return ForwardedHops(
                schemes: elements.map(\.scheme), hosts: elements.map { $0.host?.unlessEmpty }, ports: [])
        }
    }

    /// The values of all fields of one name as one list, the last value first. An empty value keeps
    /// its position as `nil`, because the values before it may be the client's own.
    private static func list(_ name: HTTPField.Name, in fields: HTTPFields) -> [WireText?] {
        fields[values: name].flatMap { WireText($0).elements(at: ",") }.reversed().map(\.unlessEmpty)
    }

    private static func elements(in fields: HTTPFields) -> [ForwardedElement] {
        fields[values: .forwarded].reversed().flatMap { ForwardedElement.elements(of: $0) }
    }
}

extension WireText {
    fileprivate var unlessEmpty: WireText? { isEmpty ? nil : self }
}

extension HTTPField.Name {
    static let xForwardedFor = Self("X-Forwarded-For")!
    static let xForwardedProto = Self("X-Forwarded-Proto")!
    static let xForwardedHost = Self("X-Forwarded-Host")!
    static let xForwardedPort = Self("X-Forwarded-Port")!
    static let xRealIP = Self("X-Real-IP")!
    static let forwarded = Self("Forwarded")!
}
