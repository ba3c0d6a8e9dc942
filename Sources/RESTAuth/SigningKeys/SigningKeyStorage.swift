public import Foundation

/// A signing key at rest: the private half is encrypted.
public struct StoredSigningKey: Sendable, Hashable {
    /// The `kid` of its tokens: the JWK thumbprint of the public key (RFC 7638).
    public let id: String
    /// The one algorithm it is used with, `alg` of its tokens (RFC 7518).
    public let algorithm: String
    public let sealed: [UInt8]
    public let createdAt: Date
    /// From when on it signs. Until then it is published, so that whoever verifies knows it before
    /// its first token.
    public let signsFrom: Date
    /// The key whose place it takes; empty for the first.
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
    /// In the order in which they begin to sign.
    func signingKeys() async throws -> [StoredSigningKey]

    /// Stores a key. No two keys follow the same one: of processes that make a successor at once,
    /// one succeeds.
    /// - Returns: whether it was stored.
    func insertSigningKey(_ key: StoredSigningKey, recording event: AuthEvent) async throws -> Bool

    /// Lets the key sign from `date` on, if it would have begun later.
    /// - Returns: whether it would have.
    @discardableResult
    func hastenSigningKey(id: String, to date: Date, recording event: AuthEvent) async throws -> Bool

    /// Stores the key encrypted anew, if it is still encrypted as given.
    /// - Returns: whether it was.
    func replaceSealedSigningKey(id: String, _ sealed: [UInt8], with other: [UInt8]) async throws -> Bool

    /// Deletes a key, whichever it is.
    /// - Returns: whether there was such a key.
    func deleteSigningKey(id: String, recording event: AuthEvent) async throws -> Bool

    /// Deletes the keys whose successor has been signing since before `date`: no token of theirs
    /// can still be live.
    func deleteSigningKeys(replacedBefore date: Date) async throws
}
