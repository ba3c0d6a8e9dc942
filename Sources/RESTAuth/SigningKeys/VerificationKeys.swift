import Crypto
import CryptoExtras
import Foundation
import Synchronization

/// The public half of a signing key, which checks the signatures of tokens.
package struct VerificationKey: Sendable {
    enum Material: Sendable {
        case p256(P256.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)

        /// Whether `signature` is that of `bytes`, in the form of RFC 7518 section 3 and RFC 8037
        /// section 3.1.
        func accepts(_ signature: some DataProtocol, for bytes: some DataProtocol) -> Bool {
            switch self {
            case .p256(let key):
                (try? P256.Signing.ECDSASignature(rawRepresentation: signature)).map {
                    key.isValidSignature($0, for: SHA256.hash(data: bytes))
                } ?? false
            case .ed25519(let key): key.isValidSignature(signature, for: bytes)
            case .rsa(let key):
                key.isValidSignature(
                    _RSA.Signing.RSASignature(rawRepresentation: signature), for: SHA256.hash(data: bytes),
                    padding: .insecurePKCS1v1_5)
            }
        }
    }

    /// The JWK thumbprint (RFC 7638).
    package let id: String
    /// The key as published (RFC 7517 section 4).
    package let jwk: JSON
    private let algorithm: SigningAlgorithm
    let material: Material

    /// Makes a key from its parameters, which name the algorithm as well: each kind of key is used
    /// with one.
    /// - Parameter parameters: the required members of the JWK, in the order of their names.
    init(_ algorithm: SigningAlgorithm, _ material: Material, parameters: [(String, String)]) {
        let members = parameters.map { JSON.Member(name: $0, value: .string($1)) }
        id = Base64.url.encode(Array(SHA256.hash(data: JSON.object(members).bytes)))
        jwk = .object(
            members
                + [("alg", algorithm.rawValue), ("use", "sig"), ("kid", id)].map {
                    JSON.Member(name: $0, value: .string($1))
                })
        self.algorithm = algorithm
        self.material = material
    }

    /// The header of every token of this key.
    func header(_ type: AccessTokenType) -> JSON {
        ["alg": .string(algorithm.rawValue), "kid": .string(id), "typ": .string(type.rawValue)]
    }

    /// Whether a header is that of an access token of this key.
    fileprivate func signs(_ header: JSON) -> Bool {
        header["alg"] == .string(algorithm.rawValue)
            && AccessTokenType.allCases.contains { header["typ"] == .string($0.rawValue) }
    }

    /// Reads a key that was published elsewhere.
    ///
    /// Checked: that its kind is one of those supported here, that `alg` and `use`, where they are
    /// there, agree with the kind, and that `kid` is its thumbprint. `nil` otherwise: such a key is
    /// for other tokens.
    package init?(jwk: JSON) {
        let (algorithm, names): (SigningAlgorithm, [String])
        switch (jwk["kty"], jwk["crv"]) {
        case ("EC", "P-256"): (algorithm, names) = (.es256, ["crv", "kty", "x", "y"])
        case ("OKP", "Ed25519"): (algorithm, names) = (.edDSA, ["crv", "kty", "x"])
        case ("RSA", nil): (algorithm, names) = (.rs256, ["e", "kty", "n"])
        default: return nil
        }
        let parameters = names.compactMap { name in jwk[name]?.string.map { (name, $0) } }
        guard parameters.count == names.count,
            (jwk["alg"] ?? .string(algorithm.rawValue)) == .string(algorithm.rawValue),
            (jwk["use"] ?? "sig") == "sig",
            let material = Self.material(algorithm, Dictionary(uniqueKeysWithValues: parameters))
        else { return nil }
        self.init(algorithm, material, parameters: parameters)
        guard jwk["kid"] == .string(id) else { return nil }
    }

    private static func material(_ algorithm: SigningAlgorithm, _ values: [String: String]) -> Material? {
        func bytes(_ name: String) -> [UInt8] { values[name].flatMap { Base64.url.decode($0.utf8) } ?? [] }
        return switch algorithm {
        case .es256: (try? P256.Signing.PublicKey(rawRepresentation: bytes("x") + bytes("y"))).map { .p256($0) }
        case .edDSA: (try? Curve25519.Signing.PublicKey(rawRepresentation: bytes("x"))).map { .ed25519($0) }
        // The initializer refuses keys of fewer than 2048 bits (RFC 7518 section 3.3).
        case .rs256: (try? _RSA.Signing.PublicKey(n: bytes("n"), e: bytes("e"))).map { .rsa($0) }
        }
    }
}

/// The keys that tokens are verified with.
///
/// Each key has one algorithm, fixed when it was made; a token's header must name both exactly. An
/// unknown `kid` is refused: there is no default to fall back to.
///
/// Like the set of revocations, the keys are believed only while they were read within a bound.
package final class VerificationKeys: Sendable {
    private let keys = Mutex<[String: VerificationKey]>([:])
    private let removals = Atomic(0)
    private let bound: Duration
    /// The time until which the keys are believed, in nanoseconds after ``origin``. It is atomic,
    /// because every token asks, and no token should wait for a lock.
    private let end = Atomic(Int64.min)
    private let origin = ContinuousClock.now

    /// A counter that changes when a key is taken away.
    var epoch: Int { removals.load(ordering: .acquiring) }

    /// - Parameter bound: the time for which the keys are believed after they were read.
    package init(bound: Duration) {
        self.bound = bound
    }

    /// Notes that these were all the keys at `instant`.
    package func confirm(at instant: ContinuousClock.Instant) {
        end.store(nanoseconds(of: instant + bound), ordering: .releasing)
    }

    /// Whether the keys were read within the bound: none of them was taken away longer ago than
    /// that.
    package func isConfirmed(at now: ContinuousClock.Instant = .now) -> Bool {
        nanoseconds(of: now) <= end.load(ordering: .acquiring)
    }

    private func nanoseconds(of instant: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (instant - origin).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    package func replace(with keys: [VerificationKey]) {
        let new = Dictionary(keys.map { ($0.id, $0) }) { first, _ in first }
        let isAnyRemoved = self.keys.withLock { keys in
            defer { keys = new }
            return keys.keys.contains { new[$0] == nil }
        }
        if isAnyRemoved { removals.add(1, ordering: .releasing) }
    }

    package func contains(_ id: String) -> Bool { keys.withLock { $0[id] != nil } }

    /// The payload of a token that one of these keys signed; `nil` for any other token.
    ///
    /// The header must have exactly the members that this server writes, with either
    /// ``AccessTokenType``, so nothing else in it (`crit`, `jwk`, `jku`, `x5u`, `b64`) has any
    /// effect.
    package func verifiedPayload(of jws: CompactJWS) -> JSON? {
        guard case .object(let parameters) = jws.header, parameters.count == 3,
            let id = jws.keyID, let key = keys.withLock({ $0[id] }),
            key.signs(jws.header), key.material.accepts(jws.signature, for: jws.signingInput)
        else { return nil }
        return jws.payload
    }
}
