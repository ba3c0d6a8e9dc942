public import Foundation

/// A solved challenge: its digest is stored until the challenge would have expired.
public struct SpentChallenge: Sendable, Hashable {
    /// SHA-256 of the challenge.
    public let digest: [UInt8]
    public let expiresAt: Date

    public init(digest: [UInt8], expiresAt: Date) {
        self.digest = digest
        self.expiresAt = expiresAt
    }
}

/// The invitation and the challenge that a registration uses up; either may be missing.
public struct RegistrationPermit: Sendable, Hashable {
    public let invitation: Invitation.ID?
    public let challenge: SpentChallenge?

    public init(invitation: Invitation.ID? = nil, challenge: SpentChallenge? = nil) {
        self.invitation = invitation
        self.challenge = challenge
    }
}

/// Storage of invitations and of spent challenges.
public protocol RegistrationStorage: Sendable {
    /// Stores a new user as ``UserStorage/insertUser(_:passwordHash:roles:at:recording:)`` does,
    /// stores `network`, if given, as one that the user is known in, and uses up the permit, all in
    /// one transaction.
    ///
    /// The invitation's row is deleted and the challenge's row inserted with the user's. Of
    /// concurrent registrations with the same permit, one returns.
    /// - Throws: `user_already_exists`; `invitation_invalid` when there is no such invitation, or
    ///   it has expired at `now`; `challenge_invalid` when the challenge was spent before. When
    ///   several apply, the first one in this order is thrown.
    func insertUser(
        _ name: Username, passwordHash: String, at now: Date, using permit: RegistrationPermit,
        from network: ClientNetwork?, recording event: AuthEvent
    ) async throws -> User

    /// Finds an invitation by the digest of its code, even one that has expired.
    func invitation(codeDigest: [UInt8]) async throws -> Invitation?

    func isChallengeSpent(digest: [UInt8]) async throws -> Bool

    func insertInvitation(
        _ invitation: Invitation, codeDigest: [UInt8], recording event: AuthEvent
    ) async throws

    /// Lists the unused invitations, also expired ones, in the order of their creation.
    func invitations() async throws -> [Invitation]

    /// Deletes an invitation and records the event.
    /// - Returns: whether there was such an invitation.
    func deleteInvitation(id: Invitation.ID, recording event: AuthEvent) async throws -> Bool

    /// Deletes at most `limit` invitations that expired before `date`.
    /// - Returns: the number of deleted invitations.
    func deleteInvitations(expiredBefore date: Date, limit: Int) async throws -> Int

    /// Deletes at most `limit` spent challenges that expired before `date`.
    /// - Returns: the number of deleted challenges.
    func deleteSpentChallenges(expiredBefore date: Date, limit: Int) async throws -> Int
}
