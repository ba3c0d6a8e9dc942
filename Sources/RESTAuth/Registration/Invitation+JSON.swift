import Foundation

extension Invitation {
    /// The invitation as an object, without its code.
    package var json: JSON {
        [
            "id": .string(id), "note": .string(note), "created_at": .string(createdAt.ISO8601Format()),
            "expires_at": .string(expiresAt.ISO8601Format()),
        ]
    }
}
