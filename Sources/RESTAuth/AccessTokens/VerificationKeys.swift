import Crypto
import CryptoExtras
import Foundation
import JWTKit
import Synchronization

/// The public half of a signing key: what a token's signature is checked with.
package struct VerificationKey: Sendable {
    /// The JWK thumbprint (RFC 7638).
    package let id: String
    /// As published (RFC 7517 section 4).
    package let jwk: JSON
    /// What stands before the payload of every token of this key.
    let header: JSON
    let verifier: any JWTAlgorithm

    /// From its key parameters, which name the algorithm as well: each kind of key is used in one
    /// way.
    /// - Parameter parameters: the required members of the JWK, in the order of their names.
    init(_ algorithm: SigningAlgorithm, parameters: [(String, String)], verifier: any JWTAlgorithm) {
        let members = parameters.map { JSON.Member(name: $0, value: .string($1)) }
        id = Base64.url.encode(Array(SHA256.hash(data: JSON.object(members).bytes)))
        jwk = .object(
            members
                + [("alg", algorithm.rawValue), ("use", "sig"), ("kid", id)].map {
                    JSON.Member(name: $0, value: .string($1))
                })
        header = ["alg": .string(algorithm.rawValue), "kid": .string(id), "typ": "at+jwt"]
        self.verifier = verifier
    }

    /// A key that was published elsewhere.
    ///
    /// Checked: that its kind is one of ours, that `alg` and `use`, where they are there, say what
    /// the kind does, and that `kid` is its thumbprint. `nil` otherwise: such a key is for someone
    /// else.
    package init?(jwk: JSON) async {
        let (algorithm, names): (SigningAlgorithm, [String])
        switch (jwk["kty"]?.string, jwk["crv"]?.string) {
        case ("EC", "P-256"): (algorithm, names) = (.es256, ["crv", "kty", "x", "y"])
        case ("OKP", "Ed25519"): (algorithm, names) = (.edDSA, ["crv", "kty", "x"])
        case ("RSA", nil): (algorithm, names) = (.rs256, ["e", "kty", "n"])
        default: return nil
        }
        let parameters = names.compactMap { name in jwk[name]?.string.map { (name, $0) } }
        guard parameters.count == names.count,
            (jwk["alg"] ?? .string(algorithm.rawValue)) == .string(algorithm.rawValue),
            (jwk["use"] ?? "sig") == "sig",
            let verifier = await Self.verifier(algorithm, Dictionary(uniqueKeysWithValues: parameters))
        else { return nil }
        self.init(algorithm, parameters: parameters, verifier: verifier)
        guard jwk["kid"] == .string(id) else { return nil }
    }

    private static func verifier(_ algorithm: SigningAlgorithm, _ values: [String: String]) async -> (any JWTAlgorithm)?
    {
        func bytes(_ name: String) -> [UInt8] { values[name].flatMap { Base64.url.decode($0.utf8) } ?? [] }
        let keys = JWTKeyCollection()
        switch algorithm {
        case .es256:
            guard let point = try? P256.Signing.PublicKey(rawRepresentation: bytes("x") + bytes("y")),
                let key = try? ES256PublicKey(backing: point)
            else { return nil }
            await keys.add(ecdsa: key)
        case .edDSA:
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes("x")) else { return nil }
            await keys.add(eddsa: EdDSA.PublicKey(backing: key))
        case .rs256:
            guard let numbers = try? _RSA.Signing.PublicKey(n: bytes("n"), e: bytes("e")),
                let key = try? Insecure.RSA.PublicKey(backing: numbers)
            else { return nil }
            await keys.add(rsa: key, digestAlgorithm: .sha256)
        }
        return try? await keys.getKey()
    }
}

/// The keys that tokens are verified with.
///
/// Each key has one algorithm, fixed when it was made; a token's header must name both exactly. An
/// unknown `kid` is refused: there is no default to fall back to.
package final class VerificationKeys: Sendable {
    private let keys = Mutex<[String: VerificationKey]>([:])
    private let removals = Atomic(0)

    /// Differs from what it was when a key has been taken away since.
    var epoch: Int { removals.load(ordering: .acquiring) }

    package init() {}

    package func replace(with keys: [VerificationKey]) {
        let new = Dictionary(keys.map { ($0.id, $0) }) { first, _ in first }
        let isAnyRemoved = self.keys.withLock { keys in
            defer { keys = new }
            return keys.keys.contains { new[$0] == nil }
        }
        if isAnyRemoved { removals.add(1, ordering: .releasing) }
    }

    package func contains(_ id: String) -> Bool { keys.withLock { $0[id] != nil } }

    /// The payload of a token that one of these keys signed, else `nil`.
    ///
    /// The header must hold exactly what ours holds, so nothing in it (`crit`, `jwk`, `jku`, `x5u`,
    /// `b64`) can ask for anything.
    func verifiedPayload(of token: [UInt8]) -> JSON? {
        guard let jws = CompactJWS(token), case .object(let parameters) = jws.header, parameters.count == 3,
            let id = jws.header["kid"]?.string, let key = keys.withLock({ $0[id] }),
            jws.header["alg"] == key.header["alg"], jws.header["typ"] == key.header["typ"],
            (try? key.verifier.verify(jws.signature, signs: jws.signingInput)) == true
        else { return nil }
        return jws.payload
    }
}
