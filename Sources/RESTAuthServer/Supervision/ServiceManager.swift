import Foundation

/// Messages to the service manager that started this process: the protocol of `sd_notify(3)`,
/// datagrams to the socket that `NOTIFY_SOCKET` names.
///
/// Without the variable, messages are dropped.
package struct ServiceManager: Sendable {
    private let address: [UInt8]?
    /// The interval for reports to the watchdog, half of its timeout; `nil` without a watchdog.
    package let watchdogInterval: Duration?

    package init(environment: [String: String]) {
        address = environment["NOTIFY_SOCKET"].flatMap { name in
            var bytes = Array(name.utf8)
            // The name of an abstract socket begins with a NUL, which an environment variable
            // cannot contain.
            if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 } else if bytes.first != UInt8(ascii: "/") { return nil }
            return bytes.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) ? bytes : nil
        }
        let isMeant = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        watchdogInterval =
            isMeant
            ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.flatMap { $0 > 0 ? .microseconds($0 / 2) : nil } : nil
    }

    /// Whether there is a service manager.
    package var isThere: Bool { address != nil }

    // MARK: Messages

    func ready(_ status: String) { send("READY=1", "STATUS=\(status)") }

    func stopping() { send("STOPPING=1", "STATUS=finishing what is in flight") }

    /// Reports a reload, which ends with ``ready(_:)``.
    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1", "MONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    func isAlive() { send("WATCHDOG=1") }

    /// Extends the time for the start, and gives the reason.
    /// - Parameter seconds: the time until the next report.
    func starting(_ status: String, for seconds: Int) {
        send("STATUS=\(status)", "EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)")
    }

    /// Sends a message. One that cannot be delivered is dropped: the server goes on while the
    /// service manager restarts.
    private func send(_ lines: String...) {
        guard let address else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // A service manager that does not read must not keep the server from stopping. The value is
        // one second and no microseconds.
        let patience = [1, 0]
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, patience, socklen_t(MemoryLayout<Int>.stride * 2))
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address) }
        // The length is part of an abstract name.
        let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2) + socklen_t(address.count)
        let text = Array(lines.map { $0.replacing("\n", with: " ") }.joined(separator: "\n").utf8)
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                while sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, length) < 0, errno == EINTR {}
            }
        }
    }
}
