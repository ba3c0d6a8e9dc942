import Crypto
import Foundation

// Secrets in rows: AES-256-GCM under a key derived from an instance's secret for one purpose, and
// bound to the row.

extension SecretMaker {
    /// Encrypts a secret.
    /// - Parameters:
    ///   - secret: the secret in the clear.
    ///   - purpose: the purpose, from which the key is derived.
    ///   - context: the name of the row, which decrypting needs, too.
    /// - Returns: the mark, then nonce, ciphertext and tag.
    func seal(_ secret: [UInt8], for purpose: String, boundTo context: [UInt8]) throws -> [UInt8] {
        let box = try AES.GCM.seal(secret, using: self.secret.key(for: purpose), authenticating: context)
        guard let sealed = box.combined else { throw CryptoKitError.incorrectParameterSize }
        return mark + Array(sealed)
    }
}

extension KnownSecrets {
    /// Decrypts a secret of ``SecretMaker/seal(_:for:boundTo:)``.
    ///
    /// The length does not tell whether it begins with a mark, so both are tried; the tag tells
    /// which one is right.
    /// - Returns: the secret in the clear and the id of the one that encrypted it; `nil` if that is
    ///   none of these, or if anything was altered.
    func open(_ sealed: [UInt8], for purpose: String, boundTo context: [UInt8]) -> (secret: [UInt8], under: SecretID)? {
        for maker in [true, false].flatMap({ makers(of: sealed, isMarked: $0) }) {
            let key = maker.secret.key(for: purpose)
            if let box = try? AES.GCM.SealedBox(combined: sealed.dropFirst(maker.mark.count)),
                let secret = try? AES.GCM.open(box, using: key, authenticating: context)
            {
                return (Array(secret), maker.secret.id)
            }
        }
        return nil
    }
}
