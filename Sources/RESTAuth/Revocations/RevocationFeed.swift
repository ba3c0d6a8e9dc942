import Foundation
import Logging
public import ServiceLifecycle

/// Reads the numbered log of revocations over and over, so that what another process refused is refused here within
/// ``AuthConfiguration/revocationBound``.
public struct RevocationFeed: Service {
    let storage: any Storage
    let revocations: Revocations

    /// However often there is news, the log is not read more often than this.
    private static let shortestPause: Duration = .milliseconds(5)
    private static let pageSize = 1000

    /// Runs until graceful shutdown.
    public func run() async throws {
        var last: Int64 = 0
        try await repeatedly("revocations could not be read", pause: pause) {
            let start = ContinuousClock.now
            last = try await read(after: last)
            revocations.confirm(at: start)
        }
    }

    /// A quarter of the bound at most, so that a read may be late or fail without a look into the database for each request.
    private func pause() async throws {
        try await Task.sleep(for: Self.shortestPause)
        try await storage.news(within: revocations.bound / 4)
    }

    /// Applies every line after `number` and returns the last one's number.
    func read(after number: Int64) async throws -> Int64 {
        var last = number
        while true {
            let lines = try await storage.revocations(after: last, limit: Self.pageSize)
            revocations.apply(lines)
            last = lines.last?.number ?? last
            if lines.count < Self.pageSize { return last }
        }
    }
}
