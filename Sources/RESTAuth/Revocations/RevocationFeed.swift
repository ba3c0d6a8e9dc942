import Foundation
import Logging
public import ServiceLifecycle

/// Reads the numbered log of revocations over and over, so that what another process refused is refused here within
/// ``Revocations/bound``.
public struct RevocationFeed: Service {
    let storage: any Storage
    let revocations: Revocations

    /// A quarter of the bound, so that a read may be late or fail without a look into the database for each request.
    static let interval: Duration = .milliseconds(250)
    private static let pageSize = 1000

    /// Runs until graceful shutdown.
    public func run() async throws {
        var last: Int64 = 0
        try await every(Self.interval, "revocations could not be read") {
            let start = ContinuousClock.now
            last = try await read(after: last)
            revocations.confirm(at: start)
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
}
