/// Profiles of users, and the names that they gave up.
package enum ProfilesRoom: Room {
    package static let name = "profiles"

    package static let tables = [
        StoredTable(
            "profiles",
            [
                Column("user_id", .integer), Column("version", .integer), Column("name", .text, isNullable: true),
                Column("email", .text, isNullable: true), Column("email_key", .text, isNullable: true),
                Column("email_verified_at", .time, isNullable: true), Column("locale", .text, isNullable: true),
                Column("zoneinfo", .text, isNullable: true), Column("picture", .text, isNullable: true),
                Column("metadata", .text), Column("app_metadata", .text),
            ]),
        StoredTable(
            "reserved_usernames",
            [Column("canonical_username", .text), Column("user_id", .integer), Column("until", .time)]),
    ]

    package static let events: [AuthEvent.Name] = [.emailVerified, .profileChanged, .usernameChanged]

    package static func sweep(_ auth: Auth) async throws {
        try await inBatches {
            try await auth.storage.deleteUsernameReservations(expiredBefore: auth.expiredBefore, limit: $0)
        }
    }
}

extension AuthEvent.Name {
    /// The address of the profile was found to be the user's.
    public static let emailVerified = Self("email.verified", shownToOwner: .yes())
    /// Fields of a profile were changed; the event has their names, not their values.
    public static let profileChanged = Self("profile.changed", shownToOwner: .yes(details: ["fields"]))
    /// A user got another name; the event has both names.
    public static let usernameChanged = Self(
        "username.changed", level: .notice, shownToOwner: .yes(details: ["username", "earlier_username"]))
}

extension AuthEvent {
    /// - Parameter fields: the names of the changed fields; never their values.
    package static func profileChanged(_ fields: [String], userID: User.ID) -> Self {
        Self(.profileChanged, user: userID, ["fields": fields.isEmpty ? nil : fields.joined(separator: ",")])
    }

    package static func emailVerified(userID: User.ID) -> Self { Self(.emailVerified, user: userID) }

    package static func usernameChanged(from earlier: String, to name: String, userID: User.ID) -> Self {
        Self(.usernameChanged, user: userID, ["username": name, "earlier_username": earlier])
    }
}

extension AuthError {
    /// Thrown by backends, as the storage decides.
    package static let emailTaken = AuthError(
        .emailTaken, "another user has shown that this address is theirs", field: "email")
    /// Thrown by backends, as the storage decides.
    package static let nameReserved = AuthError(
        .nameReserved, "another user gave this name up lately, and it is kept for that user: choose another",
        field: "username")
    /// Thrown by backends, as the storage decides.
    package static let nameTaken = AuthError(.userAlreadyExists, "existing user", field: "username")
}
