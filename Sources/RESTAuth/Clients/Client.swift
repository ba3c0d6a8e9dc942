public import Foundation

/// A program that an operator allows to ask about tokens. It authenticates with a secret of its own
/// (RFC 6749 section 2.3.1).
public struct Client: Sendable, Hashable, Identifiable {
    /// The `client_id`, chosen by the operator.
    public let id: String
    public let createdAt: Date

    public init(id: String, createdAt: Date) {
        self.id = id
        self.createdAt = createdAt
    }
}

/// The secret of a client, shown once.
public struct ClientSecret: Sendable {
    /// The secret, for the client only: 256 random bits as 43 characters of base64url.
    public let value: String
}

extension ClientSecret: Redacted {}

/// Storage of clients.
public protocol ClientStorage: Sendable {
    /// Stores a new client.
    /// - Throws: `client_already_exists`.
    func insertClient(_ client: Client, secretDigest: [UInt8], recording event: AuthEvent) async throws

    func clientSecretDigest(id: String) async throws -> [UInt8]?

    /// Replaces the stored digest, if it is still `digest`, by another digest of the same secret.
    /// - Returns: whether it was replaced.
    func replaceClientSecretDigest(id: String, _ digest: [UInt8], with other: [UInt8]) async throws -> Bool

    /// Lists all clients in the order of their ids.
    func clients() async throws -> [Client]

    /// Lists the ids, in their order, of the clients whose digests do not begin with `mark`. A
    /// digest of at most 32 bytes, the length without a mark, begins with none.
    func clients(notMarked mark: [UInt8]) async throws -> [String]

    /// Deletes a client and records the event.
    /// - Returns: whether there was such a client.
    func deleteClient(id: String, recording event: AuthEvent) async throws -> Bool
}
