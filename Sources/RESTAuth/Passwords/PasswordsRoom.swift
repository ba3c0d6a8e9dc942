package import ServiceLifecycle

/// Passwords: their policy, and changing them.
package enum PasswordsRoom: Room {
    package static let name = "passwords"

    package static let events: [AuthEvent.Name] = [.passwordChanged, .passwordRehashed]

    package static func services(of auth: Auth) -> [any Service] {
        [auth.passwords.decoys]
    }
}

extension AuthEvent.Name {
    public static let passwordChanged = Self("password.changed", logName: "password_set", shownToOwner: .yes())
    /// A stored hash of another kind, or of less than today's cost, was replaced by one of the
    /// same password.
    public static let passwordRehashed = Self("password.rehashed", logName: "password_upgraded")
}
