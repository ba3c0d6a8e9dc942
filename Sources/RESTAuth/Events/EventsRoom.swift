/// The recorded events, as long as they are kept.
package enum EventsRoom: Room {
    package static let name = "events"

    package static let tables = [
        StoredTable(
            "audit_events", firstRows: .having("name", AuthEvent.Name.signingKeyMade.rawValue),
            rowsOfUpgrades: ("name", AuthEvent.Name.schemaApplied.rawValue),
            [
                Column("id", .integer), Column("at", .time), Column("name", .text),
                Column("user_id", .integer, isNullable: true), Column("session_id", .uuid, isNullable: true),
                Column("actor_kind", .text), Column("actor_id", .text, isNullable: true),
                Column("request_id", .text, isNullable: true), Column("address", .text, isNullable: true),
                Column("user_agent", .text, isNullable: true), Column("details", .text),
                Column("number", .integer, isNullable: true), Column("seal", .bytes, isNullable: true),
            ])
    ]
}
