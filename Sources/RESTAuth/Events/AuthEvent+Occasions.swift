extension AuthEvent {
    static func registered(userID: User.ID) -> Self { Self(.userRegistered, user: userID) }

    static func registrationRefused(_ code: AuthError.Code) -> Self {
        Self(.registrationRefused, ["reason": code.rawValue])
    }

    static func registrationThrottled(network: String) -> Self { Self(.registrationThrottled, ["network": network]) }

    static func invitationCreated(id: Invitation.ID) -> Self { Self(.invitationCreated, ["invitation_id": id]) }

    static func invitationUsed(id: Invitation.ID, userID: User.ID) -> Self {
        Self(.invitationUsed, user: userID, ["invitation_id": id])
    }

    static func invitationDeleted(id: Invitation.ID) -> Self { Self(.invitationDeleted, ["invitation_id": id]) }

    static func loginSucceeded(userID: User.ID) -> Self { Self(.loginSucceeded, user: userID) }

    /// - Parameter username: the canonical one of a user; `nil` when nobody has what was typed,
    ///   which may be a password in the wrong field.
    static func loginFailed(username: String?) -> Self { Self(.loginFailed, ["username": username]) }

    /// - Parameters:
    ///   - username: as of a failed one.
    ///   - network: where it is counted by network.
    ///   - policy: which kind of counter was in its way.
    static func loginThrottled(username: String?, network: ClientNetwork?, policy: String) -> Self {
        Self(
            .loginThrottled, ["policy": policy, "username": username, "network": network?.description])
    }

    /// - Parameter isUser: whether a user has the name, which is told only then.
    static func credentialStuffing(_ subject: ThrottleSubject, isUser: Bool) -> Self {
        Self(
            .loginStuffed,
            ["username": isUser ? subject.username : nil, "network": subject.network?.description])
    }

    static func tokenIssued(userID: User.ID) -> Self { Self(.tokenIssued, user: userID) }

    static func passwordSet(userID: User.ID) -> Self { Self(.passwordChanged, user: userID) }

    static func passwordUpgraded(userID: User.ID, from scheme: String) -> Self {
        Self(.passwordRehashed, user: userID, ["from": scheme])
    }

    static func sessionStarted(userID: User.ID, _ session: Session.ID) -> Self {
        Self(.sessionStarted, user: userID, session: session)
    }

    static func sessionEnded(_ session: Session.ID) -> Self { Self(.sessionEnded, session: session) }

    static func sessionThrottled(userID: User.ID, network: ClientNetwork?) -> Self {
        Self(.sessionThrottled, user: userID, ["network": network?.description])
    }

    static func refreshTokenRepeated(userID: User.ID, _ session: Session.ID) -> Self {
        Self(.refreshTokenRepeated, user: userID, session: session)
    }

    static func refreshTokenExhausted(userID: User.ID, _ session: Session.ID) -> Self {
        Self(.refreshTokenExhausted, user: userID, session: session)
    }

    static func refreshTokenReused(userID: User.ID, _ session: Session.ID) -> Self {
        Self(.refreshTokenReused, user: userID, session: session)
    }

    static func roleGranted(_ role: String, userID: User.ID) -> Self {
        Self(.roleGranted, user: userID, ["role": role])
    }

    static func roleRevoked(_ role: String, userID: User.ID) -> Self {
        Self(.roleRevoked, user: userID, ["role": role])
    }

    static func userDisabled(userID: User.ID) -> Self { Self(.userDisabled, user: userID) }

    static func userEnabled(userID: User.ID) -> Self { Self(.userEnabled, user: userID) }

    static func userDeleted(userID: User.ID) -> Self { Self(.userDeleted, user: userID) }

    static func clientAdded(id: String) -> Self { Self(.clientAdded, ["client_id": id]) }

    static func clientRemoved(id: String) -> Self { Self(.clientRemoved, ["client_id": id]) }

    /// - Parameter id: that of a client; `nil` when none has what was sent, which may be a secret
    ///   in the wrong field.
    static func clientRefused(id: String?) -> Self { Self(.clientRefused, ["client_id": id]) }

    static func signingKeyMade(id: String) -> Self { Self(.signingKeyMade, ["kid": id]) }

    static func signingKeyRevoked(id: String) -> Self { Self(.signingKeyRevoked, ["kid": id]) }

    static func secretRotated(_ id: SecretID, previous: SecretID) -> Self {
        Self(.secretRotated, ["secret_id": id.description, "previous_secret_id": previous.description])
    }

    static func secretDropped(_ id: SecretID) -> Self { Self(.secretDropped, ["secret_id": id.description]) }

    static let hashingOverloaded = Self(.hashingOverloaded)

    static func throttleCleared(_ subject: ThrottleSubject) -> Self {
        Self(
            .throttleCleared, user: subject.userID,
            [
                "kind": subject.kind.rawValue, "username": subject.username,
                "network": subject.network?.description,
            ])
    }

    package static func databaseMigrated(from source: String, rows: Int) -> Self {
        Self(.databaseMigrated, ["from": source, "rows": String(rows)])
    }
}
