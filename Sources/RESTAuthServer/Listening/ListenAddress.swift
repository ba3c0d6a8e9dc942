import Foundation
import NIOCore
import RESTAuth

/// The values of the setting `hostname`.
package enum ListenAddress: Sendable, Hashable {
    /// Every address of the machine, of both families: `*`, `::`, `[::]`.
    case everywhere
    /// An address, or a name that stands for one or more addresses of this machine.
    case host(String)
    /// A unix-domain socket: `unix:` and its path.
    case unixSocket(path: String)

    /// The size of the path in a socket address, in bytes, including the NUL at the end.
    private static let pathCapacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    /// - Throws: the fault of the text, in words that follow it in a sentence.
    package init(_ text: String) throws(Misreading) {
        if let path = Self.text(text, after: "unix:") {
            self = try .unixSocket(path: Self.path(path))
        } else if let end = text.firstRange(of: "://") {
            if text.utf8.starts(with: "fd:".utf8) {
                throw Misreading(
                    "is no address; sockets that systemd passes on (LISTEN_FDS) are served without a setting")
            }
            throw Misreading(Self.advice(for: text[end.upperBound...].prefix { !"/?#".contains($0) }, else: "is a URL"))
        } else if text.utf8.contains(UInt8(ascii: "/")) {
            throw Misreading("is a path; a unix-domain socket is written unix:\(text)")
        } else if text.isEmpty || text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) {
            throw Misreading("is no address or name of this machine: write one without blanks, such as 127.0.0.1")
        } else if text.utf8.contains(UInt8(ascii: ",")) {
            throw Misreading(
                "is a list, and one is taken: write '*' for all addresses, or localhost for both of loopback")
        } else if ["*", "::", "[::]"].contains(text) {
            self = .everywhere
        } else if Self.isVersion6(text) {
            self = .host(text)
        } else if text.hasPrefix("["), text.hasSuffix("]"), Self.isVersion6(String(text.dropFirst().dropLast())) {
            self = .host(String(text.dropFirst().dropLast()))
        } else if let inner = Self.withoutBrackets(text) {
            throw Misreading(
                "has brackets, which stand around an address of IPv6, both of them: write --hostname \(inner)")
        } else if text.utf8.contains(UInt8(ascii: ":")) {
            throw Misreading(Self.advice(for: text[...], else: "has a colon and is no address of IPv6"))
        } else {
            self = .host(text)
        }
    }

    /// The reason why a text is not an address to listen on, and what to write instead.
    package struct Misreading: Error {
        package let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Advice for `host:port`, which are two settings here.
    private static func advice(for text: Substring, else reason: String) -> String {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = UInt16(text[text.utf8.index(after: colon)...])
        else {
            return "\(reason); write " + (isHost(text) ? "--hostname \(text)" : "an address such as 127.0.0.1")
        }
        let host = text[..<colon].isEmpty ? "*" : text[..<colon]
        guard isHost(host) else {
            return "\(reason); write an address such as 127.0.0.1"
        }
        return
            """
            has a port in it, which is a setting of its own: write --hostname \(host == "*" ? "'*'" : host) --port \
            \(port)
            """
    }

    private static func path(_ text: Substring) throws(Misreading) -> String {
        // Three slashes, as in URLs.
        let path = text.hasPrefix("///") ? String(text.dropFirst(2)) : String(text)
        if path.isEmpty || path.hasSuffix("/") {
            throw Misreading("names no socket; write unix:/run/rest-auth/rest-auth.sock")
        }
        if path.hasPrefix("@") {
            throw Misreading(
                """
                is an abstract socket, which has no owner and no mode, so that anybody may use it; write unix: and a \
                path
                """
            )
        }
        if path.hasPrefix("//") { throw Misreading("has a host in it; write unix: and a path") }
        guard path.utf8.count < pathCapacity else {
            throw Misreading("is longer than the \(pathCapacity - 1) bytes that the path of a socket may have")
        }
        return path
    }

    /// The address without misplaced or unpaired brackets; `nil` when there are no brackets, or no
    /// address in them.
    private static func withoutBrackets(_ text: String) -> String? {
        var inner = text.utf8[...]
        if inner.first == UInt8(ascii: "[") { inner.removeFirst() }
        if inner.last == UInt8(ascii: "]") { inner.removeLast() }
        let address = String(Substring(inner))
        guard inner.count < text.utf8.count, (try? SocketAddress(ipAddress: address, port: 0)) != nil else {
            return nil
        }
        return address
    }

    /// Whether the text can be written as it is: a name, or an address with the brackets that it
    /// needs.
    private static func isHost(_ text: Substring) -> Bool {
        if text.utf8.contains(where: { ":[]".utf8.contains($0) }) {
            return text.hasPrefix("[") && text.hasSuffix("]") && isVersion6(String(text.dropFirst().dropLast()))
        }
        return !text.isEmpty
    }

    private static func isVersion6(_ text: String) -> Bool {
        // A link-local address may have an interface name after a percent sign.
        let address = String(text.prefix { $0 != "%" })
        return (try? SocketAddress(ipAddress: address, port: 0))?.protocol == .inet6
    }

    private static func text(_ text: String, after prefix: String) -> Substring? {
        text.lowercased().hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil
    }

    // MARK: Addresses

    /// The addresses to bind, without duplicates.
    /// - Throws: `misconfigured` for a name that stands for no address.
    func addresses(port: Int) throws -> [SocketAddress] {
        switch self {
        case .everywhere: return [try SocketAddress(ipAddress: "::", port: port)]
        case .unixSocket(let path): return [SocketAddress(UnixSocket.address(of: path))]
        // Always loopback, whatever the hosts file says (RFC 6761 section 6.3).
        case .host(let host) where host.lowercased() == "localhost":
            return try ["127.0.0.1", "::1"].map { try SocketAddress(ipAddress: $0, port: port) }
        case .host(let host): return try Self.resolve(host, port: port)
        }
    }

    private static func resolve(_ host: String, port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &found)
        defer { if let found { freeaddrinfo(found) } }
        guard status == 0 else { throw AuthError(.misconfigured, unknown(host, status)) }
        var addresses: [SocketAddress] = []
        var next = found
        while let info = next?.pointee {
            next = info.ai_next
            let address: SocketAddress? =
                switch info.ai_family {
                case AF_INET:
                    info.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
                case AF_INET6:
                    info.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
                default: nil
                }
            if let address, address.isForMany {
                throw AuthError(.misconfigured, "\(host) is an address of many, to which nobody can connect")
            }
            if let address, !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }

    private static func unknown(_ host: String, _ status: Int32) -> String {
        let addresses = addresses(ofInterface: host)
        if !addresses.isEmpty {
            return "\(host) is a network interface; write one of its addresses: \(addresses.joined(separator: ", "))"
        }
        return "\(host) is not an address of this machine, nor a name of one: \(String(cString: gai_strerror(status)))"
    }

    /// The addresses of a network interface; empty where there is no such interface.
    private static func addresses(ofInterface name: String) -> [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard String(cString: entry.ifa_name) == name, let address = entry.ifa_addr else { continue }
            let length: Int
            switch Int32(address.pointee.sa_family) {
            case AF_INET: length = MemoryLayout<sockaddr_in>.size
            case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
            default: continue
            }
            if let text = numericHost(address, length) { addresses.append(text) }
        }
        return addresses
    }
}

/// The text of an IP address, with its zone behind a percent sign; `nil` for another address.
private func numericHost(_ address: UnsafePointer<sockaddr>, _ length: Int) -> String? {
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard getnameinfo(address, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
        return nil
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension SocketAddress {
    /// Whether only this machine can reach the address.
    var isLoopback: Bool {
        switch self {
        case .v4: ipAddress?.utf8.starts(with: "127.".utf8) == true
        case .v6: ipAddress == "::1"
        case .unixDomainSocket: true
        }
    }

    /// Whether it is a multicast address (RFC 5771, RFC 4291 section 2.7) or broadcast.
    var isForMany: Bool { isMulticast || ipAddress == "255.255.255.255" }

    /// The zone of a link-local address after the percent-encoded percent sign of a URL (RFC 6874);
    /// empty where there is none.
    private var zone: String {
        guard case .v6 = self, let text = withSockAddr(numericHost),
            let sign = text.utf8.firstIndex(of: UInt8(ascii: "%"))
        else { return "" }
        return "%25" + text[text.utf8.index(after: sign)...]
    }

    /// Host and port for a client on this machine, where the wildcard address is replaced by a
    /// loopback address.
    var reachable: String {
        switch self {
        case .v4 where ipAddress == "0.0.0.0", .v6 where ipAddress == "::": "127.0.0.1:\(port ?? 0)"
        case .unixDomainSocket: "localhost"
        default: shown
        }
    }

    /// The address as in a URL, or after `unix:`.
    var shown: String {
        switch self {
        case .v4: "\(ipAddress ?? ""):\(port ?? 0)"
        case .v6: "[\(ipAddress ?? "")\(zone)]:\(port ?? 0)"
        case .unixDomainSocket: "unix:\(pathname ?? "")"
        }
    }
}
