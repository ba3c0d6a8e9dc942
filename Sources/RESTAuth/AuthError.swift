/// Why a door refused, in words for the caller and a stable code for the program.
///
/// A struct with a code, so that a new code never breaks an adopter's `switch`.
public struct AuthError: Error, Sendable, Hashable {
    /// A stable, machine-readable name in snake_case; it is also the `code` of the problem document.
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A field is missing, of another type, or breaks a rule for names or passwords.
        public static let validationFailed = Code(rawValue: "validation_failed")
        /// The password breaks the password policy in force.
        public static let weakPassword = Code(rawValue: "weak_password")
        /// Another user has that name already, whatever its case.
        public static let userAlreadyExists = Code(rawValue: "user_already_exists")
        /// No user has that id or name.
        public static let userNotFound = Code(rawValue: "user_not_found")
        /// Nothing was presented that could sign anyone in.
        public static let credentialsRequired = Code(rawValue: "credentials_required")
        /// Wrong password, unknown or disabled user: one answer for all three.
        public static let invalidCredentials = Code(rawValue: "invalid_credentials")
        /// The token is malformed, forged, foreign, expired, or its user is gone or disabled: one answer for all.
        public static let invalidToken = Code(rawValue: "invalid_token")
        /// The token is good but a password given long ago, or any token, is not enough here (RFC 9470).
        public static let insufficientUserAuthentication = Code(rawValue: "insufficient_user_authentication")
        /// The credentials could not be parsed (RFC 6750 section 3.1).
        public static let invalidRequest = Code(rawValue: "invalid_request")
        /// More passwords are waiting to be hashed than the queue holds. ``AuthError/retryAfter`` says when to come back.
        public static let overloaded = Code(rawValue: "overloaded")
        /// The storage cannot be reached or written at the moment.
        public static let storageUnavailable = Code(rawValue: "storage_unavailable")
        /// The configuration or the data on disk does not allow a start.
        public static let misconfigured = Code(rawValue: "misconfigured")
    }

    public let code: Code
    /// A sentence that may be shown to whoever made the request.
    public let detail: String
    /// The input field that was refused, `username` or `password`, when there is one.
    public let field: String?
    /// Seconds to wait before another try, when waiting helps.
    public let retryAfter: Int?

    public init(_ code: Code, _ detail: String, field: String? = nil, retryAfter: Int? = nil) {
        self.code = code
        self.detail = detail
        self.field = field
        self.retryAfter = retryAfter
    }
}

extension AuthError: CustomStringConvertible {
    public var description: String { "\(code.rawValue): \(detail)" }
}

extension AuthError {
    static let invalidCredentials = AuthError(.invalidCredentials, "Unauthorized Access")
    static let invalidToken = AuthError(.invalidToken, "Unauthorized Access")
    static let userNotFound = AuthError(.userNotFound, "user not found")
}
