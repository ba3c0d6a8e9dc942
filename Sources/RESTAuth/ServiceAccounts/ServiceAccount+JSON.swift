import Foundation

extension ServiceAccount {
    /// The account as an object, of which nothing is secret.
    package var json: JSON {
        [
            "id": .string(id), "note": note.map(JSON.string) ?? .null,
            "owner_id": ownerID.map { .integer(Int($0)) } ?? .null, "created_at": .string(createdAt.ISO8601Format()),
        ]
    }
}
