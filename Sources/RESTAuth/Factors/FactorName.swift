/// The name that a user gives to a factor, to tell it from others.
package struct FactorName: Sendable, Hashable {
    package let text: String

    /// Longest name in Unicode scalars.
    package static let longest = 64

    /// Checks a name.
    /// - Throws: `validation_failed` for a text that is empty or longer than ``longest``, that
    ///   begins or ends with a blank, has a character that could steer a terminal or turn the text
    ///   around, or has none that can be seen.
    package init(_ text: String) throws(AuthError) {
        let scalars = text.unicodeScalars
        guard (1...Self.longest).contains(scalars.count), scalars.allSatisfy(Self.isAllowed),
            scalars.first?.properties.isWhitespace == false, scalars.last?.properties.isWhitespace == false,
            scalars.contains(where: Self.isVisible)
        else {
            throw AuthError(
                .validationFailed,
                """
                a factor's name has 1 to \(Self.longest) characters, of which one can be seen, no blank at either end \
                and no control characters
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

    /// Whether the character leaves a mark of its own. Marks that only change another character do
    /// not, nor does the empty cell of Braille, which is a symbol by its category.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        guard !scalar.properties.isDefaultIgnorableCodePoint, scalar.value != 0x2800 else { return false }
        return switch scalar.properties.generalCategory {
        case .format, .nonspacingMark, .enclosingMark, .spaceSeparator: false
        default: true
        }
    }
}
