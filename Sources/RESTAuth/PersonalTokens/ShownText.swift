/// A text for people to read in a list: a name or a note.
enum ShownText {
    /// Whether a text has 1 to `longest` Unicode scalars, one of them to be seen, no blank at
    /// either end, and none that could steer a terminal or turn the text around.
    static func isGood(_ text: String, longest: Int) -> Bool {
        let scalars = text.unicodeScalars
        return (1...longest).contains(scalars.count) && scalars.allSatisfy(isAllowed)
            && scalars.contains(where: isVisible)
            && scalars.first?.properties.isWhitespace == false && scalars.last?.properties.isWhitespace == false
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
        default: !scalar.properties.isBidiControl
        }
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .format, .spaceSeparator, .nonspacingMark, .enclosingMark, .spacingMark: false
        // The pattern without a dot is printed as nothing.
        default: !scalar.properties.isDefaultIgnorableCodePoint && scalar != "\u{2800}"
        }
    }
}

extension ProgramToken {
    /// Longest name in Unicode scalars.
    package static let longestName = 64

    /// Checks the name of a token.
    /// - Throws: `validation_failed`.
    static func checkName(_ name: String) throws(AuthError) {
        guard ShownText.isGood(name, longest: longestName) else {
            throw AuthError(
                .validationFailed,
                """
                a token's name has 1 to \(longestName) characters that can be seen, no blank at either end and no \
                control characters
                """,
                field: "name")
        }
    }
}
