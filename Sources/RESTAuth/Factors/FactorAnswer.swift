/// A code that was typed in answer to a request for a factor. Its form tells the kind of factor:
/// six digits, or ten characters.
package enum FactorAnswer: Sendable {
    case oneTimeCode(OneTimeCode)
    case recoveryCode(RecoveryCode)

    /// Reads an answer; `nil` for a text of neither form, which is no right answer to anything.
    package init?(_ text: String) {
        if let code = OneTimeCode(text) {
            self = .oneTimeCode(code)
        } else if let code = RecoveryCode(text) {
            self = .recoveryCode(code)
        } else {
            return nil
        }
    }
}

extension FactorAnswer: Redacted {}
