/// Import of users from other systems, and the ids reserved for them.
package enum ImportRoom: Room {
    package static let name = "import"

    package static let tables = [
        StoredTable("reserved_user_ids", [Column("id", .integer)])
    ]

    package static let events: [AuthEvent.Name] = [.usersExported, .usersImported]
}

extension AuthEvent.Name {
    public static let usersExported = Self("users.exported")
    public static let usersImported = Self("users.imported")
}
