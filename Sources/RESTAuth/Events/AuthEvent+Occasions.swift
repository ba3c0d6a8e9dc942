extension AuthEvent {
    /// - Parameter invitation: the invitation that was used.
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

    /// - Parameter username: the canonical name of a user; `nil` when no user has the typed name,
    ///   because it may be a password in the wrong field.
    static func loginFailed(username: String?) -> Self { Self(.loginFailed, ["username": username]) }

    /// - Parameters:
    ///   - username: as for ``loginFailed(username:)``.
    ///   - network: the network, where the counter is one of a network.
    ///   - policy: the kind of counter that refused the login.
    static func loginThrottled(username: String?, network: ClientNetwork?, policy: String) -> Self {
        Self(
            .loginThrottled, ["policy": policy, "username": username, "network": network?.description])
    }

    /// - Parameter user: the user with that name; the event has the name only when there is one.
    static func credentialStuffing(_ subject: ThrottleSubject, user: User.ID?) -> Self {
        Self(
            .loginStuffed, user: user,
            ["username": user == nil ? nil : subject.username, "network": subject.network?.description])
    }

    /// - Parameter user: as for ``credentialStuffing(_:user:)``.
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

    static func sessionStarted(_ session: Session) -> Self {
        Self(
            .sessionStarted, user: session.userID, session: session.id, details(of: session.authentication.methods))
    }

    /// - Parameter methods: empty where they are not known.
    static func details(of methods: [Authentication.Method]) -> [String: String?] {
        ["amr": methods.isEmpty ? nil : methods.text]
    }

    /// - Parameter methods: what the session proves from now on.
    static func sessionRaised(userID: User.ID, _ session: Session.ID, to methods: [Authentication.Method]) -> Self {
        Self(.sessionRaised, user: userID, session: session, details(of: methods))
    }

    /// The end of a session that is set later with ``ending(_:of:)``.
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

    static func clientDeleted(id: String) -> Self { Self(.clientDeleted, ["client_id": id]) }

    /// - Parameter id: the id of a client; `nil` when no client has the id that was sent, because
    ///   it may be a secret in the wrong field.
    static func clientRefused(id: String?) -> Self { Self(.clientRefused, ["client_id": id]) }

    static func signingKeyHastened(id: String) -> Self { Self(.signingKeyHastened, ["kid": id]) }

    static func signingKeyMade(id: String) -> Self { Self(.signingKeyMade, ["kid": id]) }

    static func signingKeyRevoked(id: String) -> Self { Self(.signingKeyRevoked, ["kid": id]) }

    /// - Parameter head: the end of the audit trail at that time; `nil` when it has none or is
    ///   broken.
    static func secretRotated(_ id: SecretID, previous: SecretID, head: AuditHead? = nil) -> Self {
        Self(
            .secretRotated,
            [
                "secret_id": id.description, "previous_secret_id": previous.description,
                "audit_head": head?.description,
            ])
    }

    static func secretDropped(_ id: SecretID) -> Self { Self(.secretDropped, ["secret_id": id.description]) }

    /// - Parameters:
    ///   - reason: the reason that the operator gave.
    ///   - head: the end of the trail that was given up, not verified.
    static func auditRestarted(_ reason: String, head: AuditHead?) -> Self {
        Self(.auditRestarted, ["reason": reason, "replaced_head": head?.description])
    }

    static let hashingOverloaded = Self(.hashingOverloaded)

    /// - Parameter user: the user with that name, if there is one.
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

    /// - Parameter version: version of the schema.
    package static func schemaApplied(version: Int, from earlier: Int) -> Self {
        Self(.schemaApplied, ["version": String(version), "from": String(earlier)])
    }

    package static func backupMade(_ file: String) -> Self { Self(.backupMade, ["file": file]) }

    package static func backupRestored(_ file: String) -> Self { Self(.backupRestored, ["file": file]) }

    /// An import. The number of users is known only in its transaction, which adds it: see
    /// ``counting(users:)``.
    static let usersImported = Self(.usersImported)

    static func usersExported(_ count: Int, withHashes: Bool) -> Self {
        Self(.usersExported, ["users": String(count), "password_hashes": String(withHashes)])
    }

    package static func databaseMigrated(from source: String, rows: Int) -> Self {
        Self(.databaseMigrated, ["from": source, "rows": String(rows)])
    }
}
