import Foundation
public import ServiceLifecycle

/// Deletes what has expired, by the sweep of each room, every minute.
public struct ExpirySweeper: Service {
    let auth: Auth

    init(_ auth: Auth) { self.auth = auth }

    /// Runs until graceful shutdown.
    public func run() async throws {
        try await every(.seconds(60), "what has expired could not be deleted") { try await sweep() }
    }

    /// - Throws: what the first room threw that could not; the others have swept all the same.
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
    /// Up to when what has an end of its own must have ended to be deleted: a clock that is a
    /// little behind must still find the session of a token that is live by it, and the challenge
    /// that was spent.
    var expiredBefore: Date { configuration.now().addingTimeInterval(-TimeInterval(AccessTokenClaims.clockSlack)) }
}

extension Room {
    /// Deletes at most so many rows at a time, until there are no more.
    static func inBatches(_ delete: (_ limit: Int) async throws -> Int) async throws {
        let limit = 1000
        while try await delete(limit) == limit {}
    }
}
