public import Foundation

/// A token that was found by its digest.
public struct FoundProgramToken: Sendable {
    public let token: StoredProgramToken
    /// The digest by which it was found.
    public let digest: [UInt8]
    /// The user of a personal token, who may be disabled; `nil` for a token of a service account.
    public let owner: User?

    public init(token: StoredProgramToken, digest: [UInt8], owner: User?) {
        self.token = token
        self.digest = digest
        self.owner = owner
    }
}

/// The outcome of storing a token.
public enum ProgramTokenInsertion: Sendable, Hashable {
    case inserted
    /// The holder has as many live tokens as the limit says.
    case limitReached
    /// The holder is gone, or a user who is disabled.
    case noHolder
}

/// The row that takes the place of another, from which it has name and scopes.
public struct ProgramTokenSuccessor: Sendable {
    /// Id of the new token.
    public let id: ProgramToken.ID
    /// Digest of the new token, by which it is found; no other token has it.
    public let digest: [UInt8]
    /// Last four characters of the new token.
    public let lastFour: String
    /// Time of the rotation, from which the lifetime counts anew.
    public let createdAt: Date
    /// Seconds from its creation to its expiry; `nil` for none.
    public let lifetime: Int?

    public init(id: ProgramToken.ID, digest: [UInt8], lastFour: String, createdAt: Date, lifetime: Int?) {
        self.id = id
        self.digest = digest
        self.lastFour = lastFour
        self.createdAt = createdAt
        self.lifetime = lifetime
    }
}

/// The outcome of a rotation.
public enum ProgramTokenRotation: Sendable, Hashable {
    /// The new token, the expiry of the one before, and the entry of the revocation log where that
    /// one is refused from now on.
    case rotated(StoredProgramToken, previousExpiresAt: Date, revocation: Revocation?)
    /// There is no such token, or its user is disabled.
    case notFound
    /// It has expired.
    case expired
    /// It was rotated before.
    case rotatedBefore
    /// The holder has as many live tokens as the limit says.
    case limitReached
}

/// Storage of tokens for programs, which are deleted with their holder.
///
/// A token is live until its expiry. A holder keeps the 50 newest of the expired ones; storing
/// another deletes the rest. Deleting a token writes an entry of the revocation log about the
/// session of the same id, in the same transaction; it expires as
/// ``Revocation/expiry(at:tokensUntil:)`` says for the tokens of a minute.
public protocol ProgramTokenStorage: Sendable {
    /// Stores a token.
    /// - Parameters:
    ///   - token: the new token.
    ///   - digest: its digest; no other token has it.
    ///   - limit: the number of live tokens that the holder may have, this one included.
    ///   - event: is recorded with it.
    func insertProgramToken(
        _ token: StoredProgramToken, digest: [UInt8], limit: Int, recording event: AuthEvent
    ) async throws -> ProgramTokenInsertion

    /// Lists the tokens of a holder in the order of their creation, with the expired ones.
    func programTokens(of holder: ProgramToken.Holder) async throws -> [StoredProgramToken]

    /// Finds the token that has one of these digests, expired or not.
    func programToken(digests: [[UInt8]]) async throws -> FoundProgramToken?

    /// Notes a use, and replaces the digest by another of the same token.
    /// - Parameters:
    ///   - id: the token.
    ///   - now: the time of the use.
    ///   - earlier: nothing is noted for a token that was used after that, unless its digest is
    ///     replaced.
    ///   - digest: the digest that it must have.
    ///   - other: the digest that it gets; the same to keep it.
    /// - Returns: whether anything was stored.
    func useProgramToken(
        id: ProgramToken.ID, at now: Date, unlessUsedAfter earlier: Date, replacing digest: [UInt8],
        with other: [UInt8]
    ) async throws -> Bool

    /// Stores a token in the place of another, which expires at `end`, unless it does so before. A
    /// token is rotated once.
    /// - Parameters:
    ///   - id: the token to be replaced, which must be live when the new one is created.
    ///   - holder: its holder.
    ///   - successor: the new token.
    ///   - end: the expiry of the token before. If that is not later than the creation of the new
    ///     one, the token before is refused at once, by an entry of the revocation log.
    ///   - limit: the number of live tokens that the holder may have, both included.
    ///   - event: is recorded with it.
    func rotateProgramToken(
        id: ProgramToken.ID, of holder: ProgramToken.Holder, to successor: ProgramTokenSuccessor, endingAt end: Date,
        limit: Int, recording event: AuthEvent
    ) async throws -> ProgramTokenRotation

    /// Deletes a token.
    /// - Parameters:
    ///   - id: the token.
    ///   - holder: the holder that it must have.
    ///   - now: the time of the revocation log entry.
    ///   - event: is recorded with the deletion.
    /// - Returns: the entry of the revocation log; `nil` when there is no such token.
    func deleteProgramToken(
        id: ProgramToken.ID, of holder: ProgramToken.Holder, at now: Date, recording event: AuthEvent
    ) async throws -> Revocation?

    /// Counts the tokens that are live at `now`, and those of them whose digests do not begin with
    /// `mark`. A digest of at most 32 bytes, the length without a mark, begins with none.
    func countProgramTokens(notMarked mark: [UInt8], at now: Date) async throws -> (count: Int, unmarkedCount: Int)

    /// Lists at most `limit` of the tokens that are live at `now` and whose digests do not begin
    /// with `mark`.
    func programTokens(notMarked mark: [UInt8], at now: Date, limit: Int) async throws -> [StoredProgramToken]

    /// Deletes at most `limit` tokens that expired before `date`. No entry of the revocation log is
    /// written: they were refused already.
    /// - Returns: the number of deleted tokens.
    func deleteProgramTokens(expiredBefore date: Date, limit: Int) async throws -> Int
}
