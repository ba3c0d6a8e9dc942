/// Why an answer of an authenticator is refused: for a log line and a test, never for the client,
/// to whom all of them are one.
///
/// In the order in which they are looked for. The steps are those of WebAuthn Level 3 section 7.1
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
    /// The challenge is not ours, not for this, or not any more (7.1 step 8, 7.2 step 11).
    case challenge
    /// The page or app is not one of ours (7.1 step 9, 7.2 step 12).
    case origin
    /// The page was in a frame of somebody else's (7.1 steps 10 and 11, 7.2 steps 13 and 14).
    case crossOrigin = "cross_origin"
    /// The attestation object cannot be read (7.1 step 13).
    case attestationObject = "attestation_object"
    /// The authenticator data cannot be read (7.1 step 13, 7.2 step 7).
    case authenticatorData = "authenticator_data"
    /// The authenticator signed for another relying party (7.1 step 14, 7.2 step 15).
    case relyingPartyID = "relying_party_id"
    /// Nobody touched it (7.1 step 15, 7.2 step 16).
    case userAbsent = "user_absent"
    /// It did not verify who touched it (7.1 step 16, 7.2 step 17).
    case userNotVerified = "user_not_verified"
    /// It is backed up and cannot be (7.1 step 17, 7.2 step 18).
    case backupState = "backup_state"
    /// There is no new credential in a registration, or one elsewhere (section 6.1).
    case credentialData = "credential_data"
    /// The new credential has not the id of the answer.
    case credentialID = "credential_id"
    /// The public key is none, or not of an algorithm that was asked for (7.1 step 20).
    case publicKey = "public_key"
    /// Something was attested that was not asked for (7.1 step 21).
    case attestationFormat = "attestation_format"
    /// The attestation statement is not right (7.1 step 22).
    case attestationStatement = "attestation_statement"
    /// The passkey is not known (7.2 step 6).
    case unknownCredential = "unknown_credential"
    /// The signature is not that of the passkey (7.2 step 21).
    case signature
    /// The passkey is not of the user that was named, or names another, or nobody where it has to
    /// (7.2 step 6).
    case userHandle = "user_handle"
    /// It could not be backed up when it was registered and can be now, or the reverse (7.2 step
    /// 19).
    case backupEligibility = "backup_eligibility"
    /// It had never verified its user, and who would vouch for the one it verified now (7.2 step
    /// 24)?
    case verificationNotInitialized = "verification_not_initialized"
}
