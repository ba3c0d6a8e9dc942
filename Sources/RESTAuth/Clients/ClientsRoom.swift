/// Clients: other services that ask about tokens.
package enum ClientsRoom: Room {
    package static let name = "clients"

    package static let tables = [
        StoredTable("clients", [Column("id", .text), Column("secret_digest", .bytes), Column("created_at", .time)])
    ]

    package static let events: [AuthEvent.Name] = [.clientAdded, .clientRefused, .clientDeleted]
}

extension AuthEvent.Name {
    public static let clientAdded = Self("client.added")
    /// The id or secret of a client was wrong.
    public static let clientRefused = Self("client.refused", level: .notice, isDurable: false)
    public static let clientDeleted = Self("client.deleted")
}
