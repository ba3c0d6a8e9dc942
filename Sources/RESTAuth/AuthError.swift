/// The reason of a refusal, as a sentence for the caller and a stable code for the program.
///
/// The code is a struct, so that a new code never breaks an adopter's `switch`.
public struct AuthError: Error, Sendable, Hashable {
    /// A stable, machine-readable name in snake_case; it is also the `code` of the problem
    /// document.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The text of the code, as in the member `code` of a problem document.
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        private init(_ kind: Kind) { rawValue = kind.rawValue }

        /// A field is missing, of another type, or breaks a rule for names or passwords.
        public static let validationFailed = Code(.validationFailed)
        /// The password breaks the password policy in force.
        public static let weakPassword = Code(.weakPassword)
        /// Another user has that name already, whatever its case.
        public static let userAlreadyExists = Code(.userAlreadyExists)
        /// Another user had that name until lately.
        public static let nameReserved = Code(.nameReserved)
        /// Another user has verified that mail address.
        public static let emailTaken = Code(.emailTaken)
        /// No user has that id or name.
        public static let userNotFound = Code(.userNotFound)
        /// Without this user nobody could use the operator's API any more.
        public static let lastOperator = Code(.lastOperator)
        /// The link for a password is forged, of another instance, expired or used, or its user has
        /// another password by now or is disabled: one answer for all.
        public static let linkInvalid = Code(.linkInvalid)
        /// No credentials were presented.
        public static let credentialsRequired = Code(.credentialsRequired)
        /// Wrong password, unknown or disabled user: one answer for all three.
        public static let invalidCredentials = Code(.invalidCredentials)
        /// The password was correct, and another factor has to follow.
        public static let mfaRequired = Code(.mfaRequired)
        /// The password was correct, but the user has to add a second factor before anything else.
        public static let mfaEnrollmentRequired = Code(.mfaEnrollmentRequired)
        /// The answer to a factor is wrong or no longer valid.
        public static let invalidCode = Code(.invalidCode)
        /// The ticket of a sign-in is forged, used up, expired or from another instance, or the
        /// password of its user was changed since: one answer for all.
        public static let ticketExpired = Code(.ticketExpired)
        /// The user has no factor of that name.
        public static let factorNotFound = Code(.factorNotFound)
        /// The user has as many authenticator apps, or passkeys, as one may have.
        public static let tooManyFactors = Code(.tooManyFactors)
        /// The user has no passkey of that id.
        public static let passkeyNotFound = Code(.passkeyNotFound)
        /// The passkey was added before, by this user or another.
        public static let passkeyAlreadyExists = Code(.passkeyAlreadyExists)
        /// There are no passkeys here, because no domain is configured for them.
        public static let passkeysDisabled = Code(.passkeysDisabled)
        /// The user could not sign in without it any more, or has to have a factor.
        public static let lastWayIn = Code(.lastWayIn)
        /// The user has no trusted device of that id.
        public static let deviceNotFound = Code(.deviceNotFound)
        /// The token is malformed, forged, foreign or expired, or its user is deleted or disabled:
        /// one answer for all.
        public static let invalidToken = Code(.invalidToken)
        /// The token is valid, but the password was given too long ago, or only a password is
        /// accepted here (RFC 9470).
        public static let insufficientUserAuthentication = Code(.insufficientUserAuthentication)
        /// The refresh token is malformed, of another instance, or of a session that has ended (RFC
        /// 6749 section 5.2).
        public static let invalidGrant = Code(.invalidGrant)
        /// A refresh token was presented although its successor, or another token in its place, had
        /// been used; its session has been ended.
        public static let refreshTokenReused = Code(.refreshTokenReused)
        /// The session was not renewed in time, or has reached its longest lifetime.
        public static let sessionExpired = Code(.sessionExpired)
        /// The user has no session of that id.
        public static let sessionNotFound = Code(.sessionNotFound)
        /// The caller is signed in, but does not have a required role.
        public static let forbidden = Code(.forbidden)
        /// The scope of the token does not allow it, whatever its user may (RFC 6750 section 3.1).
        public static let insufficientScope = Code(.insufficientScope)
        /// The given present password is wrong.
        public static let currentPasswordInvalid = Code(.currentPasswordInvalid)
        /// The client's id or secret is wrong (RFC 6749 section 5.2).
        public static let invalidClient = Code(.invalidClient)
        /// Only an operator can register users here.
        public static let signupDisabled = Code(.signupDisabled)
        /// A registration needs an invitation here.
        public static let invitationRequired = Code(.invitationRequired)
        /// The invitation does not exist, was used or has expired: one answer for all three.
        public static let invitationInvalid = Code(.invitationInvalid)
        /// No invitation has that id.
        public static let invitationNotFound = Code(.invitationNotFound)
        /// A registration has to solve a challenge here.
        public static let challengeRequired = Code(.challengeRequired)
        /// The challenge is malformed, forged, expired, not solved by that nonce, or was used
        /// before: one answer for all.
        public static let challengeInvalid = Code(.challengeInvalid)
        /// A client has that id already.
        public static let clientAlreadyExists = Code(.clientAlreadyExists)
        /// No client has that id.
        public static let clientNotFound = Code(.clientNotFound)
        /// The user, or the service account, has no token of that id.
        public static let tokenNotFound = Code(.tokenNotFound)
        /// The token has expired, and cannot be rotated.
        public static let tokenExpired = Code(.tokenExpired)
        /// The user, or the service account, has as many tokens as one may have.
        public static let tooManyTokens = Code(.tooManyTokens)
        /// A service account has that id already.
        public static let serviceAccountAlreadyExists = Code(.serviceAccountAlreadyExists)
        /// No service account has that id.
        public static let serviceAccountNotFound = Code(.serviceAccountNotFound)
        /// A new signing key has been made already and does not sign yet.
        public static let keyPending = Code(.keyPending)
        /// The instance's secret has been changed already, and the previous one is still accepted.
        public static let secretPending = Code(.secretPending)
        /// A row of the audit trail was altered, removed or moved, or the trail was set back.
        public static let auditTrailBroken = Code(.auditTrailBroken)
        /// No signing key has that id.
        public static let keyNotFound = Code(.keyNotFound)
        /// The credentials could not be parsed (RFC 6750 section 3.1).
        public static let invalidRequest = Code(.invalidRequest)
        /// Too many failed sign-ins, or registrations, came before (RFC 6585 section 4).
        /// ``AuthError/retryAfter`` says when to try again.
        public static let rateLimited = Code(.rateLimited)
        /// The queue of passwords waiting to be hashed is full. ``AuthError/retryAfter`` says when
        /// to try again.
        public static let overloaded = Code(.overloaded)
        /// The storage cannot be reached or written at the moment.
        public static let storageUnavailable = Code(.storageUnavailable)
        /// The configuration or the data on disk does not allow a start.
        public static let misconfigured = Code(.misconfigured)
    }

    /// The code to decide by; unlike the sentence, it does not change.
    public let code: Code
    /// A sentence that may be shown to whoever made the request.
    public let detail: String
    /// Name of the refused input field, such as `username` or `new_password`; `nil` when there is
    /// none.
    public let field: String?
    /// Seconds to wait before trying again; `nil` when waiting does not help.
    public let retryAfter: Int?
    /// Greatest age of a sign-in in seconds, when the present one is older (RFC 9470 section 3).
    public let maxAge: Int?
    /// The `acr` that is required (RFC 9470); `nil` where any is enough.
    public let contextClass: String?
    /// The scope that is needed (RFC 6750 section 3); `nil` where none would do.
    public let scope: String?
    /// The exceeded limit of a `rate_limited` error.
    public let policy: RateLimitPolicy?

    public init(
        _ code: Code, _ detail: String, field: String? = nil, retryAfter: Int? = nil, maxAge: Int? = nil,
        contextClass: String? = nil, scope: String? = nil, policy: RateLimitPolicy? = nil
    ) {
        self.code = code
        self.detail = detail
        self.field = field
        self.retryAfter = retryAfter
        self.maxAge = maxAge
        self.contextClass = contextClass
        self.scope = scope
        self.policy = policy
    }
}

/// A rate limit: the number of events that are let through without a delay.
public struct RateLimitPolicy: Sendable, Hashable {
    /// Name of what is counted: `account`, `network`, `registrations` and others.
    public let name: String
    /// Number of events that are let through.
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
    /// The refusal of a request that cannot continue with another factor.
    package static let mfaRequired = AuthError(
        .mfaRequired,
        "another factor is needed: send its code in X-OTP beside the password, or sign in with POST /api/tokens")
    /// The answer to a password that a ticket continues.
    package static let mfaFollows = AuthError(
        .mfaRequired,
        "the password is right, and another factor has to follow: send the ticket with a code or a passkey")
    /// An answer to a factor that came with credentials, and is one of them.
    static let invalidCode = AuthError(.invalidCode, invalidCodeDetail, contextClass: "aal2")
    /// A wrong code in a field of who has signed in already.
    static func invalidCode(inField field: String) -> AuthError {
        AuthError(.invalidCode, invalidCodeDetail, field: field)
    }
    private static let invalidCodeDetail = "this code is not right, or not any more"
    static let mfaEnrollmentRequired = AuthError(
        .mfaEnrollmentRequired,
        "a second factor is required of you: add one at POST /api/me/factors, with HTTP Basic and your password")
    /// Thrown by backends too, as the storage decides last.
    package static let lastWayIn = AuthError(
        .lastWayIn, "this is your last second factor, and one is required of you: add another first")
    /// Thrown by backends too, as the storage decides last.
    package static let ticketExpired = AuthError(.ticketExpired, "this sign-in cannot go on: begin with the password")
    package static let invalidToken = AuthError(.invalidToken, "Unauthorized Access")
    package static let credentialsRequired = AuthError(.credentialsRequired, "Unauthorized Access")
    /// The refusal of a token for programs where its scope does not have the word, or where no
    /// scope would do.
    package static func insufficientScope(_ word: String?) -> AuthError {
        AuthError(
            .insufficientScope,
            word.map { "this token does not allow this: it needs the scope \($0)" }
                ?? "no token for programs is taken here: sign in",
            scope: word.flatMap { Scope.isWord($0) ? $0 : nil })
    }
    package static let usersOnly = AuthError(.forbidden, "this is for users, not for service accounts")
    static let invalidGrant = AuthError(
        .invalidGrant, "this refresh token is unknown, expired, or of a session that has ended: sign in again")
    static let userNotFound = AuthError(.userNotFound, "user not found")
    /// Thrown by backends too, as the storage decides last.
    package static let lastOperator = AuthError(
        .lastOperator, "this is the last operator who is not disabled: make another one first")
    static let linkInvalid = AuthError(
        .linkInvalid, "this link is not good, or not any more: ask for another", field: "token")
    /// Thrown by backends too, as the storage decides last.
    package static let invitationInvalid = AuthError(
        .invitationInvalid, "this invitation is not good, or not any more", field: "invitation")
    /// Thrown by backends too, as the storage decides last.
    package static let challengeInvalid = AuthError(
        .challengeInvalid, "this challenge is not good, or not any more, or not solved by this nonce: ask for another",
        field: "challenge")
}
