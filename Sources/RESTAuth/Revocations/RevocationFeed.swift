import Foundation
import Logging
public import ServiceLifecycle

/// A service that follows the revocation log, so that what another process refused is refused here
/// within ``AuthConfiguration/revocationBound``.
public struct RevocationFeed: Service {
    let storage: any Storage
    package let revocations: Revocations

    /// The shortest time between two reads of the log, because many processes share a database.
    private static let shortestPause: Duration = .milliseconds(20)
    private static let pageSize = 1000

    /// Runs until graceful shutdown.
    public func run() async throws {
        var last: Revocation?
        try await repeatedly("revocations could not be read", pause: pause) {
            let start = ContinuousClock.now
            last = try await read(after: last)
            revocations.confirm(at: start)
        }
    }

    /// Waits for at most a quarter of the bound, so that one read may be late or fail before
    /// requests have to ask the database.
    private func pause() async throws {
        try await Task.sleep(for: Self.shortestPause)
        try await storage.news(within: revocations.bound / 4)
    }

    /// Applies every entry after `last`, and returns the last one.
    ///
    /// The last entry is read again each time. If it has changed, the log may be another one,
    /// restored from a backup or of a replica that was behind, in which numbers are used again;
    /// then the whole log is read anew. If it was only deleted because it expired, that costs
    /// little.
    package func read(after last: Revocation?) async throws -> Revocation? {
        var last = last
        while true {
            let entries = try await storage.revocations(after: (last?.number ?? 1) - 1, limit: Self.pageSize)
            if let known = last, entries.first != known {
                revocations.startOver()
                last = nil
                continue
            }
            revocations.apply(entries)
            last = entries.last ?? last
            if entries.count < Self.pageSize { return last }
        }
    }
}
