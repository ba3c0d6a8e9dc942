public import Foundation

/// A program that an operator allowed to ask about tokens: it signs in with a secret of its own
/// (RFC 6749 section 2.3.1).
public struct Client: Sendable, Hashable, Identifiable {
    /// `client_id`: chosen by the operator.
    public let id: String
    public let createdAt: Date

    public init(id: String, createdAt: Date) {
        self.id = id
        self.createdAt = createdAt
    }
}

/// The secret of a client, shown once.
public struct ClientSecret: Sendable {
    /// For the client only: 256 random bits as 43 characters of base64url.
    public let value: String
}

extension ClientSecret: Redacted {}

/// The promises about clients' rows.
public protocol ClientStorage: Sendable {
    /// - Throws: `client_already_exists`.
    func insertClient(_ client: Client, secretDigest: [UInt8], recording event: AuthEvent) async throws

    func clientSecretDigest(id: String) async throws -> [UInt8]?

    /// Stores another digest of the same secret, if the one that is stored is still as given.
    /// - Returns: whether it was.
    func replaceClientSecretDigest(id: String, _ digest: [UInt8], with other: [UInt8]) async throws -> Bool

    /// In the order of their ids.
    func clients() async throws -> [Client]

    /// The ids of the clients whose digests do not begin with `mark`, or are no longer than a
    /// digest without one, in their order.
    func clients(notMarked mark: [UInt8]) async throws -> [String]

    /// - Returns: whether there was such a client.
    func deleteClient(id: String, recording event: AuthEvent) async throws -> Bool
}
