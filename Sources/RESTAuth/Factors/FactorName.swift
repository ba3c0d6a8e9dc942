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
        guard ShownText.isGood(text, longest: Self.longest) else {
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
}
