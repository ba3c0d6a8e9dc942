/// The instance's secrets, which keys and digests are derived from.
package enum SecretsRoom: Room {
    package static let name = "secrets"

    package static let events: [AuthEvent.Name] = [.secretDropped, .secretRotated]
}

extension AuthEvent.Name {
    /// A secret is not accepted any more.
    public static let secretDropped = Self("secret.dropped", level: .notice)
    /// New tokens, digests and encrypted keys are made with another secret.
    public static let secretRotated = Self("secret.rotated", level: .notice)
}
