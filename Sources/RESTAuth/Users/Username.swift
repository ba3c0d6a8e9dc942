import Foundation

/// A user name, parsed once: the text as typed, and the canonical form by which names are compared.
///
/// The canonical form is that of the UsernameCaseMapped profile (RFC 8265 section 3.3): full-width
/// and half-width characters folded, lower case, NFC. It is applied until nothing changes any more,
/// so no name has two forms.
///
/// The profile's rules apply. Also refused are a colon (it ends the name in HTTP Basic, RFC 7617),
/// a text that looks like a token (it would never be looked up as a name), and the marks that end a
/// string or a statement, or begin another, in other people's SQL, HTML and shells: double quote,
/// backquote, backslash, angle brackets, semicolon, bar, ampersand, a dollar sign before a
/// parenthesis, and an apostrophe that is not between two letters. So are two blanks in a row, and
/// a mark that has nothing before it to combine with (RFC 5891 section 4.2.3.2): at the beginning,
/// and after a blank.
///
/// A name that is older than a rule stays valid, and its user is found by it (``init(whoever:)``).
public struct Username: Sendable, Hashable {
    /// The name as typed: 1 to ``maximumBytes`` octets of UTF-8, so that a mail address is a valid
    /// name (RFC 5321 section 4.5.3.1.3, whose 256 octets include the angle brackets). Older names
    /// may be longer, with up to 64 code points.
    public let text: String
    /// The canonical form, under which the name is unique and found.
    public let canonical: String

    /// Longest name in octets of UTF-8, both as typed and in canonical form.
    public static let maximumBytes = 254
    /// Longest name in code points by the rule for older names.
    private static let formerMaximumLength = 64

    /// Parses the name of a user to be registered.
    /// - Throws: ``AuthError/Code/validationFailed`` with the reason.
    public init(_ text: String) throws(AuthError) {
        try self.init(whoever: text)
        guard text.utf8.count <= Self.maximumBytes else { throw Self.tooLong }
        if Self.plainForm(of: text) == nil { try Self.checkNew(canonical) }
    }

    /// Parses the name of a user who may exist already, by the rules for older names too.
    /// - Throws: ``AuthError/Code/validationFailed`` for a text that was never a valid name.
    public init(whoever text: String) throws(AuthError) {
        if let canonical = Self.plainForm(of: text) {
            self.text = text
            self.canonical = canonical
            return
        }
        guard !text.isEmpty else { throw Self.refused("missing argument: username is empty") }
        guard text.utf8.count <= Self.maximumBytes || text.unicodeScalars.count <= Self.formerMaximumLength else {
            throw Self.tooLong
        }
        // The text as typed is checked, before lower case can hide what it was (RFC 8265 section
        // 3.3.1).
        try Self.checkCharacters(text)
        guard let canonical = Self.canonicalForm(of: text) else {
            throw Self.refused("username has no stable lower-case form")
        }
        self.text = text
        self.canonical = canonical
        try Self.check(canonical)
    }

    private static func refused(_ reason: String) -> AuthError {
        AuthError(.validationFailed, reason, field: "username")
    }

    private static let tooLong = refused("username is longer than \(maximumBytes) octets of UTF-8")

    /// Makes the error that names a refused character, and shows it if it is visible.
    private static func refused(_ scalar: Unicode.Scalar) -> AuthError {
        refused(
            """
            username has the character \(scalar.codePoint)\(isVisible(scalar) ? " (\(scalar))" : ""), which is not \
            allowed
            """
        )
    }

    /// Whether a character can be shown in a sentence: it is not a blank, does not combine with
    /// others, and does not change the writing direction.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse,
            .unassigned, .nonspacingMark, .spacingMark, .enclosingMark:
            false
        default: !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    // MARK: Form

    /// The canonical form of a name of ASCII letters, digits and marks that all rules allow
    /// anywhere; `nil` for any other name. Most names are of this kind, and in a long list of names
    /// the full rules would take most of the time.
    private static func plainForm(of text: String) -> String? {
        guard (1...maximumBytes).contains(text.utf8.count) else { return nil }
        var hasCapitals = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): hasCapitals = true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "@"), UInt8(ascii: "+"):
                continue
            default: return nil
            }
        }
        let form = hasCapitals ? text.lowercased() : text
        return looksLikeToken(form.utf8) ? nil : form
    }

    static func canonicalForm(of text: String) -> String? {
        var form = text
        // A second round settles every known case; a name that still changes after four has no form
        // (RFC 8264 section 7).
        for _ in 0..<4 {
            let next = form.unicodeScalars.map(foldWidth).joined().lowercased().precomposedStringWithCanonicalMapping
            if next.unicodeScalars.elementsEqual(form.unicodeScalars) { return form }
            form = next
        }
        return nil
    }

    /// Applies the width mapping rule: only the full-width and half-width forms (U+FF01 to U+FFEE)
    /// are decomposed.
    private static func foldWidth(_ scalar: Unicode.Scalar) -> String {
        (0xFF01...0xFFEE).contains(scalar.value)
            ? String(scalar).precomposedStringWithCompatibilityMapping : String(scalar)
    }

    // MARK: Rules

    private static func check(_ name: String) throws(AuthError) {
        guard !looksLikeToken(name.utf8) else { throw refused("username looks like a token") }
        try checkCharacters(name)
        let scalars = Array(name.unicodeScalars)
        guard scalars.first != " ", scalars.last != " " else { throw refused("username starts or ends with a blank") }
        guard BidiRule.allows(scalars) else { throw refused("username mixes writing directions") }
    }

    /// Checks the rules that older names may break.
    private static func checkNew(_ name: String) throws(AuthError) {
        let scalars = Array(name.unicodeScalars)
        guard name.utf8.count <= maximumBytes else {
            throw refused("username is longer than \(maximumBytes) octets of UTF-8 in small letters")
        }
        if let scalar = scalars.first(where: disallowed.contains) { throw refused(scalar) }
        var last: Unicode.Scalar = " "
        for scalar in scalars {
            switch (last, scalar) {
            case (" ", " "): throw refused("username has two blanks in a row")
            case (" ", _) where isMark(scalar):
                throw refused("username has a mark with nothing before it to combine with")
            case ("$", "("): throw refused("username has a dollar sign before a parenthesis")
            default: last = scalar
            }
        }
    }

    /// Characters refused in new names: the exceptions of RFC 5892 section 2.6 that are letters,
    /// digits or marks but not part of an identifier; and the bar and ampersand of shells.
    private static let disallowed = Set<Unicode.Scalar>([
        "\u{640}", "\u{7FA}", "\u{302E}", "\u{302F}", "\u{3031}", "\u{3032}", "\u{3033}", "\u{3034}", "\u{3035}",
        "\u{303B}", "|", "&",
    ])

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    private static func checkCharacters(_ name: String) throws(AuthError) {
        // Each folded character with the typed one that it comes from, which the error names.
        let folded = name.unicodeScalars.flatMap { typed in
            foldWidth(typed).unicodeScalars.map { (typed: typed, scalar: $0) }
        }
        let scalars = folded.map(\.scalar)
        for (index, (typed, scalar)) in folded.enumerated() {
            if scalar == "'" {
                let isBetweenLetters =
                    index > 0 && index + 1 < scalars.count && scalars[index - 1].properties.isAlphabetic
                    && scalars[index + 1].properties.isAlphabetic
                guard isBetweenLetters else {
                    throw refused("username has an apostrophe that is not between two letters")
                }
            }
            guard isAllowed(scalar) else { throw refused(typed) }
        }
    }

    /// The exceptions of RFC 5892 section 2.6 that are part of an identifier, although neither
    /// letters nor digits.
    private static let exceptions = Set<Unicode.Scalar>(["\u{6FD}", "\u{6FE}", "\u{F0B}", "\u{3007}"])

    private static let refusedMarks = Set<Unicode.Scalar>([":", "\"", "`", "\\", "<", ">", ";"])

    /// Whether a character is in the IdentifierClass of RFC 8264 section 4.2 or is a blank.
    /// Characters that need a context there (joiners, middle dots) are refused, except the Arabic
    /// digits: ``BidiRule`` keeps their two kinds apart.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        if exceptions.contains(scalar) { return true }
        if scalar.isASCII { return scalar.value >= 0x20 && scalar.value < 0x7F && !refusedMarks.contains(scalar) }
        let isLetterDigit =
            switch scalar.properties.generalCategory {
            case .lowercaseLetter, .uppercaseLetter, .otherLetter, .modifierLetter, .decimalNumber, .nonspacingMark,
                .spacingMark:
                true
            default: false
            }
        guard isLetterDigit, !scalar.properties.isDefaultIgnorableCodePoint, !isOldHangulJamo(scalar) else {
            return false
        }
        // HasCompat: a character with a compatibility form would be a second spelling of another
        // name.
        return String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars.elementsEqual([scalar]
        )
    }

    private static func isOldHangulJamo(_ scalar: Unicode.Scalar) -> Bool {
        (0x1100...0x11FF).contains(scalar.value) || (0xA960...0xA97C).contains(scalar.value)
            || (0xD7B0...0xD7FB).contains(scalar.value)
    }

    /// Whether `text` has the form of a compact JWS or JWE: base64url of `{"` and at least two
    /// dots; or begins as a token for programs does. The case of the `J`, and of a token for
    /// programs, does not matter, because names are compared without case.
    package static func looksLikeToken(_ text: some Collection<UInt8>) -> Bool {
        (text.starts(with: "eyJ".utf8) || text.starts(with: "eyj".utf8))
            && text.count(where: { $0 == UInt8(ascii: ".") }) >= 2 || ProgramToken.hasPrefixInAnyCase(text)
    }
}
