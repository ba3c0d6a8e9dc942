/// Invitations, and the challenges that were solved.
package enum RegistrationRoom: Room {
    package static let name = "registration"

    package static let tables = [
        StoredTable(
            "invitations",
            [
                Column("id", .text), Column("code_digest", .bytes), Column("note", .text), Column("created_at", .time),
                Column("expires_at", .time),
            ]),
        StoredTable("spent_challenges", [Column("digest", .bytes), Column("expires_at", .time)]),
    ]

    package static let events: [AuthEvent.Name] = [
        .invitationCreated, .invitationDeleted, .invitationUsed, .registrationRefused, .registrationThrottled,
    ]

    package static func sweep(_ auth: Auth) async throws {
        try await inBatches { try await auth.storage.deleteInvitations(expiredBefore: auth.expiredBefore, limit: $0) }
        try await inBatches {
            try await auth.storage.deleteSpentChallenges(expiredBefore: auth.expiredBefore, limit: $0)
        }
    }
}

extension AuthEvent.Name {
    public static let invitationCreated = Self("invitation.created")
    /// An operator deleted the invitation.
    public static let invitationDeleted = Self("invitation.deleted")
    public static let invitationUsed = Self("invitation.used", isDurable: false)
    /// A registration was refused because an invitation or a solved challenge was missing or
    /// invalid, or because nobody may register.
    public static let registrationRefused = Self("registration.refused", level: .notice, isDurable: false)
    public static let registrationThrottled = Self("registration.throttled", level: .notice, isDurable: false)
}
