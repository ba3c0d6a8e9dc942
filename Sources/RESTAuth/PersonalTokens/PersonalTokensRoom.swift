import Foundation
package import ServiceLifecycle

/// Tokens for programs, of users and of service accounts.
package enum PersonalTokensRoom: Room {
    package static let name = "personal tokens"

    package static let tables = [
        StoredTable(
            "program_tokens",
            [
                Column("id", .uuid), Column("user_id", .integer, isNullable: true),
                Column("service_id", .text, isNullable: true), Column("name", .text), Column("scopes", .text),
                Column("digest", .bytes), Column("last_four", .text), Column("created_at", .time),
                Column("rotated_at", .time, isNullable: true), Column("lifetime", .integer, isNullable: true),
                Column("expires_at", .time, isNullable: true),
                Column("last_used_at", .time, isNullable: true),
            ])
    ]

    package static let events: [AuthEvent.Name] = [.tokenCreated, .tokenDeleted, .tokenRotated]

    package static func services(of auth: Auth) -> [any Service] { [auth.programTokens.uses] }

    package static func sweep(_ auth: Auth) async throws {
        let date = auth.expiredBefore.addingTimeInterval(-ProgramToken.listedAfterExpiry)
        try await inBatches { try await auth.storage.deleteProgramTokens(expiredBefore: date, limit: $0) }
    }
}

extension AuthEvent.Name {
    /// A token for a program was made.
    public static let tokenCreated = Self(
        "token.created", shownToOwner: .yes(details: ["token_id", "name", "scopes"]))
    /// A token for a program was deleted, and is refused from now on.
    public static let tokenDeleted = Self("token.deleted", shownToOwner: .yes(details: ["token_id", "name"]))
    /// A token for a program was made in the place of another.
    public static let tokenRotated = Self(
        "token.rotated", shownToOwner: .yes(details: ["token_id", "earlier_token_id", "name"]))
}

extension AuthEvent {
    package static func tokenCreated(_ token: StoredProgramToken) -> Self {
        Self(
            .tokenCreated, user: token.holder.user,
            details(of: token).merging(["scopes": token.scopeText]) { $1 })
    }

    package static func tokenDeleted(_ token: StoredProgramToken) -> Self {
        Self(.tokenDeleted, user: token.holder.user, details(of: token))
    }

    /// - Parameter id: the new token.
    package static func tokenRotated(_ token: StoredProgramToken, to id: ProgramToken.ID) -> Self {
        Self(
            .tokenRotated, user: token.holder.user,
            details(of: token).merging([
                "token_id": id.description, "earlier_token_id": token.id.description,
            ]) { $1 })
    }

    private static func details(of token: StoredProgramToken) -> [String: String?] {
        ["token_id": token.id.description, "name": token.name, "service_id": token.holder.service]
    }
}

extension ProgramToken.Holder {
    /// The user; `nil` for a service account.
    package var user: User.ID? { if case .user(let id) = self { id } else { nil } }
    /// The service account; `nil` for a user.
    package var service: ServiceAccount.ID? { if case .service(let id) = self { id } else { nil } }
}
