extension AuthEvent {
    /// The closed list of what can happen: a noun, a dot, and a verb in the past.
    public enum Name: String, Sendable, CaseIterable {
        /// The database was copied into a file.
        case backupMade = "backup.made"
        /// A backup took the place of the database.
        case backupRestored = "backup.restored"
        case clientAdded = "client.added"
        /// A caller's client credential was refused.
        case clientRefused = "client.refused"
        case clientRemoved = "client.removed"
        /// Everything came here from another database.
        case databaseMigrated = "database.migrated"
        case hashingOverloaded = "hashing.overloaded"
        case invitationCreated = "invitation.created"
        /// An operator took it back.
        case invitationDeleted = "invitation.deleted"
        case invitationUsed = "invitation.used"
        case loginFailed = "login.failed"
        /// Wrong passwords for many accounts from one network, or from many networks for one
        /// account.
        case loginStuffed = "login.stuffed"
        case loginSucceeded = "login.succeeded"
        /// A guess had to wait.
        case loginThrottled = "login.throttled"
        case passwordChanged = "password.changed"
        /// A stored hash of another kind, or of less than today's cost, was replaced by one of the
        /// same password.
        case passwordRehashed = "password.rehashed"
        /// A refresh token was refused because it had been traded too often.
        case refreshTokenExhausted = "refresh_token.exhausted"
        /// A refresh token was traded once more, before a successor of it was used: an answer was
        /// lost, two asked at once, or someone has a copy.
        case refreshTokenRepeated = "refresh_token.repeated"
        /// A refresh token came back although a token in its place had been used: one of them was
        /// stolen.
        case refreshTokenReused = "refresh_token.reused"
        /// Somebody could not register for want of an invitation or a solved challenge, or because
        /// nobody can.
        case registrationRefused = "registration.refused"
        case registrationThrottled = "registration.throttled"
        case roleGranted = "role.granted"
        case roleRevoked = "role.revoked"
        /// The tables were brought up to date.
        case schemaApplied = "schema.applied"
        /// A secret is not accepted any more.
        case secretDropped = "secret.dropped"
        /// Everything new is made with another secret.
        case secretRotated = "secret.rotated"
        /// A session was ended before its time.
        case sessionEnded = "session.ended"
        case sessionStarted = "session.started"
        /// A right password started no session, because the user has started too many, or the users
        /// of that network have.
        case sessionThrottled = "session.throttled"
        /// The next key signs earlier than it would have.
        case signingKeyHastened = "signing_key.hastened"
        case signingKeyMade = "signing_key.made"
        /// A key was taken away before its time, and all its tokens with it.
        case signingKeyRevoked = "signing_key.revoked"
        /// What was counted of wrong passwords was forgiven.
        case throttleCleared = "throttle.cleared"
        /// So many passwords were wrong, for an account or from a network, that the next one waits.
        case throttleReached = "throttle.reached"
        case tokenIssued = "token.issued"
        case userDeleted = "user.deleted"
        case userDisabled = "user.disabled"
        case userEnabled = "user.enabled"
        case userRegistered = "user.registered"
        case usersExported = "users.exported"
        case usersImported = "users.imported"

        /// Whether it is stored as a row, with what it changed. What changes nothing is a line of
        /// the log and is counted: it can be had as often as anybody asks.
        public var isDurable: Bool {
            switch self {
            case .clientRefused, .hashingOverloaded, .invitationUsed, .loginFailed, .loginSucceeded, .loginThrottled,
                .refreshTokenExhausted, .registrationRefused, .registrationThrottled, .sessionThrottled, .tokenIssued:
                false
            case .backupMade, .backupRestored, .clientAdded, .clientRemoved, .databaseMigrated, .invitationCreated,
                .invitationDeleted, .loginStuffed, .passwordChanged, .passwordRehashed, .refreshTokenRepeated,
                .refreshTokenReused, .roleGranted, .roleRevoked, .schemaApplied, .secretDropped, .secretRotated,
                .sessionEnded, .sessionStarted, .signingKeyHastened, .signingKeyMade, .signingKeyRevoked,
                .throttleCleared, .throttleReached, .userDeleted, .userDisabled, .userEnabled, .userRegistered,
                .usersExported, .usersImported:
                true
            }
        }

        /// What the log calls it, as in earlier versions.
        package var logName: String {
            switch self {
            case .userRegistered: "registered"
            case .loginStuffed: "credential_stuffing"
            case .passwordChanged: "password_set"
            case .passwordRehashed: "password_upgraded"
            default:
                String(decoding: rawValue.utf8.map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
            }
        }
    }
}
