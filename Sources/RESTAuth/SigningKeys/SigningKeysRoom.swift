import Foundation
package import ServiceLifecycle

/// The keys that sign tokens, each sealed.
package enum SigningKeysRoom: Room {
    package static let name = "signing keys"

    package static let tables = [
        StoredTable(
            "signing_keys", firstRows: .any,
            [
                Column("id", .text), Column("algorithm", .text), Column("sealed", .bytes), Column("created_at", .time),
                Column("signs_from", .time), Column("follows", .text),
            ])
    ]

    package static let events: [AuthEvent.Name] = [.signingKeyHastened, .signingKeyMade, .signingKeyRevoked]

    package static func services(of auth: Auth) -> [any Service] {
        [KeyRotation(keys: auth.signingKeys)]
    }

    /// Seconds that a key outlives its last token's beginning: the longest life of one, and an hour
    /// for clocks.
    private static let retention = TimeInterval(AuthConfiguration.maximumTokenDuration + 3600)

    package static func sweep(_ auth: Auth) async throws {
        try await auth.storage.deleteSigningKeys(
            replacedBefore: auth.configuration.now().addingTimeInterval(-retention))
    }
}

extension AuthEvent.Name {
    /// The next key signs earlier than it would have.
    public static let signingKeyHastened = Self("signing_key.hastened")
    public static let signingKeyMade = Self("signing_key.made")
    /// A key was taken away before its time, and all its tokens with it.
    public static let signingKeyRevoked = Self("signing_key.revoked", level: .notice)
}
