import Crypto
import Foundation

/// The key that hides the names of a user's roles in the published list of revocations. The user's
/// tokens carry it, so a verifier of one of them can tell whether an entry is about its roles.
package struct RoleKey: Sendable, Hashable {
    /// The text of the key, 43 characters of base64url, whose UTF-8 bytes are the HMAC key.
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    init(of user: User.ID, secret: InstanceSecret) {
        text = Base64.url.encode(secret.code(of: Array(String(user).utf8), for: "names of roles"))
    }

    /// The digest of a role: HMAC-SHA-256 of its name, in base64url.
    package func digest(of role: String) -> String {
        let key = SymmetricKey(data: Data(text.utf8))
        return Base64.url.encode(Array(HMAC<SHA256>.authenticationCode(for: Data(role.utf8), using: key)))
    }
}
