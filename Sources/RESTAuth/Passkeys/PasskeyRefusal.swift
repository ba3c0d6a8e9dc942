/// The reason why an answer of an authenticator is refused: for a log line and a test, never for
/// the client, who gets one refusal for all of them.
///
/// They are listed in the order of the checks. The steps are those of WebAuthn Level 3 section 7.1
/// (registration) and 7.2 (authentication).
package enum PasskeyRefusal: String, Error, Sendable, CaseIterable {
    /// The answer is not of its form, or a part of it is too long (7.1 step 3, 7.2 step 3).
    case malformed
    /// The answer has two ids.
    case differentIDs = "different_ids"
    /// The client data cannot be read (7.1 step 6, 7.2 step 9).
    case clientData = "client_data"
    /// The answer is to the other ceremony (7.1 step 7, 7.2 step 10).
    case type
    /// The challenge is not of this server, is for another purpose, or has expired (7.1 step 8, 7.2
    /// step 11).
    case challenge
    /// The page or app is none that may use passkeys (7.1 step 9, 7.2 step 12).
    case origin
    /// The page was in a frame of a page that is not named (7.1 steps 10 and 11, 7.2 steps 13 and
    /// 14).
    case crossOrigin = "cross_origin"
    /// The attestation object cannot be read (7.1 step 13).
    case attestationObject = "attestation_object"
    /// The authenticator data cannot be read (7.1 step 13, 7.2 step 7).
    case authenticatorData = "authenticator_data"
    /// The authenticator signed for another relying party (7.1 step 14, 7.2 step 15).
    case relyingPartyID = "relying_party_id"
    /// The user was not present (7.1 step 15, 7.2 step 16).
    case userAbsent = "user_absent"
    /// The authenticator did not verify its user (7.1 step 16, 7.2 step 17).
    case userNotVerified = "user_not_verified"
    /// The passkey is backed up although it cannot be (7.1 step 17, 7.2 step 18).
    case backupState = "backup_state"
    /// A registration has no new credential, or an authentication has one (section 6.1).
    case credentialData = "credential_data"
    /// The id of the new credential is not that of the answer.
    case credentialID = "credential_id"
    /// The public key is invalid, or not of an algorithm that was asked for (7.1 step 20).
    case publicKey = "public_key"
    /// The attestation is of a format that was not asked for (7.1 step 21).
    case attestationFormat = "attestation_format"
    /// The attestation statement is not right (7.1 step 22).
    case attestationStatement = "attestation_statement"
    /// The passkey is not known (7.2 step 6).
    case unknownCredential = "unknown_credential"
    /// The signature is not that of the passkey (7.2 step 21).
    case signature
    /// The passkey is not of the user that was named, or the answer has another user handle, or
    /// none where it needs one (7.2 step 6).
    case userHandle = "user_handle"
    /// The passkey could not be backed up when it was registered and can be now, or the reverse
    /// (7.2 step 19).
    case backupEligibility = "backup_eligibility"
    /// The passkey verified its user for the first time, with no other factor beside it: whoever
    /// finds an authenticator without a PIN can set one (7.2 step 24).
    case verificationNotInitialized = "verification_not_initialized"
}
