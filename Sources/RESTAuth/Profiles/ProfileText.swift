/// Rules for the texts of a profile. Each function throws `validation_failed` for its field.
enum ProfileText {
    /// Longest name in Unicode scalars.
    static let longestName = 128
    private static let longestZone = 64

    static func name(_ text: String) throws(AuthError) -> String {
        guard ShownText.isGood(text, longest: longestName) else {
            throw refused(
                .name,
                """
                must have 1 to \(longestName) characters, one of them visible, no blank at either end, and no \
                control characters
                """)
        }
        return text
    }

    static func locale(_ text: String) throws(AuthError) -> String {
        guard LanguageTag.isWellFormed(text) else {
            throw refused(.locale, "must be a language tag such as en or de-AT")
        }
        return text
    }

    /// Checks the form of a name in the IANA database (its file `theory.html`), not whether there
    /// is a zone of that name: databases differ in age.
    static func zoneinfo(_ text: String) throws(AuthError) -> String {
        let parts = Array(text.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isName =
            text.utf8.count <= longestZone && (1...3).contains(parts.count)
            && parts.allSatisfy { part in
                part.first.map { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "+") && isZoneCharacter($0) } == true
                    && part.allSatisfy(isZoneCharacter)
            }
        guard isName else { throw refused(.zoneinfo, "must be the name of a time zone such as Europe/Vienna") }
        return text
    }

    private static func isZoneCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
            true
        default: false
        }
    }

    /// Checks that a text is an absolute https URL without user information (``PictureURL``).
    static func picture(_ text: String) throws(AuthError) -> String {
        guard PictureURL.isValid(text) else {
            throw refused(.picture, "must be an https URL of at most \(PictureURL.maximumBytes) characters")
        }
        return text
    }

    static func refused(_ field: ProfileField, _ rule: String) -> AuthError {
        AuthError(.validationFailed, "\(field.rawValue) \(rule)", field: field.rawValue)
    }
}
