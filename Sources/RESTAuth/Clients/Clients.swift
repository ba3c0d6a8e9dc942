import Crypto
import Foundation

/// The door to clients: add, authenticate, list, remove.
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
    /// - Throws: `validation_failed` for an id that is not 1 to 64 letters, digits and `. _ -` of
    ///   ASCII, `client_already_exists`.
    public func add(_ id: String) async throws -> ClientSecret {
        guard Self.isID(id) else {
            throw AuthError(
                .validationFailed, "a client's id is 1 to 64 letters, digits and . _ - of ASCII", field: "client_id")
        }
        let secret = ClientSecret(value: SymmetricKey(size: .bits256).withUnsafeBytes { Base64.url.encode(Array($0)) })
        try await storage.insertClient(
            Client(id: id, createdAt: now()), secretDigest: digest(of: secret.value, by: secrets.known.maker))
        AuthEvent.clientAdded(id: id).record()
        return secret
    }

    /// Makes sure that a caller is the client it says it is. The same work is done for a client
    /// that does not exist.
    ///
    /// A digest that was keyed by the previous secret is replaced by one of the present.
    /// - Returns: who it is.
    /// - Throws: `invalid_client`.
    @discardableResult
    public func authenticate(_ id: String, secret: String) async throws -> ClientIdentity {
        let stored = Self.isID(id) ? try await storage.clientSecretDigest(id: id) : nil
        if let stored, isOfUnknownSecret(stored) { try await keys.followSecretsNow() }
        let known = secrets.known
        // Each is computed, whatever is stored.
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
            // Who has shown the right secret is not refused because the database is full.
            _ = try? await storage.replaceClientSecretDigest(
                id: id, stored, with: digest(of: secret, by: known.maker))
        }
        return ClientIdentity(id: id)
    }

    /// In the order of their ids.
    public func list() async throws -> [Client] {
        try await storage.clients()
    }

    /// Refuses the client from the next request on.
    /// - Throws: `client_not_found`.
    public func remove(_ id: String) async throws {
        guard try await storage.deleteClient(id: id) else {
            throw AuthError(.clientNotFound, "there is no client \(id)")
        }
        AuthEvent.clientRemoved(id: id).record()
    }

    private static func isID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
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
        let key = maker.secret.key(for: "client secret digests")
        return maker.mark + Array(HMAC<SHA256>.authenticationCode(for: Data(secret.utf8), using: key))
    }

    private func isMarked(_ digest: [UInt8]) -> Bool { digest.count > SHA256.byteCount }

    private func isOfUnknownSecret(_ digest: [UInt8]) -> Bool {
        isMarked(digest) && secrets.known.makers(of: digest, isMarked: true).isEmpty
    }
}
