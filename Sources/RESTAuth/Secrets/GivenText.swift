/// A value that a variable or a file gave, without what `echo`, env files and editors leave around
/// it: blanks and line ends, a byte order mark, one pair of quotes.
///
/// What is inside is as it was given, and of the characters that nobody sees there is none: whether
/// they were meant cannot be told, and a secret with one of them is another secret.
package struct GivenText: Sendable {
    /// Empty when there was nothing but those.
    package let text: String
    /// Whether quotes were taken off.
    package let wasQuoted: Bool

    /// - Parameter keepsLines: whether line ends and tabs inside are part of the text.
    /// - Throws: `misconfigured`, naming the character that could have been meant, and never the
    ///   text; to be read after the name of the place.
    package init(_ bytes: some Collection<UInt8>, keepsLines: Bool = false) throws(AuthError) {
        guard let whole = String(validating: bytes, as: UTF8.self) else {
            throw AuthError(.misconfigured, "is not UTF-8")
        }
        let outer = Self.trimmed(whole.unicodeScalars[...])
        // Quotes at both ends of several lines need not be a pair.
        let inner = outer.contains("\n") ? outer : Self.unquoted(outer)
        wasQuoted = inner.endIndex != outer.endIndex
        let scalars = Self.trimmed(inner)
        try Self.refuseDoubtful(in: scalars, keepsLines: keepsLines)
        text = String(scalars)
    }

    /// Of other blanks it is not known that they are there by accident.
    private static func trimmed(_ scalars: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        func isBlank(_ scalar: Unicode.Scalar) -> Bool {
            scalar == " " || scalar == "\t" || scalar == "\r" || scalar == "\n"
        }
        // A byte order mark is one at the beginning only.
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

    /// - Throws: `misconfigured` for a control character, one that shows nothing or steers how text
    ///   runs, a blank other than the usual one, what stands for bytes that are no UTF-8, and a
    ///   quote that a word processor has turned, at either end.
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
        // German's stand below the line.
        default: scalar == "\u{201E}" || scalar == "\u{201A}"
        }
    }

    /// `U+00A0 (no-break space)`.
    package static func name(of scalar: Unicode.Scalar) -> String { "\(scalar.codePoint) (\(word(for: scalar)))" }

    /// Unicode names no control character.
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
