/// Passkeys, which sign in by themselves or follow a password.
package enum PasskeysRoom: Room {
    package static let name = "passkeys"

    package static let tables = [
        StoredTable("relying_party", [Column("is_only", .boolean), Column("rp_id", .text)]),
        StoredTable("user_handles", [Column("user_id", .integer), Column("handle", .bytes)]),
        StoredTable(
            "passkeys",
            [
                Column("id", .text), Column("user_id", .integer), Column("credential_id", .bytes),
                Column("public_key", .bytes), Column("sign_count", .integer), Column("backup_eligible", .boolean),
                Column("backed_up", .boolean), Column("user_verified", .boolean), Column("aaguid", .bytes),
                Column("transports", .text), Column("discoverable", .boolean, isNullable: true),
                Column("name", .text), Column("created_at", .time),
                Column("last_used_at", .time, isNullable: true),
            ]),
    ]

    package static let events: [AuthEvent.Name] = [
        .passkeyAdded, .passkeyCounterWentBack, .passkeyDeleted, .passkeyRenamed,
    ]
}

extension AuthEvent.Name {
    public static let passkeyAdded = Self("passkey.added", shownToOwner: .yes(details: ["passkey_id", "name"]))
    /// The signature counter of a passkey was not greater than at its last use: there may be a copy
    /// of it.
    public static let passkeyCounterWentBack = Self(
        "passkey.counter_went_back", level: .warning, shownToOwner: .yes(details: ["passkey_id", "name"]))
    public static let passkeyDeleted = Self(
        "passkey.deleted", level: .notice, shownToOwner: .yes(details: ["passkey_id", "name"]))
    public static let passkeyRenamed = Self("passkey.renamed", shownToOwner: .yes(details: ["passkey_id", "name"]))
}

extension AuthEvent {
    package static func passkeyAdded(_ passkey: Passkey) -> Self {
        Self(.passkeyAdded, user: passkey.userID, details(of: passkey))
    }

    package static func passkeyDeleted(_ passkey: Passkey) -> Self {
        Self(.passkeyDeleted, user: passkey.userID, details(of: passkey))
    }

    /// - Parameter name: the new name.
    package static func passkeyRenamed(_ passkey: Passkey, to name: String) -> Self {
        Self(
            .passkeyRenamed, user: passkey.userID,
            ["passkey_id": passkey.id, "name": name, "earlier_name": passkey.name])
    }

    package static func passkeyCounterWentBack(_ passkey: Passkey, from: UInt32, to: UInt32) -> Self {
        Self(
            .passkeyCounterWentBack, user: passkey.userID,
            details(of: passkey).merging(["from": String(from), "to": String(to)]) { $1 })
    }

    private static func details(of passkey: Passkey) -> [String: String?] {
        ["passkey_id": passkey.id, "name": passkey.name]
    }
}
