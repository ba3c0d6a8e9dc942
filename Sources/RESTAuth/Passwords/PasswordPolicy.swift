/// Rules for the passwords that a registration or a change may set.
public enum PasswordPolicy: String, Sendable, CaseIterable {
    /// Anything that is not empty: what clients of the original Flask server send, `python`
    /// included.
    case open
    /// NIST SP 800-63B-4 section 3.1.1.2 for a password that is the only factor: at least 15
    /// characters, not common, not known from a breach (``AuthConfiguration/breachedPasswords``),
    /// not the user's name. No rules of composition, no expiry.
    case nist

    public static let nistMinimumLength = 15

    /// Checks a password against the rules.
    /// - Parameters:
    ///   - breached: the list of breached passwords.
    ///   - field: the name of the input field, for the error.
    /// - Throws: ``AuthError/Code/weakPassword`` with the rule that was broken.
    package func check(
        _ password: Password, for name: Username, breached: BreachedPasswords? = nil, field: String = "password"
    ) throws(AuthError) {
        guard self == .nist else { return }
        func weak(_ reason: String) -> AuthError { AuthError(.weakPassword, reason, field: field) }
        guard password.length >= Self.nistMinimumLength else {
            throw weak("password is shorter than \(Self.nistMinimumLength) characters")
        }
        let text = password.text.lowercased()
        guard !text.contains(name.canonical) || name.canonical.count < 4 && text != name.canonical else {
            throw weak("password contains the user name")
        }
        guard !CommonPasswords.contain(text) else {
            throw weak("password is one of those that are tried first")
        }
        guard breached?.contains(password.text) != true else {
            throw weak("password is among those known from breaches")
        }
    }
}
