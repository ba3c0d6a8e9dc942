import Foundation
import Logging
import PasswordHashing

/// Adds, lists, renames and deletes passkeys (WebAuthn Level 3), and makes the options that a page
/// hands to its browser.
///
/// ``Login/attempt(passkey:by:)`` signs in with one. Adding and deleting one require what
/// ``Factors/requireRecent(_:)`` says.
public final class Passkeys: Sendable {
    /// Number of passkeys that a user may have.
    public static let limit = 20

    /// A passkey that was added.
    public struct Added: Sendable {
        public let passkey: Passkey
        /// New recovery codes, for a user with a password who has none; else `nil`.
        public let recoveryCodes: [String]?
    }

    let storage: any Storage
    let secrets: InstanceSecrets
    let factors: Factors
    /// The relying party of the configuration; `nil` where there are no passkeys.
    let configured: RelyingParty?
    let now: @Sendable () -> Date

    init(
        storage: any Storage, secrets: InstanceSecrets, factors: Factors, relyingParty: RelyingParty?,
        now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.secrets = secrets
        self.factors = factors
        configured = relyingParty
        self.now = now
    }

    /// The relying party that passkeys are made for.
    /// - Throws: `passkeys_disabled` where none is configured.
    package var relyingParty: RelyingParty {
        get throws(AuthError) {
            guard let configured else {
                throw AuthError(
                    .passkeysDisabled,
                    "passkeys need a domain, and none is configured here: the operator has to set public_url")
            }
            return configured
        }
    }

    /// Checks that the passkeys of this database can be used by the configured relying party.
    /// - Throws: `misconfigured`, with what to do about it.
    func checkBinding() async throws {
        guard let configured else { return }
        try Self.check(configured, boundTo: await storage.boundRelyingParty())
    }

    /// Checks that a relying party can use the passkeys of a database.
    /// - Parameter bound: what they are bound to; `nil` for a database without passkeys.
    /// - Throws: `misconfigured`, with what to do about it.
    package static func check(_ relyingParty: RelyingParty, boundTo bound: String?) throws(AuthError) {
        guard let bound, !bound.utf8.elementsEqual(relyingParty.id.utf8) else { return }
        throw Self.bound(to: bound, not: relyingParty)
    }

    private static func bound(to id: String, not other: RelyingParty) -> AuthError {
        AuthError(
            .misconfigured,
            """
            the passkeys in this database are bound to \(id) for ever, and this server is configured for \(other.id): \
            set webauthn_rp_id to \(id), or remove all passkeys first
            """
        )
    }

    // MARK: Adding

    /// Options for making a passkey: JSON for `parseCreationOptionsFromJSON()`.
    ///
    /// A passkey of a user without a password has to verify its user, and to work without a name.
    /// - Throws: `passkeys_disabled`; `insufficient_user_authentication` for a user who has not
    ///   proven enough lately; `forbidden` where no factor can be added; `invalid_token` where the
    ///   user was deleted meanwhile.
    public func registrationOptions(for user: UserIdentity) async throws -> PasskeyOptions {
        try await factors.requireRecent(user, adding: true)
        let (party, purpose) = try await registration(of: user)
        let existing = try await storage.passkeys(of: user.userID).passkeys
        return .creation(
            for: party, challenge: challenges(of: party).next(for: purpose, at: now()),
            userHandle: purpose.userHandle ?? [], username: user.username, displayName: user.username,
            existing: existing.map(\.descriptor), isAlone: purpose.requiresUserVerification)
    }

    /// Adds a passkey that a browser made with options for this user.
    /// - Parameters:
    ///   - answer: the text of `RegistrationResponseJSON`.
    ///   - name: the name that the user gives it.
    ///   - user: the user.
    ///   - caller: the origin of the request.
    /// - Throws: `validation_failed` for the name and for an answer that is not right,
    ///   `challenge_invalid` for one to options that are not good any more,
    ///   `passkey_already_exists`, `too_many_factors`, `passkeys_disabled`;
    ///   `insufficient_user_authentication`, `forbidden`; `invalid_token` where the user was
    ///   deleted or disabled meanwhile.
    public func add(
        _ answer: String, named name: String, for user: UserIdentity, by caller: Caller = .application
    ) async throws -> Added {
        let name = try FactorName(name)
        try await factors.requireRecent(user, adding: true)
        let (party, purpose) = try await registration(of: user)
        let now = now()
        let new: NewPasskey
        do {
            guard let json = JSON(text: answer.utf8) else { throw PasskeyRefusal.malformed }
            let expectation = PasskeyExpectation(party, for: purpose, challenges: challenges(of: party), at: now)
            new = try RegistrationCeremony(expectation).verify(PasskeyRegistrationAnswer(json))
        } catch let refusal as PasskeyRefusal {
            throw refusal.ofRegistration
        }
        let passkey = Passkey(new, id: FactorDescription.newID(), of: user.userID, named: name, at: now)
        let (codes, stored) = try factors.newRecoveryCodes(of: user.userID)
        let added = AuthEvent.passkeyAdded(passkey).by(caller, at: now)
        let made = AuthEvent.recoveryCodesMade(of: user.userID).by(caller, at: now)
        let insertion = try await PasskeyRefusal.explaining {
            try await storage.insertPasskey(
                passkey, for: party.id, limit: Self.limit, spending: new.spent,
                recoveryCodes: stored, recording: added, and: made)
        }
        switch insertion {
        case .inserted(let hasNewCodes):
            added.record()
            if hasNewCodes { made.record() }
            return Added(passkey: passkey, recoveryCodes: hasNewCodes ? codes : nil)
        case .isTaken:
            throw AuthError(.passkeyAlreadyExists, "this passkey has been added before", field: "credential")
        case .limitReached:
            throw AuthError(.tooManyFactors, "there are \(Self.limit) passkeys already: delete one first")
        case .boundTo(let id): throw Self.bound(to: id, not: party)
        case .noUser: throw AuthError.invalidToken
        }
    }

    private func registration(
        of user: UserIdentity
    ) async throws -> (party: RelyingParty, purpose: PasskeyPurpose) {
        let party = try relyingParty
        guard let stored = try await storage.credentials(user: user.userID),
            let handle = try await storage.userHandle(of: user.userID, orInsert: Self.newUserHandle())
        else { throw AuthError.invalidToken }
        return (party, .registration(userHandle: handle, isAlone: stored.passwordHash == nil))
    }

    /// Makes a new user handle of the length that section 14.6.1 advises.
    static func newUserHandle() -> [UInt8] { Random.bytes(64) }

    func challenges(of party: RelyingParty) -> PasskeyChallenges {
        PasskeyChallenges(secrets: secrets, relyingParty: party)
    }

    // MARK: Changing

    /// The passkeys of a user, in the order in which they were added.
    public func list(of user: User.ID) async throws -> [Passkey] { try await storage.passkeys(of: user).passkeys }

    /// The passkeys that are good for a user, for `signalAllAcceptedCredentials()`; `nil` for a
    /// user who never had any, and where there are none.
    package func acceptedCredentials(of user: User.ID) async throws -> JSON? {
        let stored = try await storage.passkeys(of: user)
        guard let configured, let handle = stored.userHandle else { return nil }
        return PasskeySignal.acceptedCredentials(stored.passkeys.map(\.credentialID), ofUser: handle, at: configured)
    }

    /// Gives a passkey another name.
    /// - Returns: the passkey as it is now.
    /// - Throws: `validation_failed` for the name, `passkey_not_found`.
    @discardableResult
    public func rename(
        _ id: Passkey.ID, to name: String, of user: UserIdentity, by caller: Caller = .application
    ) async throws -> Passkey {
        let name = try FactorName(name)
        let passkey = try await passkey(id, of: user.userID)
        let event = AuthEvent.passkeyRenamed(passkey, to: name.text).by(caller, at: now())
        guard try await storage.renamePasskey(id: passkey.id, of: user.userID, to: name.text, recording: event) else {
            throw Self.notFound
        }
        event.record()
        return try await self.passkey(id, of: user.userID)
    }

    /// Deletes a passkey; with the last factor recovery codes and trusted devices, too.
    /// - Throws: `insufficient_user_authentication` for a user who has not given a factor lately;
    ///   `passkey_not_found`; `last_way_in` for the only one by which a user without a password can
    ///   sign in, and for the last factor of a user who must have one.
    public func delete(
        _ id: Passkey.ID, of user: UserIdentity, by caller: Caller = .application
    ) async throws {
        try await factors.requireRecent(user)
        try await delete(id, of: user.userID, keepsLast: factors.mustKeepLast(of: user.userID), by: caller)
    }

    func delete(_ id: Passkey.ID, of user: User.ID, keepsLast: Bool, by caller: Caller) async throws {
        let passkey = try await passkey(id, of: user)
        let event = AuthEvent.passkeyDeleted(passkey).by(caller, at: now())
        let deletion = try await storage.deletePasskey(
            id: passkey.id, of: user, keepingLast: keepsLast, recording: event)
        switch deletion {
        case .deleted: event.record()
        case .notFound: throw Self.notFound
        case .lastWayIn:
            if keepsLast { throw AuthError.lastWayIn }
            throw AuthError(.lastWayIn, "you could not sign in any more without this passkey: add another one first")
        }
    }

    private func passkey(_ id: Passkey.ID, of user: User.ID) async throws -> Passkey {
        // Byte by byte, because the id came in a request.
        let passkey = try await list(of: user).first { $0.id.utf8.elementsEqual(id.utf8) }
        guard let passkey else { throw Self.notFound }
        return passkey
    }

    private static let notFound = AuthError(.passkeyNotFound, "there is no such passkey")
}

extension PasskeyRefusal {
    /// Logs the reason, which no client is told.
    func log() { Logger.current.debug("a passkey was refused", metadata: ["reason": "\(rawValue)"]) }

    /// The answer to a user whose new passkey was refused.
    fileprivate var ofRegistration: AuthError {
        log()
        return switch self {
        case .challenge: Self.challengeInvalid
        case .userNotVerified:
            AuthError(
                .validationFailed, "without a password a passkey has to ask for a PIN or a finger", field: "credential")
        default:
            AuthError(
                .validationFailed, "this is not the answer of a browser to options of this server", field: "credential")
        }
    }

    private static let challengeInvalid = AuthError(
        .challengeInvalid, "these options are not good, or not any more: ask for new ones", field: "credential")

    /// Runs `insert`; a challenge that was spent before is refused as one that is not good any
    /// more.
    fileprivate static func explaining<Value>(_ insert: () async throws -> Value) async throws -> Value {
        do {
            return try await insert()
        } catch let error as AuthError where error.code == .challengeInvalid {
            throw challengeInvalid
        }
    }
}
