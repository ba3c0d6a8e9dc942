import Foundation
import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Wakes a thread that waits for a socket.
final class WakeUpCall: Sendable {
    private let (reading, writing): (Int32, Int32)

    /// - Throws: `misconfigured` when the process may open no more files.
    init() throws(AuthError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw AuthError(
                .misconfigured,
                """
                no pipe can be made for a connection to the database: \(SystemError().reason); let the process have \
                more files open (ulimit -n)
                """)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) | fcntl(end, F_SETFL, O_NONBLOCK) }
        (reading, writing) = (ends[0], ends[1])
    }

    static func several(_ count: Int) throws(AuthError) -> [WakeUpCall] {
        var calls: [WakeUpCall] = []
        for _ in 0..<count { calls.append(try WakeUpCall()) }
        return calls
    }

    deinit {
        close(reading)
        close(writing)
    }

    func ring() {
        _ = write(writing, [1], 1)
    }

    /// Waits until the call rings, the socket is ready, or the time is over.
    /// - Returns: whether anything happened before the time was over.
    @discardableResult
    func wait(_ duration: Duration, for socket: Int32 = -1, toWrite: Bool = false) -> Bool {
        var files = [
            pollfd(fd: reading, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(toWrite ? POLLIN | POLLOUT : POLLIN), revents: 0),
        ]
        let milliseconds =
            duration.components.seconds * 1000 + (duration.components.attoseconds + 999_999_999_999_999)
            / 1_000_000_000_000_000
        let count = poll(&files, 2, Int32(clamping: milliseconds))
        if files[0].revents != 0 {
            var rings = [UInt8](repeating: 0, count: 64)
            _ = read(reading, &rings, rings.count)
        }
        return count > 0
    }
}
