public import Foundation

/// A challenge that was solved, by its digest, until it would have expired.
public struct SpentChallenge: Sendable, Hashable {
    /// SHA-256 of the challenge.
    public let digest: [UInt8]
    public let expiresAt: Date

    public init(digest: [UInt8], expiresAt: Date) {
        self.digest = digest
        self.expiresAt = expiresAt
    }
}

/// What a registration uses up; with neither, nothing.
public struct RegistrationPermit: Sendable, Hashable {
    public let invitation: Invitation.ID?
    public let challenge: SpentChallenge?

    public init(invitation: Invitation.ID? = nil, challenge: SpentChallenge? = nil) {
        self.invitation = invitation
        self.challenge = challenge
    }
}

/// The promises about invitations' rows, and about challenges that were spent.
public protocol RegistrationStorage: Sendable {
    /// Stores a new user, as ``UserStorage/insertUser(_:passwordHash:at:recording:)`` does, who is
    /// known in `network` where one is given, and uses the permit up, in one transaction: all of it
    /// is done or nothing.
    ///
    /// The invitation's row goes and the challenge's comes with the user. Of several that use the
    /// same one at once, one returns.
    /// - Throws: `user_already_exists`; `invitation_invalid` when there is no such invitation, or
    ///   only one that has expired at `now`; `challenge_invalid` when it was spent before. Of
    ///   several reasons the first one of these.
    func insertUser(
        _ name: Username, passwordHash: String, at now: Date, using permit: RegistrationPermit,
        from network: ClientNetwork?, recording event: AuthEvent
    ) async throws -> User

    /// The invitation with that digest of its code, also one that has expired.
    func invitation(codeDigest: [UInt8]) async throws -> Invitation?

    func isChallengeSpent(digest: [UInt8]) async throws -> Bool

    func insertInvitation(
        _ invitation: Invitation, codeDigest: [UInt8], recording event: AuthEvent
    ) async throws

    /// Those that have not been used, also when they have expired, in the order of their creation.
    func invitations() async throws -> [Invitation]

    /// - Returns: whether there was such an invitation.
    func deleteInvitation(id: Invitation.ID, recording event: AuthEvent) async throws -> Bool

    /// Deletes at most `limit` invitations that expired before `date`.
    /// - Returns: how many were deleted.
    func deleteInvitations(expiredBefore date: Date, limit: Int) async throws -> Int

    /// Deletes at most `limit` spent challenges that expired before `date`.
    /// - Returns: how many were deleted.
    func deleteSpentChallenges(expiredBefore date: Date, limit: Int) async throws -> Int
}
