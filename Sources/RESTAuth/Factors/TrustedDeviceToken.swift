import Crypto
import PasswordHashing

/// The token of a device on which a user has given a second factor: 256 random bits, which the
/// device keeps and sends with the password the next time.
package struct TrustedDeviceToken: Sendable {
    private static let length = 32

    private let bytes: [UInt8]

    /// Makes a new random token.
    package init() { bytes = Random.bytes(Self.length) }

    /// Reads a token; `nil` for a text that is not the base64url of 32 bytes.
    package init?(_ text: String) {
        guard text.utf8.count <= 2 * Self.length, let bytes = Base64.url.decode(text.utf8), bytes.count == Self.length
        else { return nil }
        self.bytes = bytes
    }

    /// The token for the device: 43 characters of base64url.
    package var value: String { Base64.url.encode(bytes) }

    /// The digest for storage: SHA-256 of the user's id and the token, so that it is good for this
    /// user only. 256 random bits need no key, so the digest survives a change of the instance's
    /// secret.
    package func digest(for user: User.ID) -> [UInt8] {
        Array(SHA256.hash(data: withUnsafeBytes(of: user.bigEndian, Array.init) + bytes))
    }
}

extension TrustedDeviceToken: Redacted {}
