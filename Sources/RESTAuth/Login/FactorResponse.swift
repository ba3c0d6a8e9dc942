/// The answer of a user who is asked for a factor.
public enum FactorResponse: Sendable {
    /// The code of an authenticator app, or a recovery code: the form tells which.
    case code(String)
    /// The answer of a passkey: the text of `AuthenticationResponseJSON` (WebAuthn Level 3
    /// section 5.1).
    case credential(String)
}

extension FactorResponse: Redacted {}

extension FactorResponse {
    /// The counter of a user's wrong answers of this form; `nil` where there is none, as for a text
    /// that is no code of any factor.
    func counter(of user: User.ID) -> ThrottleSubject? {
        guard case .code(let text) = self else { return nil }
        return switch FactorAnswer(text) {
        case .oneTimeCode: .oneTimeCode(of: user)
        case .recoveryCode: .recoveryCode(of: user)
        case nil: nil
        }
    }
}
