import Foundation
package import ServiceLifecycle

/// The keys that sign tokens, each encrypted.
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

    /// Seconds that a key is kept after its successor began to sign: the longest life of a token,
    /// and an hour for differences between clocks.
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
    /// A key was deleted before its time, which refuses all its tokens.
    public static let signingKeyRevoked = Self("signing_key.revoked", level: .notice)
}
