/// Why a door refused, in words for the caller and a stable code for the program.
///
/// A struct with a code, so that a new code never breaks an adopter's `switch`.
public struct AuthError: Error, Sendable, Hashable {
    /// A stable, machine-readable name in snake_case; it is also the `code` of the problem
    /// document.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The name itself.
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        private init(_ kind: Kind) { rawValue = kind.rawValue }

        /// A field is missing, of another type, or breaks a rule for names or passwords.
        public static let validationFailed = Code(.validationFailed)
        /// The password breaks the password policy in force.
        public static let weakPassword = Code(.weakPassword)
        /// Another user has that name already, whatever its case.
        public static let userAlreadyExists = Code(.userAlreadyExists)
        /// No user has that id or name.
        public static let userNotFound = Code(.userNotFound)
        /// Nothing was presented that could sign anyone in.
        public static let credentialsRequired = Code(.credentialsRequired)
        /// Wrong password, unknown or disabled user: one answer for all three.
        public static let invalidCredentials = Code(.invalidCredentials)
        /// The password was right, and another factor has to follow.
        public static let mfaRequired = Code(.mfaRequired)
        /// The answer to a factor is not right, or not any more.
        public static let invalidCode = Code(.invalidCode)
        /// The ticket of a sign-in is forged, used up, expired, from elsewhere, or its user has
        /// another password by now: one answer for all.
        public static let ticketExpired = Code(.ticketExpired)
        /// The user has no factor of that name.
        public static let factorNotFound = Code(.factorNotFound)
        /// The token is malformed, forged, foreign, expired, or its user is gone or disabled: one
        /// answer for all.
        public static let invalidToken = Code(.invalidToken)
        /// The token is good but a password given long ago, or any token, is not enough here (RFC
        /// 9470).
        public static let insufficientUserAuthentication = Code(.insufficientUserAuthentication)
        /// The refresh token is malformed, of another instance, or of a session that has ended (RFC
        /// 6749 section 5.2).
        public static let invalidGrant = Code(.invalidGrant)
        /// A refresh token came back although a token in its place had been used; its session has
        /// been ended.
        public static let refreshTokenReused = Code(.refreshTokenReused)
        /// The session was not renewed in time, or has lived as long as any may.
        public static let sessionExpired = Code(.sessionExpired)
        /// The user has no session of that id.
        public static let sessionNotFound = Code(.sessionNotFound)
        /// Signed in, but without a role that this needs.
        public static let forbidden = Code(.forbidden)
        /// What was given as the present password is not.
        public static let currentPasswordInvalid = Code(.currentPasswordInvalid)
        /// The client's id or secret is wrong (RFC 6749 section 5.2).
        public static let invalidClient = Code(.invalidClient)
        /// Nobody can register here but by an operator.
        public static let signupDisabled = Code(.signupDisabled)
        /// Who registers here needs an invitation.
        public static let invitationRequired = Code(.invitationRequired)
        /// The invitation does not exist, was used or has expired: one answer for all three.
        public static let invitationInvalid = Code(.invitationInvalid)
        /// There is no invitation of that id.
        public static let invitationNotFound = Code(.invitationNotFound)
        /// Who registers here has to solve a challenge.
        public static let challengeRequired = Code(.challengeRequired)
        /// The challenge is malformed, forged, expired, not solved by that nonce, or was spent
        /// before: one answer for all.
        public static let challengeInvalid = Code(.challengeInvalid)
        /// There is a client of that id already.
        public static let clientAlreadyExists = Code(.clientAlreadyExists)
        /// There is no client of that id.
        public static let clientNotFound = Code(.clientNotFound)
        /// A new signing key has been made already and has not begun to sign.
        public static let keyPending = Code(.keyPending)
        /// The instance's secret has been changed already, and the one before is accepted still.
        public static let secretPending = Code(.secretPending)
        /// A row of the audit trail was altered, removed or moved, or the trail was set back.
        public static let auditTrailBroken = Code(.auditTrailBroken)
        /// There is no signing key of that id.
        public static let keyNotFound = Code(.keyNotFound)
        /// The credentials could not be parsed (RFC 6750 section 3.1).
        public static let invalidRequest = Code(.invalidRequest)
        /// Too many wrong passwords, or registrations, came before (RFC 6585 section 4).
        /// ``AuthError/retryAfter`` says when to come back.
        public static let rateLimited = Code(.rateLimited)
        /// More passwords are waiting to be hashed than the queue holds. ``AuthError/retryAfter``
        /// says when to come back.
        public static let overloaded = Code(.overloaded)
        /// The storage cannot be reached or written at the moment.
        public static let storageUnavailable = Code(.storageUnavailable)
        /// The configuration or the data on disk does not allow a start.
        public static let misconfigured = Code(.misconfigured)
    }

    /// What to decide by: the sentence may change, this does not.
    public let code: Code
    /// A sentence that may be shown to whoever made the request.
    public let detail: String
    /// The input field that was refused, as `username` or `new_password`, when there is one.
    public let field: String?
    /// Seconds to wait before another try, when waiting helps.
    public let retryAfter: Int?
    /// Seconds that the last sign-in may be ago, when it is too long ago (RFC 9470 section 3).
    public let maxAge: Int?
    /// The rule by which there were too many, when there were.
    public let policy: RateLimitPolicy?

    public init(
        _ code: Code, _ detail: String, field: String? = nil, retryAfter: Int? = nil, maxAge: Int? = nil,
        policy: RateLimitPolicy? = nil
    ) {
        self.code = code
        self.detail = detail
        self.field = field
        self.retryAfter = retryAfter
        self.maxAge = maxAge
        self.policy = policy
    }
}

/// How many of something are let through without a delay.
public struct RateLimitPolicy: Sendable, Hashable {
    /// What is counted: `account`, `network`, `registrations` and others.
    public let name: String
    /// How many there may be.
    public let quota: Int

    package init(name: String, quota: Int) {
        self.name = name
        self.quota = quota
    }
}

extension AuthError: CustomStringConvertible {
    public var description: String { "\(code.rawValue): \(detail)" }
}

extension AuthError {
    static let invalidCredentials = AuthError(.invalidCredentials, "Unauthorized Access")
    static let mfaRequired = AuthError(.mfaRequired, "the password is right, and another factor has to follow")
    static let ticketExpired = AuthError(.ticketExpired, "this sign-in cannot go on: begin with the password")
    package static let invalidToken = AuthError(.invalidToken, "Unauthorized Access")
    package static let credentialsRequired = AuthError(.credentialsRequired, "Unauthorized Access")
    static let invalidGrant = AuthError(.invalidGrant, "this refresh token is not good, or not any more: sign in again")
    static let userNotFound = AuthError(.userNotFound, "user not found")
    /// For the storage too, which has the last word.
    package static let invitationInvalid = AuthError(
        .invitationInvalid, "this invitation is not good, or not any more", field: "invitation")
    /// For the storage too, which has the last word.
    package static let challengeInvalid = AuthError(
        .challengeInvalid, "this challenge is not good, or not any more, or not solved by this nonce: ask for another",
        field: "challenge")
}
