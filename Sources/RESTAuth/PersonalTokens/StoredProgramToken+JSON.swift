package import Foundation

extension StoredProgramToken {
    /// The token as an object, of which nothing is secret.
    package func json(at now: Date) -> JSON { .object(members(at: now)) }

    package func members(at now: Date) -> [JSON.Member] {
        let scopes = scopes.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return [
            ("id", .string(id.description)), ("name", .string(name)), ("scopes", .array(scopes.map(JSON.string))),
            ("last_four", .string(lastFour)), ("created_at", .string(createdAt.ISO8601Format())),
            ("expires_at", expiresAt.map { .string($0.ISO8601Format()) } ?? .null),
            ("last_used_at", lastUsedAt.map { .string($0.ISO8601Format()) } ?? .null),
            ("expired", .bool(isExpired(at: now))),
        ].map(JSON.Member.init)
    }
}
