/// A value given by a variable or a file, without what `echo`, env files and editors leave around
/// it: blanks and line ends, a byte order mark, one pair of quotes.
///
/// The text inside is unchanged. A text with invisible characters is refused: it cannot be told
/// whether they were meant, and a secret with one of them is another secret.
package struct GivenText: Sendable {
    /// The text; empty when there was nothing else than blanks, mark and quotes.
    package let text: String
    /// Whether quotes were removed.
    package let wasQuoted: Bool

    /// Reads a value.
    /// - Parameter keepsLines: whether line ends and tabs inside are part of the text.
    /// - Throws: `misconfigured` with the name of the doubtful character, and never the text; the
    ///   message continues a sentence that begins with the name of the variable or file.
    package init(_ bytes: some Collection<UInt8>, keepsLines: Bool = false) throws(AuthError) {
        guard let whole = String(validating: bytes, as: UTF8.self) else {
            throw AuthError(.misconfigured, "is not UTF-8")
        }
        let outer = Self.trimmed(whole.unicodeScalars[...])
        // Quotes at both ends of several lines are not necessarily a pair.
        let inner = outer.contains("\n") ? outer : Self.unquoted(outer)
        wasQuoted = inner.endIndex != outer.endIndex
        let scalars = Self.trimmed(inner)
        try Self.refuseDoubtful(in: scalars, keepsLines: keepsLines)
        text = String(scalars)
    }

    /// Removes the four usual blanks only; others may have been meant.
    private static func trimmed(_ scalars: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        func isBlank(_ scalar: Unicode.Scalar) -> Bool {
            scalar == " " || scalar == "\t" || scalar == "\r" || scalar == "\n"
        }
        // U+FEFF is a byte order mark only at the beginning.
        var rest = scalars.drop { isBlank($0) || $0 == "\u{FEFF}" }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }

    private static func unquoted(_ scalars: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        guard let first = scalars.first, first == "\"" || first == "'", scalars.count > 1, scalars.last == first else {
            return scalars
        }
        return scalars.dropFirst().dropLast()
    }

    // MARK: What could be meant

    /// Refuses doubtful characters.
    /// - Throws: `misconfigured` for a control character, an invisible or directional character, a
    ///   blank other than the space, a replacement character (bytes that were not UTF-8), and a
    ///   typographic quote at either end.
    package static func refuseDoubtful(
        in scalars: Substring.UnicodeScalarView, keepsLines: Bool = false
    ) throws(AuthError) {
        for (index, scalar) in scalars.enumerated() where isUnseen(scalar) {
            if keepsLines, scalar == "\n" || scalar == "\r" || scalar == "\t" { continue }
            throw AuthError(
                .misconfigured, "has \(name(of: scalar)) as character \(index + 1): write it again without that")
        }
        for scalar in [scalars.first, scalars.last].compactMap(\.self) where isTypographicQuote(scalar) {
            throw AuthError(
                .misconfigured,
                "begins or ends with \(name(of: scalar)), which a word processor made of a quote: leave it out")
        }
    }

    private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        case .spaceSeparator: scalar != " "
        default: scalar == "\u{FFFD}"
        }
    }

    private static func isTypographicQuote(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .initialPunctuation, .finalPunctuation: true
        // German quotes stand below the line.
        default: scalar == "\u{201E}" || scalar == "\u{201A}"
        }
    }

    /// Name of a character for a message, such as `U+00A0 (no-break space)`.
    package static func name(of scalar: Unicode.Scalar) -> String { "\(scalar.codePoint) (\(word(for: scalar)))" }

    /// Names of the control characters are given here, as Unicode has none.
    private static func word(for scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\0": "null"
        case "\t": "tab"
        case "\n": "line feed"
        case "\r": "carriage return"
        default: scalar.properties.name?.lowercased() ?? "control character"
        }
    }
}

extension GivenText: Redacted {}
