import Foundation
import Logging
public import ServiceLifecycle

/// Reads the numbered log of revocations over and over, so that what another process refused is refused here within
/// ``Revocations/bound``; now and then deletes what has expired.
public struct RevocationFeed: Service {
    let storage: any Storage
    let revocations: Revocations
    /// How long a line matters: the longest life of a token.
    let retention: TimeInterval
    let now: @Sendable () -> Date

    /// A quarter of the bound, so that a read may be late or fail without a look into the database for each request.
    static let interval: Duration = .milliseconds(250)
    private static let pageSize = 1000

    /// Runs until graceful shutdown.
    public func run() async throws {
        var last: Int64 = 0
        var nextSweep = ContinuousClock.now
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            do {
                let start = ContinuousClock.now
                last = try await read(after: last)
                revocations.confirm(at: start)
                if start >= nextSweep {
                    try await sweep()
                    nextSweep = start + .seconds(60)
                }
            } catch {
                // Nothing to undo: the set stops being believed by itself, and requests ask the database.
                Logger.current.warning("revocations could not be read", metadata: ["error": "\(error)"])
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
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

    private func sweep() async throws {
        let limit = now().addingTimeInterval(-retention)
        revocations.forget(before: limit)
        while try await storage.deleteRevocations(before: limit, limit: Self.pageSize) == Self.pageSize {}
    }
}
