/// Credentials that a client presented.
public enum Credentials: Sendable {
    /// A password, and the code of a second factor if one came along.
    case password(username: String, password: String, code: String? = nil)
    /// The bytes of a token in compact form.
    case token([UInt8])

    /// Reads the user name and password of HTTP Basic, with the code of a second factor that came
    /// in a field of its own. A user name with the outline of a token is
    /// taken for one, and the password beside it is ignored. `nil` when either has a control
    /// character, which HTTP Basic cannot carry.
    public init?(username: ArraySlice<UInt8>, password: ArraySlice<UInt8>, code: String? = nil) {
        if Username.looksLikeToken(username) {
            self = .token(Array(username))
            return
        }
        guard !(username + password).contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        self = .password(username: Self.text(username), password: Self.text(password), code: code)
    }

    /// The text as UTF-8 (RFC 7617 section 2.1), or as Latin-1 where it is no UTF-8.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}

extension Credentials: Redacted {}
