/// Users and their roles.
package enum UsersRoom: Room {
    package static let name = "users"

    package static let tables = [
        StoredTable(
            "users",
            [
                Column("id", .integer), Column("username", .text), Column("canonical_username", .text),
                Column("password_hash", .text, isNullable: true),
                Column("password_version", .integer), Column("created_at", .time), Column("password_changed_at", .time),
                Column("disabled_at", .time, isNullable: true), Column("legacy_id", .integer, isNullable: true),
            ]),
        StoredTable("user_roles", keyLength: 2, [Column("user_id", .integer), Column("role", .text)]),
    ]

    package static let events: [AuthEvent.Name] = [
        .roleGranted, .roleRevoked, .userDeleted, .userDisabled, .userEnabled, .userRegistered,
    ]
}

extension AuthEvent.Name {
    public static let roleGranted = Self("role.granted", shownToOwner: .yes(details: ["role"]))
    public static let roleRevoked = Self("role.revoked", shownToOwner: .yes(details: ["role"]))
    public static let userDeleted = Self("user.deleted")
    public static let userDisabled = Self("user.disabled", shownToOwner: .yes())
    public static let userEnabled = Self("user.enabled", shownToOwner: .yes())
    public static let userRegistered = Self("user.registered", logName: "registered", shownToOwner: .yes())
}
