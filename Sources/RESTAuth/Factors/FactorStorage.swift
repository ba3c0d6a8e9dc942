public import Foundation

/// An authenticator app of a user, as it is stored.
public struct StoredTOTP: Sendable, Hashable, Identifiable {
    public let id: FactorDescription.ID
    public let userID: User.ID
    /// The name that the user gave it.
    public let name: String
    /// The shared secret, encrypted for this row.
    public let sealed: [UInt8]
    public let createdAt: Date
    /// Time of the first code, from when on it is asked for; `nil` while there was none.
    public let confirmedAt: Date?
    /// Step of the last code that was taken; 0 for none.
    public let lastStep: Int64
    public let lastUsedAt: Date?

    public init(
        id: FactorDescription.ID, userID: User.ID, name: String, sealed: [UInt8], createdAt: Date,
        confirmedAt: Date? = nil, lastStep: Int64 = 0, lastUsedAt: Date? = nil
    ) {
        self.id = id
        self.userID = userID
        self.name = name
        self.sealed = sealed
        self.createdAt = createdAt
        self.confirmedAt = confirmedAt
        self.lastStep = lastStep
        self.lastUsedAt = lastUsedAt
    }
}

/// The factors of a user that have rows.
public struct StoredFactors: Sendable, Hashable {
    /// Authenticator apps in the order in which they were added, with the one that is not
    /// confirmed.
    public let totp: [StoredTOTP]
    /// Number of recovery codes that have not been used.
    public let recoveryCodes: Int
    /// Number of passkeys.
    public let passkeys: Int

    public init(totp: [StoredTOTP], recoveryCodes: Int, passkeys: Int = 0) {
        self.totp = totp
        self.recoveryCodes = recoveryCodes
        self.passkeys = passkeys
    }

    /// Whether something has to follow the password.
    public var areAskedFor: Bool { !confirmed.isEmpty || passkeys > 0 }

    /// Authenticator apps whose codes are asked for.
    public var confirmed: [StoredTOTP] { totp.filter { $0.confirmedAt != nil } }
}

/// A new set of recovery codes, as it is stored.
public struct StoredRecoveryCodes: Sendable, Hashable {
    /// The key of the digests, encrypted for this user.
    public let sealedKey: [UInt8]
    /// The digests of the codes.
    public let digests: [[UInt8]]

    public init(sealedKey: [UInt8], digests: [[UInt8]]) {
        self.sealedKey = sealedKey
        self.digests = digests
    }
}

/// The key of a user's recovery codes, as it is stored.
public struct StoredRecoveryKey: Sendable, Hashable {
    public let userID: User.ID
    /// The key, encrypted for this user.
    public let sealed: [UInt8]

    public init(userID: User.ID, sealed: [UInt8]) {
        self.userID = userID
        self.sealed = sealed
    }
}

/// A device on which a user need not give a second factor.
public struct TrustedDevice: Sendable, Hashable, Identifiable {
    /// Name of the device in lists; it proves nothing.
    public let id: String
    public let userID: User.ID
    /// Origin of the sign-in that trusted it, for its owner to recognise.
    public let origin: SessionOrigin
    public let createdAt: Date
    /// Time of the last sign-in with it.
    public let lastUsedAt: Date
    public let expiresAt: Date

    public init(
        id: String, userID: User.ID, origin: SessionOrigin, createdAt: Date, lastUsedAt: Date, expiresAt: Date
    ) {
        self.id = id
        self.userID = userID
        self.origin = origin
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.expiresAt = expiresAt
    }
}

/// The promises about rows of second factors.
///
/// Rows of a user go with the user. Recovery codes and trusted devices go with the last
/// authenticator app or passkey: without one nothing is asked for.
public protocol FactorStorage: Sendable {
    func factors(of user: User.ID) async throws -> StoredFactors

    // MARK: Authenticator apps

    /// Stores an app that is not confirmed, in place of the one that the user has not confirmed.
    /// - Parameters:
    ///   - factor: the app.
    ///   - limit: number of confirmed apps with which the user may not begin another.
    /// - Returns: whether it was stored: not when there is no such user, or at the limit.
    func insertTOTP(_ factor: StoredTOTP, limit: Int) async throws -> Bool

    /// Confirms an app by the step of its first code, and stores recovery codes for a user who has
    /// none left.
    /// - Parameters:
    ///   - id: the app.
    ///   - user: its user.
    ///   - step: the step of the code, which must be greater than that of any code before.
    ///   - now: the time of the confirmation.
    ///   - start: the time since which it must have been added.
    ///   - limit: number of confirmed apps that the user may have, this one included.
    ///   - codes: new recovery codes.
    ///   - event: is recorded with the app.
    ///   - codesEvent: is recorded with the codes.
    /// - Returns: whether the app was confirmed, and whether the codes were stored.
    func confirmTOTP(
        id: FactorDescription.ID, of user: User.ID, step: Int64, at now: Date, addedAfter start: Date, limit: Int,
        recoveryCodes codes: StoredRecoveryCodes, recording event: AuthEvent, and codesEvent: AuthEvent
    ) async throws -> (isConfirmed: Bool, hasNewCodes: Bool)

    /// Takes a code of a confirmed app: replaces the last step by a greater one.
    ///
    /// Of several that bring the same code at once, one is told `true`.
    /// - Returns: whether it was taken.
    func useTOTP(id: FactorDescription.ID, of user: User.ID, step: Int64, at now: Date) async throws -> Bool

    /// Removes an app. The event is recorded when it was confirmed.
    ///
    /// Of several that remove the last ones at once, with `keepingLast`, one is refused.
    /// - Parameters:
    ///   - id: the app.
    ///   - user: its user.
    ///   - keepingLast: whether a confirmed app that is the user's last factor has to stay.
    ///   - event: is recorded with the removal.
    /// - Returns: whether there was one.
    /// - Throws: ``AuthError/Code/lastWayIn`` for one that has to stay.
    func removeTOTP(
        id: FactorDescription.ID, of user: User.ID, keepingLast: Bool, recording event: AuthEvent
    ) async throws -> Bool

    /// Removes all factors of a user, passkeys included, the trusted devices, and the time that
    /// ``beginFactorGrace(of:until:)`` stored.
    /// - Returns: whether there was a factor or a device. Without any, that time stays as it is.
    func removeFactors(of user: User.ID, recording event: AuthEvent) async throws -> Bool

    /// Stores the time until which a user can sign in without a factor, if none is stored.
    ///
    /// All that call it at once are told the same time.
    /// - Returns: the time that is stored; `date` for a user who is not there.
    func beginFactorGrace(of user: User.ID, until date: Date) async throws -> Date

    /// Deletes at most `limit` apps that were added before `date` and never confirmed.
    /// - Returns: how many were deleted.
    func deleteUnconfirmedTOTP(addedBefore date: Date, limit: Int) async throws -> Int

    // MARK: Recovery codes

    /// Replaces the recovery codes of a user who has a confirmed app or a passkey, and their key.
    /// - Returns: whether they were replaced.
    func replaceRecoveryCodes(
        with codes: StoredRecoveryCodes, of user: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> Bool

    /// The encrypted key of a user's recovery codes; `nil` for a user who never had any, or whose
    /// factors were removed.
    func sealedRecoveryKey(of user: User.ID) async throws -> [UInt8]?

    /// Takes a recovery code: deletes the row that has this digest, and spends the sign-in that the
    /// code completes, in one transaction.
    ///
    /// Of several that bring the same code at once, one is told a number.
    /// - Parameters:
    ///   - digest: the digest of the code.
    ///   - user: the user whose code it is.
    ///   - signIn: the use of the ticket, which ``SignInStorage/spendOne(of:until:)`` spends for
    ///     other factors; `nil` where there is no ticket.
    ///   - event: recorded when the code is taken.
    /// - Returns: how many codes are left; `nil` when there is no such code, and then nothing is
    ///   spent.
    /// - Throws: `ticket_expired` when the sign-in was spent before; then the code stays.
    func useRecoveryCode(
        digest: [UInt8], of user: User.ID, spending signIn: SpentChallenge?, recording event: AuthEvent
    ) async throws -> Int?

    // MARK: Trusted devices

    /// Stores a device, and removes the oldest ones beyond `limit`.
    /// - Parameters:
    ///   - device: the new one.
    ///   - digest: the digest of its token.
    ///   - version: the password version that the user must have, with which the trust ends.
    ///   - limit: number of devices that the user may have, this one included.
    ///   - event: is recorded with the device.
    /// - Returns: whether it was stored: not when the user is gone or disabled, or has another
    ///   password by now.
    func insertTrustedDevice(
        _ device: TrustedDevice, digest: [UInt8], passwordVersion version: Int, limit: Int, recording event: AuthEvent
    ) async throws -> Bool

    /// The device with that digest, if it is still trusted.
    func trustedDevice(digest: [UInt8], of user: User.ID, at now: Date) async throws -> TrustedDevice?

    /// Notes a sign-in with a device.
    /// - Returns: whether it is still trusted.
    func useTrustedDevice(digest: [UInt8], of user: User.ID, at now: Date) async throws -> Bool

    /// The devices that are still trusted, the newest first.
    func trustedDevices(of user: User.ID, at now: Date) async throws -> [TrustedDevice]

    /// Removes a device, or all of a user when no id is given.
    /// - Returns: whether there was one.
    func removeTrustedDevices(
        id: TrustedDevice.ID?, of user: User.ID, recording event: AuthEvent
    ) async throws -> Bool

    /// Deletes at most `limit` devices that expired before `date`.
    /// - Returns: how many were deleted.
    func deleteTrustedDevices(expiredBefore date: Date, limit: Int) async throws -> Int

    // MARK: While the instance's secret is changed

    /// Counts the secrets of apps and the keys of recovery codes.
    func countFactorSecrets() async throws -> Int

    /// At most `limit` apps with an id greater than `id` whose secrets do not begin with `mark`, in
    /// ascending order of id. One that is no longer than a secret without a mark (48 bytes) begins
    /// with none.
    func sealedTOTP(notMarked mark: [UInt8], after id: FactorDescription.ID, limit: Int) async throws -> [StoredTOTP]

    /// Replaces the encrypted secret by the same one encrypted anew, if it is still as given.
    /// - Returns: whether it was replaced.
    func replaceSealedTOTP(id: FactorDescription.ID, _ sealed: [UInt8], with other: [UInt8]) async throws -> Bool

    /// At most `limit` keys of users with an id greater than `id` that do not begin with `mark`, in
    /// ascending order of id. One that is no longer than a key without a mark (60 bytes) begins
    /// with none.
    func sealedRecoveryKeys(
        notMarked mark: [UInt8], after id: User.ID, limit: Int
    ) async throws -> [StoredRecoveryKey]

    /// Replaces the encrypted key by the same one encrypted anew, if it is still as given.
    /// - Returns: whether it was replaced.
    func replaceSealedRecoveryKey(of user: User.ID, _ sealed: [UInt8], with other: [UInt8]) async throws -> Bool
}
