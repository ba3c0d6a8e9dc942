/// A scope: words that say what a token for programs may be used for (RFC 6749 section 3.3).
///
/// A password and an access token of a session have none, and allow everything that their user may.
public enum Scope {
    /// Reading one's own account at `/api/me` and its events, and the names of users; changing the
    /// profile, but not the address or the user name.
    public static let profile = "profile"
    /// Listing and ending one's own sessions.
    public static let sessions = "sessions"
    /// Listing and deleting one's own tokens for programs, and rotating the token itself.
    public static let tokens = "tokens"
    /// Everything of an operator, which includes ``operatorRead``. A token of a user reads with it,
    /// and changes nothing.
    public static let `operator` = "operator"
    /// What an operator may read.
    public static let operatorRead = "operator:read"

    /// The words that mean something to this server; all others are the adopter's.
    public static let own: Set<String> = [profile, sessions, tokens, `operator`, operatorRead]

    /// Longest word in bytes.
    public static let maximumLength = 64
    /// Greatest number of words of a token.
    public static let maximumCount = 20

    /// Checks the words of a token: 1 to ``maximumCount`` of them, each once, each 1 to
    /// ``maximumLength`` visible characters of ASCII other than `"` and `\`, and none that only
    /// looks like one of operators.
    /// - Throws: `validation_failed`, naming `field`.
    public static func check(_ words: [String], field: String = "scopes") throws(AuthError) {
        guard (1...maximumCount).contains(words.count) else {
            throw AuthError(.validationFailed, "a token has 1 to \(maximumCount) scopes", field: field)
        }
        guard words.allSatisfy(isWord) else {
            throw AuthError(
                .validationFailed,
                "a scope is 1 to \(maximumLength) visible characters of ASCII other than \" and \\", field: field)
        }
        if let unknown = words.first(where: { !isOfEveryone($0) && !own.contains($0) }) {
            throw AuthError(
                .validationFailed,
                "there is no scope \(unknown); those of operators are \(Self.operator) and \(operatorRead)",
                field: field)
        }
        guard Set(words).count == words.count else {
            throw AuthError(.validationFailed, "a scope is named twice", field: field)
        }
    }

    /// Whether a word has the syntax of a `scope-token`.
    static func isWord(_ word: String) -> Bool {
        (1...maximumLength).contains(word.utf8.count)
            && word.utf8.allSatisfy { byte in
                switch byte {
                case 0x21, 0x23...0x5B, 0x5D...0x7E: true
                default: false
                }
            }
    }
}

extension Identity {
    /// The scope of a token for programs; `nil` for everything that the identity may.
    public var scope: Set<String>? {
        switch self {
        case .user(let user): user.scope
        case .service(let service): service.scope
        case .client, .operator: nil
        }
    }

    /// Whether a user or a service account may do what takes this word: its scope has it, or it has
    /// no scope because it came with a password or in a session.
    public func allows(_ word: String) -> Bool {
        switch self {
        case .user(let user): user.scope?.allows(word) ?? true
        case .service(let service): service.scope.allows(word)
        case .client, .operator: false
        }
    }
}

extension Set<String> {
    /// Whether a scope of these words allows what takes `word`.
    package func allows(_ word: String) -> Bool {
        contains(word) || word == Scope.operatorRead && contains(Scope.operator)
    }
}
