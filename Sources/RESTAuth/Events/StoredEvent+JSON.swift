extension StoredEvent {
    /// The row as an object, as exports and the operator's API show it.
    package var json: JSON {
        let actor = fields.actor
        func text(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }
        return [
            "id": .integer(Int(id)), "number": number.map { .integer(Int($0)) } ?? .null,
            "at": .string(Timestamp.text(fields.at)), "name": .string(fields.name),
            "user_id": fields.userID.map { .integer(Int($0)) } ?? .null,
            "session_id": text(fields.sessionID?.description),
            "actor": ["kind": .string(actor.kind), "id": text(actor.id)],
            "request_id": text(fields.requestID), "address": text(fields.address),
            "user_agent": text(fields.userAgent), "details": JSON(fields.details.utf8) ?? .string(fields.details),
            "seal": text(seal?.hexadecimal),
        ]
    }
}
