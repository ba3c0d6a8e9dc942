/// Service accounts, for programs that act for themselves. Their tokens are stored with those of
/// users.
package enum ServiceAccountsRoom: Room {
    package static let name = "service accounts"

    package static let tables = [
        StoredTable(
            "service_accounts",
            [
                Column("id", .text), Column("owner_id", .integer, isNullable: true),
                Column("note", .text, isNullable: true), Column("created_at", .time),
            ])
    ]

    package static let events: [AuthEvent.Name] = [.serviceAccountAdded, .serviceAccountDeleted]
}

extension AuthEvent.Name {
    /// A service account was added.
    public static let serviceAccountAdded = Self("service_account.added")
    /// A service account was deleted with all its tokens.
    public static let serviceAccountDeleted = Self("service_account.deleted")
}

extension AuthEvent {
    static func serviceAccountAdded(id: ServiceAccount.ID) -> Self { Self(.serviceAccountAdded, ["service_id": id]) }

    static func serviceAccountDeleted(id: ServiceAccount.ID) -> Self {
        Self(.serviceAccountDeleted, ["service_id": id])
    }
}
