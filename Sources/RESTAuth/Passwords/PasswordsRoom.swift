package import ServiceLifecycle

/// Passwords: their policy, and changing them.
package enum PasswordsRoom: Room {
    package static let name = "passwords"

    package static let events: [AuthEvent.Name] = [
        .passwordChanged, .passwordLinkMade, .passwordLinkRefused, .passwordRehashed, .passwordReset,
    ]

    package static func services(of auth: Auth) -> [any Service] {
        [auth.passwords.decoys]
    }
}

extension AuthEvent.Name {
    public static let passwordChanged = Self("password.changed", logName: "password_set", shownToOwner: .yes())
    /// An operator made a link by which the user can set a password.
    public static let passwordLinkMade = Self("password.link_made", level: .notice, shownToOwner: .yes())
    /// Somebody came with a link that is not good, or not any more.
    public static let passwordLinkRefused = Self("password.link_refused", level: .notice, isDurable: false)
    /// The password was set by whoever had the link.
    public static let passwordReset = Self("password.reset", level: .notice, shownToOwner: .yes())
    /// A stored hash of another kind, or of less than today's cost, was replaced by one of the
    /// same password.
    public static let passwordRehashed = Self("password.rehashed", logName: "password_upgraded")
}
