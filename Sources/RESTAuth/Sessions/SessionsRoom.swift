/// Sessions and their refresh tokens.
package enum SessionsRoom: Room {
    package static let name = "sessions"

    package static let tables = [
        StoredTable(
            "sessions",
            [
                Column("id", .uuid), Column("user_id", .integer), Column("created_at", .time),
                Column("last_used_at", .time),
                Column("expires_at", .time), Column("address", .text, isNullable: true),
                Column("user_agent", .text, isNullable: true),
                Column("generation", .integer), Column("refresh_digest", .bytes, isNullable: true),
                Column("previous_digest", .bytes, isNullable: true), Column("sibling_digests", .bytes),
                Column("successor_given_at", .time, isNullable: true), Column("repeats", .integer),
                Column("tokens_expire_at", .time), Column("authenticated_at", .time, isNullable: true),
                Column("amr", .text, isNullable: true),
                Column("client_id", .text, isNullable: true), Column("scope", .text, isNullable: true),
            ])
    ]

    package static let events: [AuthEvent.Name] = [
        .refreshTokenExhausted, .refreshTokenRepeated, .refreshTokenReused, .sessionEnded, .sessionRaised,
        .sessionStarted, .sessionThrottled,
    ]

    package static func sweep(_ auth: Auth) async throws {
        try await inBatches { try await auth.storage.deleteSessions(expiredBefore: auth.expiredBefore, limit: $0) }
    }
}

extension AuthEvent.Name {
    /// A refresh token was refused because it had been presented again too often.
    public static let refreshTokenExhausted = Self("refresh_token.exhausted", level: .warning, isDurable: false)
    /// A refresh token was presented again before a successor of it was used: an answer was lost,
    /// two asked at the same time, or someone has a copy. The first repetition of a token is stored
    /// as a row; further ones are only logged and counted.
    public static let refreshTokenRepeated = Self("refresh_token.repeated", level: .notice, shownToOwner: .yes())
    /// A refresh token was presented although its successor, or another token in its place, had
    /// been used: one of them was stolen.
    public static let refreshTokenReused = Self("refresh_token.reused", level: .warning, shownToOwner: .yes())
    /// A session was ended before its expiry.
    public static let sessionEnded = Self("session.ended", shownToOwner: .yes(details: ["cause"]))
    /// The user of a live session has given a factor, or the password, once more.
    public static let sessionRaised = Self("session.raised", shownToOwner: .yes(details: ["amr"]))
    public static let sessionStarted = Self("session.started", shownToOwner: .yes(details: ["amr"]))
    /// A correct password started no session, because the user, or the users of that network, have
    /// started too many.
    public static let sessionThrottled = Self("session.throttled", level: .notice, isDurable: false)
}
