import Crypto
import CryptoExtras
import Foundation

/// A key pair, with the private half in the clear.
package struct SigningKey: Sendable {
    private enum Material: Sendable {
        case p256(P256.Signing.PrivateKey)
        case ed25519(Curve25519.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    let algorithm: SigningAlgorithm
    package let publicKey: VerificationKey
    private let material: Material

    /// Makes a new key pair, whose id does not begin with a hyphen: on a command line that would be
    /// an option.
    package init(_ algorithm: SigningAlgorithm) throws {
        var key: Self
        repeat {
            key = try Self(algorithm, Self.newMaterial(algorithm))
        } while key.publicKey.id.utf8.first == UInt8(ascii: "-")
        self = key
    }

    private static func newMaterial(_ algorithm: SigningAlgorithm) throws -> Material {
        switch algorithm {
        case .es256: .p256(.init())
        case .edDSA: .ed25519(.init())
        case .rs256: .rsa(try .init(keySize: .bits3072))
        }
    }

    private init(_ algorithm: SigningAlgorithm, _ material: Material) throws {
        self.algorithm = algorithm
        self.material = material
        let verifier: VerificationKey.Material =
            switch material {
            case .p256(let key): .p256(key.publicKey)
            case .ed25519(let key): .ed25519(key.publicKey)
            case .rsa(let key): .rsa(key.publicKey)
            }
        publicKey = VerificationKey(algorithm, verifier, parameters: try Self.parameters(of: verifier))
    }

    /// The required members of the public JWK, in the order of their names (RFC 7638 section 3.2).
    private static func parameters(of material: VerificationKey.Material) throws -> [(String, String)] {
        switch material {
        case .p256(let key):
            let point = key.rawRepresentation
            return [
                ("crv", "P-256"), ("kty", "EC"), ("x", Base64.url.encode(point.prefix(32))),
                ("y", Base64.url.encode(point.suffix(32))),
            ]
        case .ed25519(let key):
            return [("crv", "Ed25519"), ("kty", "OKP"), ("x", Base64.url.encode(key.rawRepresentation))]
        case .rsa(let key):
            let numbers = try key.getKeyPrimitives()
            return [
                ("e", Base64.url.encode(numbers.publicExponent)), ("kty", "RSA"),
                ("n", Base64.url.encode(numbers.modulus)),
            ]
        }
    }

    /// Signs the claims and returns the token in compact form.
    func sign(_ claims: AccessTokenClaims, as type: AccessTokenType) throws -> String {
        let signingInput = Base64.url.encode(publicKey.header(type).bytes) + "." + Base64.url.encode(claims.json.bytes)
        return signingInput + "." + Base64.url.encode(try signature(of: Data(signingInput.utf8)))
    }

    /// The signature as RFC 7518 section 3 and RFC 8037 section 3.1 write it: with ECDSA it is `r`
    /// and `s`, 32 bytes each.
    private func signature(of signingInput: Data) throws -> Data {
        switch material {
        case .p256(let key): try key.signature(for: signingInput).rawRepresentation
        case .ed25519(let key): try key.signature(for: signingInput)
        case .rsa(let key):
            try key.signature(for: SHA256.hash(data: signingInput), padding: .insecurePKCS1v1_5).rawRepresentation
        }
    }
}

extension SigningKey: Redacted {}

// MARK: - At rest: AES-256-GCM under a key derived from an instance's secret, bound to the id

extension SigningKey {
    private static let purpose = "signing keys"

    private var privateBytes: Data {
        switch material {
        case .p256(let key): key.rawRepresentation
        case .ed25519(let key): key.rawRepresentation
        case .rsa(let key): key.derRepresentation
        }
    }

    /// Encrypts the private key. The result begins with the mark of `maker`.
    func sealed(by maker: SecretMaker) throws -> [UInt8] {
        try maker.seal(Array(privateBytes), for: Self.purpose, boundTo: Array(publicKey.id.utf8))
    }

    /// The key, and the id of the secret that it was encrypted under.
    /// - Throws: `misconfigured` when none of `secrets` decrypts the key, or its algorithm is
    ///   unknown.
    static func opened(_ stored: StoredSigningKey, by secrets: KnownSecrets) throws -> (SigningKey, SecretID) {
        guard let algorithm = SigningAlgorithm(rawValue: stored.algorithm) else {
            throw AuthError(
                .misconfigured, "the signing key \(stored.id) has the unknown algorithm \(stored.algorithm)")
        }
        if let (raw, id) = secrets.open(stored.sealed, for: purpose, boundTo: Array(stored.id.utf8)),
            let material = try? material(algorithm, Data(raw))
        {
            return (try SigningKey(algorithm, material), id)
        }
        throw AuthError(
            .misconfigured,
            """
            the signing keys in the database were encrypted under another secret key; start with the secret that was \
            in use before
            """
        )
    }

    private static func material(_ algorithm: SigningAlgorithm, _ raw: Data) throws -> Material {
        switch algorithm {
        case .es256: .p256(try .init(rawRepresentation: raw))
        case .edDSA: .ed25519(try .init(rawRepresentation: raw))
        case .rs256: .rsa(try .init(derRepresentation: raw))
        }
    }
}
