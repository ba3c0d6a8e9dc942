import Foundation
package import ServiceLifecycle

/// Counted failures, and the networks from which users are known.
package enum ThrottleRoom: Room {
    package static let name = "throttle"

    package static let tables = [
        StoredTable(
            "throttles", keyLength: 4,
            [
                Column("kind", .text), Column("username", .text), Column("network", .text), Column("user_id", .integer),
                Column("failures", .integer), Column("failed_at", .time),
                Column("forgiven_at", .time),
                Column("forgotten_at", .time), Column("others", .bytes), Column("version", .integer),
            ]),
        StoredTable(
            "known_origins", keyLength: 2,
            [Column("user_id", .integer), Column("network", .text), Column("seen_at", .time)]),
    ]

    package static let events: [AuthEvent.Name] = [.networkRemembered, .throttleCleared, .throttleReached]

    package static func services(of auth: Auth) -> [any Service] {
        [auth.throttle.budget, auth.throttle.uncounted]
    }

    /// Seconds for which the network of a sign-in is remembered: 90 days.
    private static let originRetention: TimeInterval = 90 * 86400

    package static func sweep(_ auth: Auth) async throws {
        let now = auth.configuration.now()
        try await inBatches { try await auth.storage.deleteThrottles(forgottenBefore: now, limit: $0) }
        let unseen = now.addingTimeInterval(-originRetention)
        try await inBatches { try await auth.storage.deleteKnownOrigins(seenBefore: unseen, limit: $0) }
    }
}

extension AuthEvent.Name {
    /// A user signed in with the password from a network that was new to the user.
    public static let networkRemembered = Self("network.remembered", shownToOwner: .yes(details: ["network"]))
    /// The count of wrong passwords was cleared.
    public static let throttleCleared = Self("throttle.cleared", shownToOwner: .yes())
    /// An account or network has reached the number of wrong passwords after which the next one has
    /// to wait.
    public static let throttleReached = Self("throttle.reached", shownToOwner: .yes(hasOrigin: false))
}
