import Crypto
import Foundation
import JWTKit

/// The keys that sign and verify access tokens.
///
/// Each key has one algorithm, fixed when it was made; a token's header must name both exactly. An unknown `kid` is refused: there is
/// no default to fall back to.
struct SigningKeys: Sendable {
    private struct Key: Sendable {
        let algorithm: any JWTAlgorithm
        /// What stands before the payload of every token of this key.
        let header: JSON
    }

    private let keys: [String: Key]
    private let signing: Key

    /// Loads the keys from the storage; makes the first one when there is none.
    /// - Throws: ``AuthError/Code/misconfigured`` when `secret` is not the one they were encrypted under.
    init(storage: any Storage, secret: InstanceSecret, now: Date) async throws {
        var stored = try await storage.signingKeys()
        if stored.isEmpty {
            try await storage.insertFirstSigningKey(SigningKey().sealed(under: secret, at: now))
            // Read again: another process may have been first.
            stored = try await storage.signingKeys()
        }
        var keys: [String: Key] = [:]
        for key in stored {
            let opened = try SigningKey(key, secret: secret)
            keys[key.id] = Key(
                algorithm: try await opened.algorithm(),
                header: ["alg": .string(key.algorithm), "kid": .string(key.id), "typ": "at+jwt"])
        }
        guard let newest = stored.max(by: { $0.createdAt < $1.createdAt }), let signing = keys[newest.id] else {
            throw AuthError(.misconfigured, "the storage kept no signing key")
        }
        self.keys = keys
        self.signing = signing
    }

    /// The token in compact form.
    func sign(_ claims: AccessTokenClaims) throws -> String {
        let signingInput = Base64.url.encode(signing.header.bytes) + "." + Base64.url.encode(claims.json.bytes)
        return signingInput + "." + Base64.url.encode(try signing.algorithm.sign(Array(signingInput.utf8)))
    }

    /// The payload of a token that one of these keys signed, else `nil`.
    ///
    /// The header must hold exactly what ours holds, so nothing in it (`crit`, `jwk`, `jku`, `x5u`, `b64`) can ask for anything.
    func verifiedPayload(of token: [UInt8]) -> JSON? {
        guard let jws = CompactJWS(token), case .object(let parameters) = jws.header, parameters.count == 3,
            let id = jws.header["kid"]?.string, let key = keys[id],
            jws.header["alg"] == key.header["alg"], jws.header["typ"] == key.header["typ"],
            (try? key.algorithm.verify(jws.signature, signs: jws.signingInput)) == true
        else { return nil }
        return jws.payload
    }
}

/// A key pair in the clear: ES256 (RFC 7518 section 3.4).
private struct SigningKey {
    static let es256 = "ES256"

    let privateKey: P256.Signing.PrivateKey

    init() {
        privateKey = P256.Signing.PrivateKey()
    }

    /// The JWK thumbprint of the public key (RFC 7638).
    var id: String {
        let point = privateKey.publicKey.rawRepresentation
        let (x, y) = (Base64.url.encode(point.prefix(32)), Base64.url.encode(point.suffix(32)))
        let canonical = #"{"crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#
        return Base64.url.encode(Array(SHA256.hash(data: Data(canonical.utf8))))
    }

    func algorithm() async throws -> any JWTAlgorithm {
        let collection = try await JWTKeyCollection().add(ecdsa: ES256PrivateKey(backing: privateKey))
        return try await collection.getKey()
    }

    // MARK: At rest: AES-256-GCM under a key derived from the instance's secret, bound to the id

    func sealed(under secret: InstanceSecret, at now: Date) throws -> StoredSigningKey {
        let box = try AES.GCM.seal(
            privateKey.rawRepresentation, using: secret.key(for: "signing keys"), authenticating: Data(id.utf8))
        guard let sealed = box.combined else { throw CryptoKitError.incorrectParameterSize }
        return StoredSigningKey(id: id, algorithm: Self.es256, sealed: Array(sealed), createdAt: now)
    }

    init(_ stored: StoredSigningKey, secret: InstanceSecret) throws {
        guard stored.algorithm == Self.es256 else {
            throw AuthError(.misconfigured, "the signing key \(stored.id) has the unknown algorithm \(stored.algorithm)")
        }
        guard let box = try? AES.GCM.SealedBox(combined: stored.sealed),
            let raw = try? AES.GCM.open(box, using: secret.key(for: "signing keys"), authenticating: Data(stored.id.utf8)),
            let key = try? P256.Signing.PrivateKey(rawRepresentation: raw)
        else {
            throw AuthError(
                .misconfigured,
                "the signing keys in the database were encrypted under another secret key; start with the secret that was in use before")
        }
        privateKey = key
    }
}
