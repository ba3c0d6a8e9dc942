/// What keys and digests are made with.
package enum SecretsRoom: Room {
    package static let name = "secrets"

    package static let events: [AuthEvent.Name] = [.secretDropped, .secretRotated]
}

extension AuthEvent.Name {
    /// A secret is not accepted any more.
    public static let secretDropped = Self("secret.dropped", level: .notice)
    /// Everything new is made with another secret.
    public static let secretRotated = Self("secret.rotated", level: .notice)
}
