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
