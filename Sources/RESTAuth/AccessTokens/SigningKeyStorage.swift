public import Foundation

/// A signing key as it is stored: the private part encrypted under the instance's secret.
public struct StoredSigningKey: Sendable, Hashable {
    /// The `kid` of the tokens it signs.
    public let id: String
    /// The JOSE name of its one algorithm, for example `ES256`.
    public let algorithm: String
    /// Nonce, ciphertext and tag.
    public let sealed: [UInt8]
    public let createdAt: Date

    public init(id: String, algorithm: String, sealed: [UInt8], createdAt: Date) {
        self.id = id
        self.algorithm = algorithm
        self.sealed = sealed
        self.createdAt = createdAt
    }
}

/// The promises about signing keys' rows.
public protocol SigningKeyStorage: Sendable {
    func signingKeys() async throws -> [StoredSigningKey]

    /// Stores `key` if there is no key yet; of processes that start at once, one succeeds and the others do nothing.
    func insertFirstSigningKey(_ key: StoredSigningKey) async throws
}
