import Crypto
import PasswordHashing

/// The key of a user's recovery codes: 256 random bits, made anew with each set of codes.
///
/// A code has too few bits for a digest without a key. The key is stored encrypted under the
/// instance's secret, so a change of that secret encrypts the key anew, and every code stays good.
package struct RecoveryKey: Sendable {
    /// Length in bytes.
    package static let length = 32

    private let key: SymmetricKey

    /// Makes a new random key.
    package init() { key = SymmetricKey(data: Random.bytes(Self.length)) }

    private init?(bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// Makes the digest that stands for a code in the storage: HMAC-SHA-256, 32 bytes.
    package func digest(of code: RecoveryCode) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: code.characters, using: key))
    }
}

extension RecoveryKey: Redacted {}

// MARK: - At rest

extension RecoveryKey {
    private static let purpose = "recovery keys"

    /// Encrypts the key under the present one of `secrets`. It can be decrypted only for the same
    /// user.
    package func sealed(for user: User.ID, by secrets: KnownSecrets) throws -> [UInt8] {
        try secrets.maker.seal(key.withUnsafeBytes(Array.init), for: Self.purpose, boundTo: Self.context(user))
    }

    /// Decrypts a key.
    /// - Returns: the key and the id of the instance's secret that encrypted it; `nil` if that is
    ///   none of `secrets`, or if the row belongs to another user, or was altered.
    package static func opened(
        _ sealed: [UInt8], for user: User.ID, by secrets: KnownSecrets
    ) -> (key: RecoveryKey, under: SecretID)? {
        guard let (bytes, id) = secrets.open(sealed, for: purpose, boundTo: context(user)),
            let key = RecoveryKey(bytes: bytes)
        else { return nil }
        return (key, id)
    }

    private static func context(_ user: User.ID) -> [UInt8] { withUnsafeBytes(of: user.bigEndian, Array.init) }
}
