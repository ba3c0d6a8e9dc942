/// A role: a word that the adopter chooses and that tokens carry.
public enum Role {
    /// Checks that a role is 1 to 64 ASCII letters, digits and marks `. _ : -`, so that a header, a
    /// claim and a list carry it unchanged.
    /// - Throws: `validation_failed`.
    public static func check(_ name: String, field: String = "role") throws(AuthError) {
        let isValid =
            (1...64).contains(name.utf8.count) && !isSegment(name)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isValid else {
            throw AuthError(.validationFailed, "a role is 1 to 64 letters, digits and . _ : - of ASCII", field: field)
        }
    }

    /// Whether a text means another place in a path (RFC 3986 section 3.3), so that programs change
    /// the path that it stands in.
    static func isSegment(_ text: String) -> Bool { WireText(text).equals(".") || WireText(text).equals("..") }

    /// Longest total of all roles of a user, in characters: with more, no token could carry them.
    public static let maximumTotalLength = 512

    /// Checks the total length of a user's roles.
    /// - Throws: `validation_failed` for more than ``maximumTotalLength``.
    public static func check(totalLength: Int, field: String = "role") throws(AuthError) {
        guard totalLength <= maximumTotalLength else {
            throw AuthError(
                .validationFailed,
                """
                all roles of a user have \(maximumTotalLength) characters at most together, so that tokens can carry \
                them
                """,
                field: field)
        }
    }
}
