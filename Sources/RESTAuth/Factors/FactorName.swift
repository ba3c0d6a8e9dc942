/// The name that a user gives to a factor, to tell it from others.
package struct FactorName: Sendable, Hashable {
    package let text: String

    /// Longest name in Unicode scalars.
    package static let longest = 64

    /// Checks a name.
    /// - Throws: `validation_failed` for a text that is empty or longer than ``longest``, that
    ///   begins or ends with a blank, or has a character that could steer a terminal or turn the
    ///   text around.
    package init(_ text: String) throws(AuthError) {
        let scalars = text.unicodeScalars
        guard (1...Self.longest).contains(scalars.count), scalars.allSatisfy(Self.isAllowed),
            scalars.first?.properties.isWhitespace == false, scalars.last?.properties.isWhitespace == false
        else {
            throw AuthError(
                .validationFailed,
                """
                a factor's name has 1 to \(Self.longest) characters, no blank at either end and no control characters
                """,
                field: "name")
        }
        self.text = text
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
        default: !scalar.properties.isBidiControl
        }
    }
}
