/// Who may register without an operator.
public enum RegistrationMode: String, Sendable, CaseIterable {
    /// Whoever can reach the server: what the original Flask server does.
    case open
    /// Who has the code of an ``Invitation``.
    case invitation
    /// Nobody.
    case closed
}
