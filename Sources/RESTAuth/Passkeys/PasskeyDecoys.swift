import Crypto
import PasswordHashing

/// Makes up passkeys for a name that has none, or that nobody has, so that whoever gives a name
/// before signing in does not learn which (WebAuthn Level 3 section 14.6.2).
///
/// A name has the same ones each time, while the secret is the same.
package struct PasskeyDecoys: Sendable {
    private let secrets: InstanceSecrets

    package init(secrets: InstanceSecrets) { self.secrets = secrets }

    /// - Parameter name: in its canonical form.
    package func descriptors(for name: String) -> [PasskeyDescriptor] {
        let key = secrets.known.present.key(for: "passkey decoys")
        let choice = Array(HMAC<SHA256>.authenticationCode(for: Array(name.utf8), using: key)).first ?? 0
        // Most are of telephones and computers, some of security keys.
        let (length, transports) =
            switch choice & 7 {
            case 0: (48, ["nfc", "usb"])
            case 1, 2: (32, ["internal"])
            case 3: (16, ["hybrid", "internal"])
            default: (20, ["hybrid", "internal"])
            }
        let id = HMAC<SHA512>.authenticationCode(for: [0] + Array(name.utf8), using: key)
        return [PasskeyDescriptor(credentialID: Array(id.prefix(length)), transports: transports)]
    }
}
