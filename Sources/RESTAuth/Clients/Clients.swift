import Crypto
import Foundation
import PasswordHashing

/// Adds, authenticates, lists and removes clients.
public final class Clients: Sendable {
    let storage: any Storage
    let secrets: InstanceSecrets
    let keys: SigningKeys
    let now: @Sendable () -> Date

    init(storage: any Storage, secrets: InstanceSecrets, keys: SigningKeys, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.secrets = secrets
        self.keys = keys
        self.now = now
    }

    /// Adds a client and makes its secret. Stored: the id and a keyed digest of the secret.
    /// - Throws: `validation_failed` for an id that is not 1 to 64 ASCII letters, digits and `. _
    ///   -`, `client_already_exists`.
    public func add(_ id: String, by caller: Caller = .application) async throws -> ClientSecret {
        guard Self.isID(id) else {
            throw AuthError(
                .validationFailed, "a client's id is 1 to 64 letters, digits and . _ - of ASCII", field: "client_id")
        }
        let secret = ClientSecret(value: Base64.url.encode(Random.bytes(32)))
        let now = now()
        let event = AuthEvent.clientAdded(id: id).by(caller, at: now)
        try await storage.insertClient(
            Client(id: id, createdAt: now), secretDigest: digest(of: secret.value, by: secrets.known.maker),
            recording: event)
        event.record()
        return secret
    }

    /// Checks the secret of a client. An unknown client costs the same work as a known one.
    ///
    /// While a previous secret of the instance is still accepted, a digest made with it is replaced
    /// by one made with the present secret.
    /// - Returns: the identity of the client.
    /// - Throws: `invalid_client`.
    @discardableResult
    public func authenticate(_ id: String, secret: String) async throws -> ClientIdentity {
        let stored = Self.isID(id) ? try await storage.clientSecretDigest(id: id) : nil
        if let stored, isOfUnknownSecret(stored) { try await keys.followSecretsNow() }
        let known = secrets.known
        // Every digest is computed, so that the time does not reveal which one matched.
        let isEqual = known.all.reduce(false) { found, candidate in
            let maker = SecretMaker(secret: candidate, isMarked: stored.map(isMarked) ?? false)
            let digest = digest(of: secret, by: maker)
            return isEqualInConstantTime(digest, stored ?? digest) || found
        }
        guard isEqual, let stored else {
            AuthEvent.clientRefused(id: stored == nil ? nil : id).record()
            throw AuthError(.invalidClient, "the client's id or secret is wrong")
        }
        if known.previous != nil, !stored.starts(with: known.maker.mark) || !isMarked(stored) {
            // A client with the correct secret is not refused because the database takes no writes.
            _ = try? await storage.replaceClientSecretDigest(
                id: id, stored, with: digest(of: secret, by: known.maker))
        }
        return ClientIdentity(id: id)
    }

    /// Lists all clients in the order of their ids.
    public func list() async throws -> [Client] {
        try await storage.clients()
    }

    /// Finds a client.
    /// - Throws: `client_not_found`.
    public func find(_ id: String) async throws -> Client {
        guard let client = try await list().first(where: { $0.id.utf8.elementsEqual(id.utf8) }) else {
            throw Self.notFound(id)
        }
        return client
    }

    /// Deletes a client, which is refused from the next request on.
    /// - Throws: `client_not_found`.
    public func delete(_ id: String, by caller: Caller = .application) async throws {
        let event = AuthEvent.clientDeleted(id: id).by(caller, at: now())
        guard try await storage.deleteClient(id: id, recording: event) else {
            throw Self.notFound(id)
        }
        event.record()
    }

    private static func notFound(_ id: String) -> AuthError {
        AuthError(.clientNotFound, "there is no client \(id)")
    }

    /// Whether it can be the id of a client, or of a service account.
    static func isID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && !Role.isSegment(text)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private func digest(of secret: String, by maker: SecretMaker) -> [UInt8] {
        maker.mark + maker.secret.code(of: Array(secret.utf8), for: "client secret digests")
    }

    private func isMarked(_ digest: [UInt8]) -> Bool { digest.count > SHA256.byteCount }

    private func isOfUnknownSecret(_ digest: [UInt8]) -> Bool {
        isMarked(digest) && secrets.known.makers(of: digest, isMarked: true).isEmpty
    }
}
