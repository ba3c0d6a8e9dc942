import Foundation
import Synchronization

public enum FreePort {
    /// Ports below those that the system gives to clients, so that no client takes one before the
    /// server listens.
    private static let range = 10_000..<32_000
    private static let last = Atomic(Int.random(in: range))

    /// A port that nothing listens on; each is given once.
    public static func next() throws -> Int {
        for _ in range {
            let number = last.add(1, ordering: .relaxed).newValue
            let port = range.lowerBound + (number &* 7) % range.count
            if isFree(port) { return port }
        }
        throw POSIXError(.EADDRINUSE)
    }

    /// Binds without listening: a socket that listens, even for a moment, would accept connections
    /// of other processes.
    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in.loopback(port: UInt16(port))
        return address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0
    }
}
