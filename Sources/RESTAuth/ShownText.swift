/// A text for people to read, in a list or beside others: a name or a note.
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

    /// Whether the character leaves a mark of its own. Marks that only change another character do
    /// not, nor does the empty cell of Braille, which is a symbol by its category.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .format, .spaceSeparator, .nonspacingMark, .enclosingMark, .spacingMark: false
        default: !scalar.properties.isDefaultIgnorableCodePoint && scalar != "\u{2800}"
        }
    }
}
