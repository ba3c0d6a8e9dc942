extension AuthError {
    /// The codes of this library as a closed list, so that the compiler finds a `switch` that
    /// misses one.
    package enum Kind: String, Sendable, CaseIterable {
        case validationFailed = "validation_failed"
        case weakPassword = "weak_password"
        case userAlreadyExists = "user_already_exists"
        case nameReserved = "name_reserved"
        case emailTaken = "email_taken"
        case userNotFound = "user_not_found"
        case lastOperator = "last_operator"
        case linkInvalid = "link_invalid"
        case credentialsRequired = "credentials_required"
        case invalidCredentials = "invalid_credentials"
        case mfaRequired = "mfa_required"
        case mfaEnrollmentRequired = "mfa_enrollment_required"
        case invalidCode = "invalid_code"
        case ticketExpired = "ticket_expired"
        case factorNotFound = "factor_not_found"
        case tooManyFactors = "too_many_factors"
        case lastWayIn = "last_way_in"
        case deviceNotFound = "device_not_found"
        case passkeyNotFound = "passkey_not_found"
        case passkeyAlreadyExists = "passkey_already_exists"
        case passkeysDisabled = "passkeys_disabled"
        case invalidToken = "invalid_token"
        case insufficientUserAuthentication = "insufficient_user_authentication"
        case invalidGrant = "invalid_grant"
        case refreshTokenReused = "refresh_token_reused"
        case sessionExpired = "session_expired"
        case sessionNotFound = "session_not_found"
        case forbidden
        case insufficientScope = "insufficient_scope"
        case currentPasswordInvalid = "current_password_invalid"
        case invalidClient = "invalid_client"
        case signupDisabled = "signup_disabled"
        case invitationRequired = "invitation_required"
        case invitationInvalid = "invitation_invalid"
        case invitationNotFound = "invitation_not_found"
        case challengeRequired = "challenge_required"
        case challengeInvalid = "challenge_invalid"
        case clientAlreadyExists = "client_already_exists"
        case clientNotFound = "client_not_found"
        case tokenNotFound = "token_not_found"
        case tokenExpired = "token_expired"
        case tooManyTokens = "too_many_tokens"
        case serviceAccountAlreadyExists = "service_account_already_exists"
        case serviceAccountNotFound = "service_account_not_found"
        case keyPending = "key_pending"
        case secretPending = "secret_pending"
        case auditTrailBroken = "audit_trail_broken"
        case keyNotFound = "key_not_found"
        case invalidRequest = "invalid_request"
        case rateLimited = "rate_limited"
        case overloaded
        case storageUnavailable = "storage_unavailable"
        case misconfigured
    }

    /// The code as one of this library; `nil` for an adopter's code.
    package var kind: Kind? { Kind(rawValue: code.rawValue) }
}
