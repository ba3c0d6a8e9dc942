public import Foundation
import Logging

/// Adds, confirms, lists and removes second factors, and checks their codes.
///
/// A change requires what ``requireRecent(_:)`` says: a password given lately for the first factor,
/// a factor for every change after that.
public final class Factors: Sendable {
    /// Number of authenticator apps that a user may have.
    public static let limit = 5

    /// A new authenticator app, told to its user once.
    public struct NewTOTP: Sendable, Redacted {
        public let id: FactorDescription.ID
        /// The secret in base32, for typing.
        public let secret: String
        /// The secret with names, for a picture.
        public let uri: String
        /// Time by which the first code must have come.
        public let expiresAt: Date
    }

    let storage: any Storage
    let secrets: InstanceSecrets
    let keys: SigningKeys
    let throttle: Throttle
    let policy: FactorPolicy
    /// The name of the instance in apps.
    let issuer: String
    let now: @Sendable () -> Date

    init(
        storage: any Storage, secrets: InstanceSecrets, keys: SigningKeys, throttle: Throttle,
        policy: FactorPolicy, issuer: String, now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.secrets = secrets
        self.keys = keys
        self.throttle = throttle
        self.policy = policy
        self.issuer = issuer
        self.now = now
    }

    // MARK: By their user

    /// Authenticator apps, with the one that is not confirmed, and the number of recovery codes.
    public func list(of user: User.ID) async throws -> StoredFactors { try await storage.factors(of: user) }

    /// Begins an authenticator app, in place of the one that the user has not confirmed. It is
    /// asked for once its first code has come.
    /// - Throws: `insufficient_user_authentication`; `forbidden` where no factor can be added;
    ///   `validation_failed` for the name, `too_many_factors`.
    public func add(_ name: String, of user: UserIdentity) async throws -> NewTOTP {
        try await requireRecent(user, adding: true)
        let name = try FactorName(name)
        let (id, secret, now) = (FactorDescription.newID(), TOTPSecret(), now())
        let factor = StoredTOTP(
            id: id, userID: user.userID, name: name.text,
            sealed: try secret.sealed(for: id, of: user.userID, by: secrets.known), createdAt: now)
        guard try await storage.insertTOTP(factor, limit: Self.limit) else {
            throw AuthError(.tooManyFactors, "there are \(Self.limit) authenticator apps already: remove one first")
        }
        return NewTOTP(
            id: id, secret: secret.base32,
            uri: OTPAuthURI(issuer: issuer, account: user.username, secret: secret).value,
            expiresAt: now.addingTimeInterval(FactorsRoom.confirmationPeriod))
    }

    /// Confirms an authenticator app by its first code. A wrong code is counted as a wrong present
    /// password is.
    /// - Returns: new recovery codes, for a user who has none; else `nil`.
    /// - Throws: `insufficient_user_authentication`; `forbidden` where no factor can be added;
    ///   `factor_not_found` for an app that is not there, is confirmed, or was begun too long ago;
    ///   `invalid_code`, `rate_limited`.
    public func confirm(
        _ id: FactorDescription.ID, code: String, of user: UserIdentity, by caller: Caller = .application
    ) async throws -> [String]? {
        try await requireRecent(user, adding: true)
        let start = now().addingTimeInterval(-FactorsRoom.confirmationPeriod)
        let factor = try await storage.factors(of: user.userID).totp.first {
            FactorDescription($0).hasID(id) && $0.confirmedAt == nil && $0.createdAt >= start
        }
        guard let factor else { throw Self.notFound }
        return try await throttle.confirming(user.userID, by: caller, naming: "codes") {
            guard let code = OneTimeCode(code), let secret = try await secret(of: factor),
                case let now = now(), let step = secret.step(matching: code, at: now, after: factor.lastStep)
            else { throw AuthError.invalidCode(inField: "code") }
            let (codes, stored) = try newRecoveryCodes(of: user.userID)
            let added = AuthEvent.factorAdded(FactorDescription(factor), of: user.userID).by(caller, at: now)
            let made = AuthEvent.recoveryCodesMade(of: user.userID).by(caller, at: now)
            let result = try await storage.confirmTOTP(
                id: factor.id, of: user.userID, step: step, at: now, addedAfter: start, limit: Self.limit,
                recoveryCodes: stored, recording: added, and: made)
            guard result.isConfirmed else { throw Self.notFound }
            added.record()
            guard result.hasNewCodes else { return nil }
            made.record()
            return codes
        }
    }

    /// Removes an authenticator app; with the last one recovery codes and trusted devices, too.
    /// - Throws: `insufficient_user_authentication`, `factor_not_found`; `last_way_in` for the last
    ///   one of a user who must have one.
    public func remove(
        _ id: FactorDescription.ID, of user: UserIdentity, by caller: Caller = .application
    ) async throws {
        try await requireRecent(user)
        try await remove(id, of: user.userID, keepingLast: mustKeepLast(of: user.userID), by: caller)
    }

    func remove(_ id: FactorDescription.ID, of user: User.ID, keepingLast: Bool, by caller: Caller) async throws {
        guard
            let factor = try await storage.factors(of: user).totp.first(where: { FactorDescription($0).hasID(id) })
        else { throw Self.notFound }
        let event = AuthEvent.factorRemoved(FactorDescription(factor), of: user).by(caller, at: now())
        let isRemoved = try await storage.removeTOTP(
            id: factor.id, of: user, keepingLast: keepingLast, recording: event)
        guard isRemoved else { throw Self.notFound }
        if factor.confirmedAt != nil { event.record() }
    }

    /// Makes new recovery codes; those before are good for nothing.
    /// - Throws: `insufficient_user_authentication`; `factor_not_found` for a user without a
    ///   confirmed factor.
    public func makeRecoveryCodes(of user: UserIdentity, by caller: Caller = .application) async throws -> [String] {
        try await requireRecent(user)
        let (codes, stored) = try newRecoveryCodes(of: user.userID)
        let event = AuthEvent.recoveryCodesMade(of: user.userID).by(caller, at: now())
        let isReplaced = try await storage.replaceRecoveryCodes(
            with: stored, of: user.userID, at: event.at, recording: event)
        guard isReplaced else {
            throw AuthError(.factorNotFound, "there is no factor yet: add an authenticator app or a passkey first")
        }
        event.record()
        return codes
    }

    /// Makes recovery codes for their user, and what is stored of them.
    func newRecoveryCodes(of user: User.ID) throws -> (codes: [String], stored: StoredRecoveryCodes) {
        let (codes, key) = (RecoveryCode.newSet(), RecoveryKey())
        let stored = StoredRecoveryCodes(
            sealedKey: try key.sealed(for: user, by: secrets.known), digests: codes.map(key.digest))
        return (codes.map(\.value), stored)
    }

    // MARK: By an operator

    /// Removes all factors and trusted devices of a user. If the user must have a factor, the time
    /// to add one begins anew.
    /// - Throws: `factor_not_found` for a user without any; `forbidden` for an operator whom the
    ///   caller may not change.
    public func removeAll(of user: User.ID, by caller: Caller = .application) async throws {
        try await OperatorRules(storage: storage).checkChange(of: user, by: caller)
        let event = AuthEvent.factorsRemoved(of: user).by(caller, at: now())
        guard try await storage.removeFactors(of: user, recording: event) else {
            throw AuthError(.factorNotFound, "the user has no second factor and no trusted device")
        }
        event.record()
    }

    // MARK: Signing in

    /// The factors that a sign-in asks for; none for a user without a confirmed one.
    /// - Throws: `storage_unavailable` while they are being changed.
    package func descriptions(of user: User.ID) async throws -> [FactorDescription] {
        let factors = try await storage.factors(of: user)
        let passkeys = factors.passkeys > 0 ? try await storage.passkeys(of: user).passkeys : []
        return try factors.descriptions(with: passkeys)
    }

    /// Whether the password alone does not complete a sign-in of the user.
    func belong(to user: User.ID) async throws -> Bool { try await storage.factors(of: user).areAskedFor }

    /// Takes a code of one of the user's factors, whichever it is of. No code is taken twice.
    /// - Parameters:
    ///   - answer: the code.
    ///   - user: the user whose factor it is.
    ///   - signIn: the sign-in that a recovery code spends together with itself; for another factor
    ///     the caller spends it.
    ///   - caller: the actor.
    /// - Returns: the factor; `nil` for a wrong code, or one that was taken before.
    /// - Throws: `ticket_expired` for a recovery code when the sign-in was spent before; then the
    ///   code stays.
    package func take(
        _ answer: FactorResponse, of user: User.ID, spending signIn: SpentChallenge? = nil, by caller: Caller
    ) async throws -> FactorDescription? {
        guard case .code(let text) = answer else { return nil }
        return switch FactorAnswer(text) {
        case .oneTimeCode(let code): try await take(code, of: user)
        case .recoveryCode(let code):
            try await take(code, of: user, spending: signIn, by: caller) ? .recoveryCodes : nil
        case nil: nil
        }
    }

    private func take(_ code: OneTimeCode, of user: User.ID) async throws -> FactorDescription? {
        let now = now()
        for factor in try await storage.factors(of: user).confirmed {
            if let step = try await secret(of: factor)?.step(matching: code, at: now, after: factor.lastStep),
                try await storage.useTOTP(id: factor.id, of: user, step: step, at: now)
            {
                return FactorDescription(factor)
            }
        }
        return nil
    }

    private func take(
        _ code: RecoveryCode, of user: User.ID, spending signIn: SpentChallenge?, by caller: Caller
    ) async throws -> Bool {
        guard let key = try await recoveryKey(of: user) else { return false }
        let event = AuthEvent.recoveryCodeUsed(of: user).by(caller, at: now())
        let isRight =
            try await storage.useRecoveryCode(
                digest: key.digest(of: code), of: user, spending: signIn, recording: event) != nil
        if isRight { event.record() }
        return isRight
    }

    /// `nil` for a user without recovery codes.
    private func recoveryKey(of user: User.ID) async throws -> RecoveryKey? {
        guard let sealed = try await storage.sealedRecoveryKey(of: user) else { return nil }
        return try await opened(["user_id": "\(user)"]) { RecoveryKey.opened(sealed, for: user, by: $0)?.key }
    }

    private func secret(of factor: StoredTOTP) async throws -> TOTPSecret? {
        try await opened(["factor_id": "\(factor.id)"]) {
            TOTPSecret.opened(factor.sealed, for: factor.id, of: factor.userID, by: $0)?.secret
        }
    }

    /// Decrypts what a factor's codes are checked with. `nil` for what was encrypted under a secret
    /// that is not known here: its codes are wrong, and a log line says why.
    private func opened<Value>(
        _ metadata: Logger.Metadata, _ open: (KnownSecrets) -> Value?
    ) async throws -> Value? {
        if let value = open(secrets.known) { return value }
        try await keys.followSecretsNow()
        if let value = open(secrets.known) { return value }
        Logger.current.error("a factor was encrypted under a secret that is not known here", metadata: metadata)
        return nil
    }

    private static let notFound = AuthError(.factorNotFound, "there is no such factor")
}

extension FactorDescription {
    init(_ factor: StoredTOTP) { self = .totp(id: factor.id, name: factor.name) }
}
