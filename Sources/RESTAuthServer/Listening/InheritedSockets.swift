import Foundation
import NIOCore
import RESTAuth
import RESTAuthHummingbird

/// Sockets that the service manager opened and passed on, as `sd_listen_fds(3)` describes: from
/// descriptor 3 on, `LISTEN_FDS` of them, for the process `LISTEN_PID`. Their names
/// (`LISTEN_FDNAMES`) are ignored.
package struct InheritedSockets: Sendable {
    let descriptors: [Int32]
    let addresses: [SocketAddress]

    private static let first: Int32 = 3

    /// `nil` where there are none for this process.
    /// - Throws: `misconfigured` for a descriptor that is not a listening stream socket; the unit
    ///   has to be changed.
    package init?(environment: [String: String]) throws {
        guard let process = environment["LISTEN_PID"], Int32(process) == getpid(),
            let text = environment["LISTEN_FDS"], let count = Int32(text), count > 0
        else { return nil }
        guard count <= 64 else { throw AuthError(.misconfigured, "LISTEN_FDS is \(count): at most 64 are taken") }
        descriptors = Array(Self.first..<Self.first + count)
        addresses = try descriptors.map { descriptor in
            guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
                throw Self.unusable(descriptor, String(cString: strerror(errno)))
            }
            guard Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
                Self.option(SO_ACCEPTCONN, of: descriptor) == 1
            else {
                throw Self.unusable(
                    descriptor, "is no stream socket that listens: ListenStream= makes one, and Accept=no")
            }
            guard let address = SocketAddress(of: descriptor) else {
                throw Self.unusable(descriptor, "is of a family that is not served")
            }
            guard !address.isUnixSocket || address.pathname?.isEmpty == false else {
                throw Self.unusable(
                    descriptor,
                    "is abstract, has no owner and no mode, so that anybody may use it: ListenStream= a path")
            }
            return address
        }
    }

    /// The reason why the sockets passed on are not for this process, in words; `nil` where there
    /// are none, or they are for this process.
    static func obstacle(environment: [String: String]) -> String? {
        guard let count = environment["LISTEN_FDS"] else { return nil }
        guard let number = Int32(count), number >= 0 else {
            return "LISTEN_FDS is no number, so no socket is taken from the service manager"
        }
        guard number > 0, environment["LISTEN_PID"].flatMap({ Int32($0) }) != getpid() else { return nil }
        return
            """
            LISTEN_FDS has sockets for another process (LISTEN_PID), so that they are not served: ExecStart= has to \
            start rest-auth itself, or a shell there to end with exec rest-auth
            """
    }

    /// Removes the variables, so that no child process takes the sockets for its own.
    static func forget() {
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    private static func unusable(_ descriptor: Int32, _ reason: String) -> AuthError {
        AuthError(.misconfigured, "the socket that the service manager passed on as \(descriptor) \(reason)")
    }
}
