import Crypto
import CryptoExtras
import Foundation

/// The key that the signatures of a passkey are checked with.
package struct PasskeyPublicKey: Sendable {
    private enum Material: Sendable {
        case p256(P256.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
    }

    private let material: Material
    package let algorithm: PasskeyAlgorithm

    /// Makes the key of its numbers; `nil` when they are none, as a point that is not on the curve.
    package init?(_ key: COSEKey) {
        algorithm = key.algorithm
        let material: Material? =
            switch key {
            case .es256(let x, let y):
                (try? P256.Signing.PublicKey(rawRepresentation: Array(x) + Array(y))).map { .p256($0) }
            case .edDSA(let x):
                (try? Curve25519.Signing.PublicKey(rawRepresentation: Array(x))).map { .ed25519($0) }
            case .rs256(let n, let e):
                (try? _RSA.Signing.PublicKey(n: Array(n), e: Array(e))).map { .rsa($0) }
            }
        guard let material else { return nil }
        self.material = material
    }

    /// Reads a stored key: the bytes that the authenticator gave.
    package init?(stored bytes: [UInt8]) {
        guard let item = CBOR(bytes[...]), let key = COSEKey(item) else { return nil }
        self.init(key)
    }

    /// Whether `signature` is that of `bytes`, written as WebAuthn Level 3 section 6.5.5 says.
    package func accepts(_ signature: [UInt8], for bytes: [UInt8]) -> Bool {
        switch material {
        case .p256(let key):
            (try? P256.Signing.ECDSASignature(derRepresentation: signature)).map {
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
