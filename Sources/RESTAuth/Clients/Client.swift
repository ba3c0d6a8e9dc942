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

extension ClientSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "redacted" }
    public var debugDescription: String { "redacted" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The promises about clients' rows.
public protocol ClientStorage: Sendable {
    /// - Throws: `client_already_exists`.
    func insertClient(_ client: Client, secretDigest: [UInt8]) async throws

    func clientSecretDigest(id: String) async throws -> [UInt8]?

    /// In the order of their ids.
    func clients() async throws -> [Client]

    /// - Returns: whether there was such a client.
    func deleteClient(id: String) async throws -> Bool
}
