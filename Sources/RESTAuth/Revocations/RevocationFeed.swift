import Foundation
import Logging
public import ServiceLifecycle

/// Reads the numbered log of revocations over and over, so that what another process refused is
/// refused here within ``AuthConfiguration/revocationBound``.
public struct RevocationFeed: Service {
    let storage: any Storage
    package let revocations: Revocations

    /// However often there is news, the log is not read more often than this: many processes share
    /// a database.
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

    /// A quarter of the bound at most, so that a read may be late or fail without a look into the
    /// database for each request.
    private func pause() async throws {
        try await Task.sleep(for: Self.shortestPause)
        try await storage.news(within: revocations.bound / 4)
    }

    /// Applies every line after `last` and returns the one to go on from.
    ///
    /// The last line is read once more each time. Where it is not what it was, the log may be
    /// another: a backup has been put back, or a replica that had not heard of all has taken over.
    /// Then all of it counts anew, because numbers are given twice. Where the line was only swept,
    /// there is little left to read anew.
    package func read(after last: Revocation?) async throws -> Revocation? {
        var last = last
        while true {
            let lines = try await storage.revocations(after: (last?.number ?? 1) - 1, limit: Self.pageSize)
            if let known = last, lines.first != known {
                revocations.startOver()
                last = nil
                continue
            }
            revocations.apply(lines)
            last = lines.last ?? last
            if lines.count < Self.pageSize { return last }
        }
    }
}
