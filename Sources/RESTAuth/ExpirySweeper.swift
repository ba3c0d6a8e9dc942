import Foundation
public import ServiceLifecycle

/// Deletes expired rows every minute, by the sweep of each room.
public struct ExpirySweeper: Service {
    let auth: Auth

    init(_ auth: Auth) { self.auth = auth }

    /// Runs until graceful shutdown.
    public func run() async throws {
        try await every(.seconds(60), "what has expired could not be deleted") { try await sweep() }
    }

    /// Runs the sweep of every room.
    /// - Throws: the error of the first room that failed; the other rooms are swept nevertheless.
    package func sweep() async throws {
        var failures: [any Error] = []
        for room in Rooms.all {
            do {
                try await room.sweep(auth)
            } catch {
                failures.append(error)
            }
        }
        if let failure = failures.first { throw failure }
    }
}

extension Auth {
    /// The time before which a row must have expired to be deleted: now, less the clock slack. A
    /// clock that is a little behind must still find the session of a token that is live by it, and
    /// the challenge that was spent.
    var expiredBefore: Date { configuration.now().addingTimeInterval(-TimeInterval(AccessTokenClaims.clockSlack)) }
}

extension Room {
    /// Deletes at most 1000 rows at a time, until there are no more.
    static func inBatches(_ delete: (_ limit: Int) async throws -> Int) async throws {
        let limit = 1000
        while try await delete(limit) == limit {}
    }
}
