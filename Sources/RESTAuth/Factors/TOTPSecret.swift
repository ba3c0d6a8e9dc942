import Crypto
import Foundation
import PasswordHashing

/// The secret that an authenticator app shares with the server: 160 bits, the length that RFC 4226
/// section 4 recommends.
package struct TOTPSecret: Sendable {
    /// Length in bytes.
    package static let length = 20

    let key: SymmetricKey

    /// Makes a new random secret.
    package init() { key = SymmetricKey(data: Random.bytes(Self.length)) }

    /// Takes the bytes of a secret; `nil` if there are not ``length`` of them.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        key = SymmetricKey(data: bytes)
    }

    private var bytes: [UInt8] { key.withUnsafeBytes { Array($0) } }

    /// The secret in 32 characters, for its owner to type into an app.
    package var base32: String { Base32.encode(bytes) }
}

extension TOTPSecret: Redacted {}

// MARK: - At rest

extension TOTPSecret {
    private static let purpose = "factor secrets"

    /// Encrypts the secret under the present one of `secrets`. It can be decrypted only for the
    /// same factor of the same user.
    package func sealed(
        for factor: FactorDescription.ID, of user: User.ID, by secrets: KnownSecrets
    ) throws -> [UInt8] {
        try secrets.maker.seal(bytes, for: Self.purpose, boundTo: Self.context(factor, user))
    }

    /// Decrypts a secret.
    /// - Returns: the secret and the id of the instance's secret that encrypted it; `nil` if that
    ///   is none of `secrets`, or if the row belongs to another factor or user, or was altered.
    package static func opened(
        _ sealed: [UInt8], for factor: FactorDescription.ID, of user: User.ID, by secrets: KnownSecrets
    ) -> (secret: TOTPSecret, under: SecretID)? {
        guard let (bytes, id) = secrets.open(sealed, for: purpose, boundTo: context(factor, user)),
            let secret = TOTPSecret(bytes: bytes)
        else { return nil }
        return (secret, id)
    }

    /// The text that the encryption is bound to. The user's id has a fixed length, so no two pairs
    /// have the same text.
    private static func context(_ factor: FactorDescription.ID, _ user: User.ID) -> [UInt8] {
        withUnsafeBytes(of: user.bigEndian, Array.init) + Array(factor.utf8)
    }
}
