/// A mail address (RFC 5321 section 4.1.2): a dot-string, an at sign, and a domain of letters,
/// digits and hyphens.
///
/// Quoted local parts, address literals, comments and characters beyond ASCII are refused; a domain
/// in another script is given in its ASCII form (`xn--…`).
public struct EmailAddress: Sendable, Hashable {
    /// The address as it was given.
    public let text: String
    /// The form by which addresses are compared: the domain in lower case, and the local part as it
    /// is, because only its own server knows whether case matters there (RFC 5321 section 2.4).
    public let key: String

    /// Longest address in bytes (RFC 5321 section 4.5.3.1.3, without the angle brackets).
    public static let maximumBytes = 254
    private static let longestLocalPart = 64
    private static let longestLabel = 63

    /// - Throws: `validation_failed`.
    public init(_ text: String) throws(AuthError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumBytes, let at = bytes.lastIndex(of: UInt8(ascii: "@")) else {
            throw Self.refused
        }
        let (local, domain) = (bytes[..<at], bytes[(at + 1)...])
        guard local.count <= Self.longestLocalPart, Self.isDotString(local), Self.isDomain(domain) else {
            throw Self.refused
        }
        self.text = text
        key =
            String(decoding: local, as: UTF8.self) + "@"
            + WireText(String(decoding: domain, as: UTF8.self)).lowercased.string
    }

    private static let refused = AuthError(
        .validationFailed,
        "email must be one address such as susan@example.com, of at most \(maximumBytes) characters of ASCII",
        field: "email")

    private static func isDotString(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { isAlphanumeric($0) || marks.contains($0) }
        }
    }

    /// Characters of an atom that are neither letters nor digits (RFC 5322 section 3.2.3).
    private static let marks = Set("!#$%&'*+-/=?^_`{|}~".utf8)

    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...longestLabel).contains(label.count) && label.first != UInt8(ascii: "-")
                && label.last != UInt8(ascii: "-")
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
