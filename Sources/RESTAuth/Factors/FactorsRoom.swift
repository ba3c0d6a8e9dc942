import Foundation

/// Factors that follow the password: authenticator apps, recovery codes, trusted devices.
package enum FactorsRoom: Room {
    package static let name = "factors"

    package static let tables = [
        StoredTable(
            "totp_factors",
            [
                Column("id", .text), Column("user_id", .integer), Column("name", .text), Column("sealed", .bytes),
                Column("created_at", .time), Column("confirmed_at", .time, isNullable: true),
                Column("last_step", .integer), Column("last_used_at", .time, isNullable: true),
            ]),
        StoredTable("recovery_keys", [Column("user_id", .integer), Column("sealed", .bytes)]),
        StoredTable(
            "recovery_codes", keyLength: 2,
            [Column("user_id", .integer), Column("digest", .bytes), Column("created_at", .time)]),
        StoredTable(
            "trusted_devices",
            [
                Column("id", .text), Column("user_id", .integer), Column("digest", .bytes),
                Column("password_version", .integer), Column("address", .text, isNullable: true),
                Column("user_agent", .text, isNullable: true), Column("created_at", .time),
                Column("last_used_at", .time), Column("expires_at", .time),
            ]),
        StoredTable("factor_grace", [Column("user_id", .integer), Column("until", .time)]),
    ]

    package static let events: [AuthEvent.Name] = [
        .deviceForgotten, .deviceTrusted, .factorAdded, .factorRemoved, .factorsRemoved, .recoveryCodeUsed,
        .recoveryCodesMade,
    ]

    /// Seconds in which the first code of an app has to come.
    static let confirmationPeriod: TimeInterval = 3600

    package static func sweep(_ auth: Auth) async throws {
        let start = auth.configuration.now().addingTimeInterval(-confirmationPeriod)
        try await inBatches { try await auth.storage.deleteUnconfirmedTOTP(addedBefore: start, limit: $0) }
        try await inBatches {
            try await auth.storage.deleteTrustedDevices(expiredBefore: auth.expiredBefore, limit: $0)
        }
    }
}

extension AuthEvent.Name {
    /// A device needs a second factor again.
    public static let deviceForgotten = Self("device.forgotten", shownToOwner: .yes(details: ["device_id"]))
    /// No second factor is asked for on a device until its trust ends.
    public static let deviceTrusted = Self("device.trusted", shownToOwner: .yes(details: ["device_id"]))
    public static let factorAdded = Self("factor.added", shownToOwner: .yes(details: ["type", "name"]))
    public static let factorRemoved = Self(
        "factor.removed", level: .notice, shownToOwner: .yes(details: ["type", "name"]))
    /// All factors of a user were removed, and the time to add one begins anew.
    public static let factorsRemoved = Self("factors.removed", level: .notice, shownToOwner: .yes())
    public static let recoveryCodeUsed = Self("recovery_code.used", level: .notice, shownToOwner: .yes())
    /// New recovery codes replaced those before.
    public static let recoveryCodesMade = Self("recovery_codes.made", shownToOwner: .yes())
}

extension AuthEvent {
    package static func factorAdded(_ factor: FactorDescription, of user: User.ID) -> Self {
        Self(.factorAdded, user: user, details(of: factor))
    }

    package static func factorRemoved(_ factor: FactorDescription, of user: User.ID) -> Self {
        Self(.factorRemoved, user: user, details(of: factor))
    }

    private static func details(of factor: FactorDescription) -> [String: String?] {
        ["factor_id": factor.id, "type": factor.kind.rawValue, "name": factor.name]
    }

    package static func factorsRemoved(of user: User.ID) -> Self { Self(.factorsRemoved, user: user) }

    package static func recoveryCodesMade(of user: User.ID) -> Self { Self(.recoveryCodesMade, user: user) }

    package static func recoveryCodeUsed(of user: User.ID) -> Self { Self(.recoveryCodeUsed, user: user) }

    package static func deviceTrusted(_ id: TrustedDevice.ID, of user: User.ID) -> Self {
        Self(.deviceTrusted, user: user, ["device_id": id])
    }

    /// - Parameter id: the device; `nil` for all.
    package static func deviceForgotten(_ id: TrustedDevice.ID?, of user: User.ID) -> Self {
        Self(.deviceForgotten, user: user, ["device_id": id])
    }
}
