package import ServiceLifecycle

/// The revocation log.
package enum RevocationsRoom: Room {
    package static let name = "revocations"

    package static let tables = [
        StoredTable(
            "revocations",
            [
                Column("number", .integer), Column("user_id", .integer, isNullable: true),
                Column("session_id", .uuid, isNullable: true),
                Column("role", .text, isNullable: true), Column("is_refused", .boolean), Column("at", .time),
                Column("expires_at", .time),
            ])
    ]

    package static func services(of auth: Auth) -> [any Service] {
        [RevocationFeed(storage: auth.storage, revocations: auth.accessTokens.verifier.revocations)]
    }

    package static func sweep(_ auth: Auth) async throws {
        auth.accessTokens.verifier.forgetRevocations()
        try await inBatches {
            try await auth.storage.deleteRevocations(expiredBefore: auth.configuration.now(), limit: $0)
        }
    }
}
