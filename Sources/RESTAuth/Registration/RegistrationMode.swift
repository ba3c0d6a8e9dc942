/// The rule for who may register without an operator.
public enum RegistrationMode: String, Sendable, CaseIterable {
    /// Everyone who can reach the server, as with the original Flask server.
    case open
    /// Everyone who has the code of an ``Invitation``.
    case invitation
    /// Nobody; only an operator registers users.
    case closed
}
