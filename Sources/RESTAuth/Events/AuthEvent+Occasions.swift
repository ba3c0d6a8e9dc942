extension AuthEvent {
    /// - Parameter invitation: the one that was used.
    static func registered(invitation: Invitation.ID? = nil) -> Self {
        Self(.userRegistered, ["invitation_id": invitation])
    }

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

    static func loginContinued(userID: User.ID) -> Self { Self(.loginContinued, user: userID) }

    static func networkRemembered(_ network: ClientNetwork, userID: User.ID) -> Self {
        Self(.networkRemembered, user: userID, ["network": network.description])
    }

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

    /// - Parameter user: who has the name, which is told only then.
    static func credentialStuffing(_ subject: ThrottleSubject, user: User.ID?) -> Self {
        Self(
            .loginStuffed, user: user,
            ["username": user == nil ? nil : subject.username, "network": subject.network?.description])
    }

    /// - Parameter user: as of a stuffed one.
    static func throttleReached(_ subject: ThrottleSubject, user: User.ID?) -> Self {
        Self(
            .throttleReached, user: user,
            [
                "kind": subject.kind.rawValue, "username": user == nil ? nil : subject.username,
                "network": subject.network?.description,
            ])
    }

    static func tokenIssued(userID: User.ID) -> Self { Self(.tokenIssued, user: userID) }

    static func passwordSet(userID: User.ID) -> Self { Self(.passwordChanged, user: userID) }

    static func passwordUpgraded(userID: User.ID, from scheme: String) -> Self {
        Self(.passwordRehashed, user: userID, ["from": scheme])
    }

    static func sessionStarted(userID: User.ID, _ session: Session.ID) -> Self {
        Self(.sessionStarted, user: userID, session: session)
    }

    /// Of no session yet: see ``ending(_:of:)``.
    static let sessionEnded = Self(.sessionEnded)

    static func sessionThrottled(userID: User.ID, network: ClientNetwork?) -> Self {
        Self(.sessionThrottled, user: userID, ["network": network?.description])
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

    static func signingKeyHastened(id: String) -> Self { Self(.signingKeyHastened, ["kid": id]) }

    static func signingKeyMade(id: String) -> Self { Self(.signingKeyMade, ["kid": id]) }

    static func signingKeyRevoked(id: String) -> Self { Self(.signingKeyRevoked, ["kid": id]) }

    static func secretRotated(_ id: SecretID, previous: SecretID) -> Self {
        Self(.secretRotated, ["secret_id": id.description, "previous_secret_id": previous.description])
    }

    static func secretDropped(_ id: SecretID) -> Self { Self(.secretDropped, ["secret_id": id.description]) }

    static let hashingOverloaded = Self(.hashingOverloaded)

    /// - Parameter user: who has the name, if there is one.
    static func throttleCleared(of name: Username, user: User.ID?) -> Self {
        Self(.throttleCleared, user: user, ["username": name.canonical])
    }

    static func throttleCleared(_ subject: ThrottleSubject) -> Self {
        Self(
            .throttleCleared, user: subject.userID,
            [
                "kind": subject.kind.rawValue, "username": subject.username,
                "network": subject.network?.description,
            ])
    }

    /// - Parameter version: of the schema.
    package static func schemaApplied(version: Int, from earlier: Int) -> Self {
        Self(.schemaApplied, ["version": String(version), "from": String(earlier)])
    }

    package static func backupMade(_ file: String) -> Self { Self(.backupMade, ["file": file]) }

    package static func backupRestored(_ file: String) -> Self { Self(.backupRestored, ["file": file]) }

    /// An import of a number that only its transaction knows: see ``counting(users:)``.
    static let usersImported = Self(.usersImported)

    static func usersExported(_ count: Int, withHashes: Bool) -> Self {
        Self(.usersExported, ["users": String(count), "password_hashes": String(withHashes)])
    }

    package static func databaseMigrated(from source: String, rows: Int) -> Self {
        Self(.databaseMigrated, ["from": source, "rows": String(rows)])
    }
}
