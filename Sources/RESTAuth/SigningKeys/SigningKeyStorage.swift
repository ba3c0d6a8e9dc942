public import Foundation

/// A signing key as it is stored: the private half is encrypted.
public struct StoredSigningKey: Sendable, Hashable {
    /// The `kid` of its tokens: the JWK thumbprint of the public key (RFC 7638).
    public let id: String
    /// The one algorithm of the key, `alg` of its tokens (RFC 7518).
    public let algorithm: String
    public let sealed: [UInt8]
    public let createdAt: Date
    /// The time from which it signs. Until then it is published, so that verifiers know it before
    /// its first token.
    public let signsFrom: Date
    /// The id of the key that it succeeds; empty for the first.
    public let follows: String

    public init(id: String, algorithm: String, sealed: [UInt8], createdAt: Date, signsFrom: Date, follows: String) {
        self.id = id
        self.algorithm = algorithm
        self.sealed = sealed
        self.createdAt = createdAt
        self.signsFrom = signsFrom
        self.follows = follows
    }
}

/// The promises about signing keys' rows.
public protocol SigningKeyStorage: Sendable {
    /// All keys, in the order in which they begin to sign.
    func signingKeys() async throws -> [StoredSigningKey]

    /// Stores a key. No two keys follow the same one: of processes that make a successor at once,
    /// one succeeds.
    /// - Returns: whether the key was stored.
    func insertSigningKey(_ key: StoredSigningKey, recording event: AuthEvent) async throws -> Bool

    /// Makes the key sign from `date` on, unless it begins earlier.
    /// - Returns: whether the key was changed.
    @discardableResult
    func hastenSigningKey(id: String, to date: Date, recording event: AuthEvent) async throws -> Bool

    /// Replaces the encrypted form of a key, if it is still the given one.
    /// - Returns: whether it was replaced.
    func replaceSealedSigningKey(id: String, _ sealed: [UInt8], with other: [UInt8]) async throws -> Bool

    /// Deletes a key, in whatever state it is.
    /// - Returns: whether there was such a key.
    func deleteSigningKey(id: String, recording event: AuthEvent) async throws -> Bool

    /// Deletes the keys whose successor has been signing since before `date`, so that none of their
    /// tokens can still be live.
    func deleteSigningKeys(replacedBefore date: Date) async throws
}
