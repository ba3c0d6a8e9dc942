package import Foundation
package import RESTAuth

/// Methods that record a sample event, for tests about something else.
extension Storage {
    @discardableResult
    package func insertUser(
        _ name: Username, passwordHash: String?, roles: Set<String> = [], at now: Date
    ) async throws -> User {
        try await insertUser(
            name, passwordHash: passwordHash, roles: roles, at: now,
            recording: Samples.event(.userRegistered, at: now))
    }

    package func insertUser(
        _ name: Username, passwordHash: String, at now: Date, using permit: RegistrationPermit,
        from network: ClientNetwork? = nil
    ) async throws -> User {
        try await insertUser(
            name, passwordHash: passwordHash, at: now, using: permit, from: network,
            recording: Samples.event(.userRegistered, at: now))
    }

    package func setPasswordHash(
        _ hash: String, user id: User.ID, replacing present: String?, beginning: NewSession?, at now: Date,
        recording event: AuthEvent? = nil
    ) async throws -> [Revocation]? {
        try await setPasswordHash(
            hash, user: id, replacing: present, version: nil, beginning: beginning, at: now,
            recording: event ?? Samples.event(.passwordChanged, at: now))
    }

    @discardableResult
    package func upgradePasswordHash(
        _ hash: String, user id: User.ID, replacing present: String
    ) async throws -> Bool {
        try await upgradePasswordHash(
            hash, user: id, replacing: present, recording: Samples.event(.passwordRehashed))
    }

    package func grantRole(
        _ role: String, user id: User.ID, at now: Date
    ) async throws -> (exists: Bool, isNew: Bool, lifted: Revocation?) {
        try await grantRole(role, user: id, at: now, recording: Samples.event(.roleGranted, at: now))
    }

    package func revokeRole(
        _ role: String, user id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await revokeRole(role, user: id, keepingOperator: false, at: now, recording: event)
    }

    package func disableUser(
        id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await disableUser(id: id, keepingOperator: false, at: now, recording: event)
    }

    package func deleteUser(id: User.ID, at now: Date, recording event: AuthEvent) async throws -> Revocation? {
        try await deleteUser(id: id, keepingOperator: false, at: now, recording: event)
    }

    package func revokeRole(_ role: String, user id: User.ID, at now: Date) async throws -> Revocation? {
        try await revokeRole(
            role, user: id, keepingOperator: false, at: now, recording: Samples.event(.roleRevoked, at: now))?
            .revocation
    }

    package func disableUser(id: User.ID, at now: Date) async throws -> Revocation? {
        try await disableUser(
            id: id, keepingOperator: false, at: now, recording: Samples.event(.userDisabled, at: now))?.revocation
    }

    package func enableUser(id: User.ID, at now: Date) async throws -> Revocation? {
        try await enableUser(id: id, at: now, recording: Samples.event(.userEnabled, at: now))?.revocation
    }

    package func deleteUser(id: User.ID, at now: Date) async throws -> Revocation? {
        try await deleteUser(
            id: id, keepingOperator: false, at: now, recording: Samples.event(.userDeleted, at: now))
    }

    package func importUsers(
        _ users: [ImportableUser], above last: User.ID, isTrial: Bool
    ) async throws -> [ImportOutcome] {
        try await importUsers(users, above: last, isTrial: isTrial, recording: Samples.event(.usersImported))
    }

    package func rememberOrigin(_ network: ClientNetwork, user: User.ID, at now: Date, limit: Int) async throws {
        try await rememberOrigin(
            network, user: user, at: now, limit: limit, recording: Samples.event(.networkRemembered, user: user))
    }

    package func insertSession(
        _ session: Session, passwordVersion: Int?, refreshDigest: [UInt8]?, limit: Int
    ) async throws -> [Revocation]? {
        try await insertSession(
            session, passwordVersion: passwordVersion, refreshDigest: refreshDigest, limit: limit,
            recording: Samples.event(.sessionStarted, at: session.lastUsedAt))
    }

    package func endSession(id: Session.ID, of user: User.ID?, at now: Date) async throws -> Revocation? {
        try await endSession(id: id, of: user, at: now, recording: Samples.event(.sessionEnded, at: now))
    }

    package func endSessions(of user: User.ID, except kept: Session.ID?, at now: Date) async throws -> [Revocation] {
        try await endSessions(of: user, except: kept, at: now, recording: Samples.event(.sessionEnded, at: now))
    }

    package func endSessions(notMarked mark: [UInt8], limit: Int, at now: Date) async throws -> [Revocation] {
        try await endSessions(
            notMarked: mark, limit: limit, at: now, recording: Samples.event(.secretDropped, at: now))
    }

    package func insertSigningKey(_ key: StoredSigningKey) async throws -> Bool {
        try await insertSigningKey(key, recording: Samples.event(.signingKeyMade, at: key.createdAt))
    }

    package func hastenSigningKey(id: String, to date: Date) async throws {
        try await hastenSigningKey(id: id, to: date, recording: Samples.event(.signingKeyHastened, at: date))
    }

    package func deleteSigningKey(id: String) async throws -> Bool {
        try await deleteSigningKey(id: id, recording: Samples.event(.signingKeyRevoked))
    }

    package func insertClient(_ client: Client, secretDigest: [UInt8]) async throws {
        try await insertClient(
            client, secretDigest: secretDigest, recording: Samples.event(.clientAdded, at: client.createdAt))
    }

    package func deleteClient(id: String) async throws -> Bool {
        try await deleteClient(id: id, recording: Samples.event(.clientDeleted))
    }

    package func insertInvitation(_ invitation: Invitation, codeDigest: [UInt8]) async throws {
        try await insertInvitation(
            invitation, codeDigest: codeDigest,
            recording: Samples.event(.invitationCreated, at: invitation.createdAt))
    }

    package func deleteInvitation(id: Invitation.ID) async throws -> Bool {
        try await deleteInvitation(id: id, recording: Samples.event(.invitationDeleted))
    }

    package func countFailure(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, limit: ThrottleLimit, at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        try await countFailure(amount, of: subject, other: other, limit: limit, by: .application, at: now)
    }

    @discardableResult
    package func deleteThrottle(_ subject: ThrottleSubject) async throws -> Bool {
        try await deleteThrottle(subject, recording: Samples.event(.throttleCleared))
    }

    @discardableResult
    package func deleteThrottles(canonicalUsername: String, user: User.ID?) async throws -> [ThrottleSubject] {
        try await deleteThrottles(
            canonicalUsername: canonicalUsername, user: user, recording: Samples.event(.throttleCleared))
    }
}
