public import Foundation

/// The passkeys of a user, and the user handle by which authenticators know the user.
public struct UserPasskeys: Sendable, Hashable {
    /// 64 random bytes; `nil` for a user who has never asked for a passkey.
    public let userHandle: [UInt8]?
    /// Passkeys in the order in which they were added.
    public let passkeys: [Passkey]

    public init(userHandle: [UInt8]?, passkeys: [Passkey]) {
        self.userHandle = userHandle
        self.passkeys = passkeys
    }
}

/// A passkey with its user.
public struct OwnedPasskey: Sendable {
    public let passkey: Passkey
    public let userHandle: [UInt8]
    public let owner: StoredCredentials

    public init(passkey: Passkey, userHandle: [UInt8], owner: StoredCredentials) {
        self.passkey = passkey
        self.userHandle = userHandle
        self.owner = owner
    }
}

/// The outcome of storing a passkey.
public enum PasskeyInsertion: Sendable, Hashable {
    /// It was stored, and with it new recovery codes or not.
    case inserted(hasNewCodes: Bool)
    /// A user has a passkey with that credential id already.
    case isTaken
    /// The user has as many as the limit says.
    case limitReached
    /// The passkeys of this database are bound to that other relying party.
    case boundTo(String)
    /// The user is gone or disabled.
    case noUser
}

/// The outcome of deleting a passkey.
public enum PasskeyDeletion: Sendable, Hashable {
    case deleted
    case notFound
    /// The user could not sign in any more.
    case lastWayIn
}

/// The promises about passkeys, which go with their user.
///
/// A challenge is spent in the table of spent challenges, with those that registrations and
/// sign-ins spend, in the transaction of what its answer proves.
public protocol PasskeyStorage: Sendable {
    /// Stores the user handle of a user who has none.
    /// - Returns: the handle, which is never replaced; `nil` when there is no such user.
    func userHandle(of user: User.ID, orInsert new: [UInt8]) async throws -> [UInt8]?

    func passkeys(of user: User.ID) async throws -> UserPasskeys

    /// Finds a passkey by the id that its authenticator gave it.
    func passkey(credentialID: [UInt8]) async throws -> OwnedPasskey?

    /// The relying party that the passkeys of this database are bound to; `nil` without passkeys.
    func boundRelyingParty() async throws -> String?

    /// Spends a challenge and stores a passkey; and recovery codes, for a user with a password who
    /// has none left. Without passkeys the database becomes bound to `relyingParty`.
    /// - Parameters:
    ///   - passkey: the new one.
    ///   - relyingParty: the id that it was made for.
    ///   - limit: number of passkeys that the user may have, this one included.
    ///   - challenge: the challenge, which is spent also when nothing is stored.
    ///   - codes: new recovery codes.
    ///   - event: is recorded with the passkey.
    ///   - codesEvent: is recorded with the codes.
    /// - Throws: `challenge_invalid` when the challenge was spent before.
    func insertPasskey(
        _ passkey: Passkey, for relyingParty: String, limit: Int, spending challenge: SpentChallenge,
        recoveryCodes codes: StoredRecoveryCodes, recording event: AuthEvent, and codesEvent: AuthEvent
    ) async throws -> PasskeyInsertion

    /// Spends a challenge and notes the use of a passkey.
    /// - Parameters:
    ///   - id: the passkey.
    ///   - signCount: its counter, whether it went on or back.
    ///   - isBackedUp: whether it is backed up now.
    ///   - isUserVerified: whether it verified its user this time, which is never taken back.
    ///   - challenge: the challenge.
    ///   - now: the time of the use.
    ///   - event: is recorded with it, if there is one.
    /// - Returns: whether it was used: not when the passkey is gone, or its user disabled.
    /// - Throws: `challenge_invalid` when the challenge was spent before.
    func usePasskey(
        id: Passkey.ID, signCount: UInt32, isBackedUp: Bool, isUserVerified: Bool, spending challenge: SpentChallenge,
        at now: Date, recording event: AuthEvent?
    ) async throws -> Bool

    /// Gives a passkey another name.
    /// - Returns: whether there was one.
    func renamePasskey(
        id: Passkey.ID, of user: User.ID, to name: String, recording event: AuthEvent
    ) async throws -> Bool

    /// Deletes a passkey, if its user has a password or another passkey that signs in by itself.
    /// With the last factor recovery codes and trusted devices go.
    /// - Parameters:
    ///   - id: the passkey.
    ///   - user: its user.
    ///   - keepingLast: whether a passkey that is the user's last factor has to stay.
    ///   - event: is recorded with the deletion.
    func deletePasskey(
        id: Passkey.ID, of user: User.ID, keepingLast: Bool, recording event: AuthEvent
    ) async throws -> PasskeyDeletion
}
