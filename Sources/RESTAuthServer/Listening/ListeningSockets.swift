import Foundation
import NIOCore
import RESTAuth
import Synchronization

/// The sockets that the server listens on, opened before anything else is made.
///
/// Addresses are bound at once, so that a port in use is found before a database is made. The
/// sockets do not listen until ``listen(backlog:)``: a client that connected before would wait for
/// an answer for ever.
final class ListeningSockets: Sendable {
    /// Descriptors that are bound and do not listen; empty for a unix-domain socket, which is bound
    /// when it listens.
    private let bound: Mutex<[Int32]>
    private let unixSocket: UnixSocket?
    private let taken = Mutex<UnixSocket.Taken?>(nil)
    /// The bound addresses; port 0 is replaced by the port that the system chose.
    let addresses: [SocketAddress]
    /// The setting of the port, for messages.
    private let setting: Setting
    /// Whether the service manager opened them.
    let areInherited: Bool

    /// Binds the configured addresses.
    /// - Throws: `misconfigured`, with what is in the way and what to do.
    init(_ settings: Settings) throws {
        (areInherited, setting) = (false, .address.port)
        if case .unixSocket(let path) = settings.listenAddress {
            let socket = UnixSocket(path: path, mode: settings.socketMode, group: settings.socketGroup)
            try socket.check()
            bound = Mutex([])
            unixSocket = socket
            addresses = try settings.listenAddress.addresses(port: 0)
        } else {
            let sockets = try Self.bind(settings.listenAddress, port: settings.port, as: .address.port)
            bound = Mutex(sockets.map(\.descriptor))
            unixSocket = nil
            addresses = sockets.map(\.address)
        }
    }

    /// Binds the address of the metrics; `nil` where they are not served.
    /// - Parameter server: the addresses of the server; the metrics need another port.
    /// - Throws: `misconfigured`, with what is in the way and what to do.
    init?(metricsOf settings: Settings, beside server: [SocketAddress]) throws {
        guard let port = settings.metricsPort else { return nil }
        if server.contains(where: { $0.port == port }) {
            throw AuthError(
                .misconfigured, "\(Setting.metrics.port) is \(port), which is the port of the server: choose another")
        }
        let sockets = try Self.bind(settings.metricsAddress, port: port, as: .metrics.port)
        (areInherited, setting) = (false, .metrics.port)
        bound = Mutex(sockets.map(\.descriptor))
        unixSocket = nil
        addresses = sockets.map(\.address)
    }

    /// Takes over sockets that the service manager passed on.
    init(_ inherited: InheritedSockets) {
        (areInherited, setting) = (true, .address.port)
        bound = Mutex(inherited.descriptors)
        unixSocket = nil
        addresses = inherited.addresses
    }

    deinit { close() }

    /// Starts listening.
    /// - Returns: the descriptors, which the caller owns from then on.
    func listen(backlog: Int32) throws -> [Int32] {
        if let unixSocket {
            let socket = try unixSocket.open(backlog: backlog)
            taken.withLock { $0 = socket }
            return [socket.descriptor]
        }
        let descriptors = bound.withLock { bound in
            defer { bound = [] }
            return bound
        }
        for (descriptor, address) in zip(descriptors, addresses) {
            guard Foundation.listen(descriptor, backlog) == 0 else { throw Self.unusable(address, errno, setting) }
        }
        return descriptors
    }

    /// Closes sockets that do not listen yet, and removes the name of a unix-domain socket.
    func close() {
        bound.withLock { bound in
            for descriptor in bound { Foundation.close(descriptor) }
            bound = []
        }
        taken.withLock { taken in
            if let taken { unixSocket?.remove(taken) }
            taken = nil
        }
    }

    // MARK: Binding

    private struct BoundSocket {
        let descriptor: Int32
        let address: SocketAddress
    }

    private static func bind(_ address: ListenAddress, port: Int, as setting: Setting) throws -> [BoundSocket] {
        let addresses = try address.addresses(port: port)
        if address == .everywhere {
            do {
                return try bind(addresses, isDualStack: true)
            } catch  where error.isOfFamily {
                // For a machine without IPv6.
                return try orExplain(setting) { try bind([SocketAddress(ipAddress: "0.0.0.0", port: port)]) }
            } catch {
                throw unusable(error.address, error.code, setting)
            }
        }
        // A port that the system chooses for the first address may be taken on the second; so this
        // tries several times.
        for _ in 0..<(port == 0 && addresses.count > 1 ? 20 : 0) {
            if let sockets = try? bind(addresses) { return sockets }
        }
        return try orExplain(setting) { try bind(addresses) }
    }

    private static func orExplain(_ setting: Setting, _ bind: () throws -> [BoundSocket]) throws -> [BoundSocket] {
        do {
            return try bind()
        } catch let failure as Failure {
            throw unusable(failure.address, failure.code, setting)
        }
    }

    private struct Failure: Error {
        let address: SocketAddress
        let code: Int32

        /// Whether the machine lacks this address, or the address family.
        var isOfFamily: Bool { [EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT].contains(code) }
    }

    /// Binds all addresses that this machine has; a name may stand for others as well.
    private static func bind(_ addresses: [SocketAddress], isDualStack: Bool = false) throws(Failure) -> [BoundSocket] {
        var sockets: [BoundSocket] = []
        var failure: Failure?
        for var address in addresses {
            // The port that the system chose for the first address.
            if let port = sockets.first?.address.port { address.port = port }
            do {
                sockets.append(try bind(address, isDualStack: isDualStack))
            } catch {
                failure = error
                guard error.isOfFamily else { break }
            }
        }
        if let failure, sockets.isEmpty || !failure.isOfFamily {
            for socket in sockets { Foundation.close(socket.descriptor) }
            throw failure
        }
        return sockets
    }

    private static func bind(_ address: SocketAddress, isDualStack: Bool) throws(Failure) -> BoundSocket {
        let isVersion6 = if case .v6 = address { true } else { false }
        let descriptor = socket(
            isVersion6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(address: address, code: errno) }
        var (on, only): (Int32, Int32) = (1, isDualStack ? 0 : 1)
        let length = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, length)
        if isVersion6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, length) }
        guard address.withSockAddr({ Foundation.bind(descriptor, $0, socklen_t($1)) }) == 0,
            let own = SocketAddress(of: descriptor)
        else {
            let code = errno
            Foundation.close(descriptor)
            throw Failure(address: address, code: code)
        }
        return BoundSocket(descriptor: descriptor, address: own)
    }

    // MARK: Rehearsal

    /// Checks that the addresses can be bound, or are in use by a running server.
    /// - Returns: whether something listens there.
    @discardableResult
    static func rehearse(_ settings: Settings) throws -> Bool {
        do {
            _ = try ListeningSockets(settings)
            return false
        } catch let error as AuthError where error.code == .addressInUse {
            return true
        }
    }

    /// Checks that the metrics address can be bound, or is in use while a server listens on the
    /// server's own address.
    static func rehearseMetrics(_ settings: Settings) throws {
        do {
            let server = (try? settings.listenAddress.addresses(port: settings.port)) ?? []
            _ = try ListeningSockets(metricsOf: settings, beside: server)
        } catch let error as AuthError where error.code == .addressInUse {
            guard try rehearse(settings) else { throw error }
        }
    }

    private static func unusable(_ address: SocketAddress, _ code: Int32, _ setting: Setting) -> AuthError {
        let host = address.ipAddress ?? ""
        let reason =
            switch code {
            case EADDRINUSE: "is in use; stop what listens there or choose another with \(setting.flag)"
            case EACCES: "needs privileges; choose one above 1023 with \(setting.flag)"
            case EADDRNOTAVAIL, EAFNOSUPPORT: "cannot be used: \(host) is not an address of this machine"
            default: "cannot be used: \(String(cString: strerror(code)))"
            }
        return AuthError(
            code == EADDRINUSE ? .addressInUse : .misconfigured, "port \(address.port ?? 0) on \(host) \(reason)")
    }
}

extension AuthError.Code {
    /// Another socket listens there already; never sent to a client.
    static let addressInUse = AuthError.Code(rawValue: "address_in_use")
}

extension SocketAddress {
    /// The address of a socket.
    init?(of descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard status == 0 else { return nil }
        let address: SocketAddress? = withUnsafePointer(to: &storage) { storage in
            switch Int32(storage.pointee.ss_family) {
            case AF_INET: storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_INET6: storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_UNIX: storage.withMemoryRebound(to: sockaddr_un.self, capacity: 1) { SocketAddress($0.pointee) }
            default: nil
            }
        }
        guard let address else { return nil }
        self = address
    }
}
