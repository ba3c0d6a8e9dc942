import Crypto
import Foundation

/// What hides the names of a user's roles in the list of revocations, which others may read: the
/// user's tokens carry it, so whoever verifies one of them can tell whether its roles are meant.
package struct RoleKey: Sendable, Hashable {
    /// 43 characters of base64url. As it stands, in UTF-8, it is the key.
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    init(of user: User.ID, secret: InstanceSecret) {
        let key = secret.key(for: "names of roles")
        text = Base64.url.encode(Array(HMAC<SHA256>.authenticationCode(for: Data(String(user).utf8), using: key)))
    }

    /// What stands for that role: HMAC-SHA-256 of its name, in base64url.
    package func digest(of role: String) -> String {
        let key = SymmetricKey(data: Data(text.utf8))
        return Base64.url.encode(Array(HMAC<SHA256>.authenticationCode(for: Data(role.utf8), using: key)))
    }
}
