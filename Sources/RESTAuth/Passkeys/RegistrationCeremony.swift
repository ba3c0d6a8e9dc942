import Crypto

/// Checks the answer of a browser when a passkey was made (WebAuthn Level 3 section 7.1).
package struct RegistrationCeremony: Sendable {
    private let expectation: PasskeyExpectation

    package init(_ expectation: PasskeyExpectation) { self.expectation = expectation }

    /// Takes the steps 5 to 25. Step 26, that nobody has a passkey of that id, is the storage's,
    /// whose index decides; step 28 passes over extensions, for none are asked for that matter to
    /// security.
    package func verify(_ answer: PasskeyRegistrationAnswer) throws(PasskeyRefusal) -> NewPasskey {
        let spent = try expectation.verify(clientDataJSON: answer.clientDataJSON, is: "webauthn.create")
        let hash = Array(SHA256.hash(data: answer.clientDataJSON))
        guard let object = AttestationObject(answer.attestationObject) else { throw .attestationObject }
        guard let data = AuthenticatorData(object.authenticatorData) else { throw .authenticatorData }
        try expectation.verify(data)
        guard let credential = data.credential else { throw .credentialData }
        guard credential.id.elementsEqual(answer.credentialID) else { throw .credentialID }
        guard let numbers = COSEKey(credential.publicKeyItem), let key = PasskeyPublicKey(numbers) else {
            throw .publicKey
        }
        try object.verify(by: key, clientDataHash: hash)
        return NewPasskey(
            credentialID: answer.credentialID, publicKey: Array(credential.publicKey), algorithm: key.algorithm,
            aaguid: Array(credential.aaguid), signCount: data.signCount,
            isUserVerified: data.flags.contains(.userVerified),
            isBackupEligible: data.flags.contains(.backupEligible), isBackedUp: data.flags.contains(.backedUp),
            transports: answer.transports, isDiscoverable: answer.isDiscoverable, spent: spent)
    }
}

/// A passkey that was made just now: what is to be stored, and the challenge that is used up with
/// it (section 7.1 step 27).
package struct NewPasskey: Sendable {
    package let credentialID: [UInt8]
    /// Public key as the authenticator encoded it (COSE).
    package let publicKey: [UInt8]
    package let algorithm: PasskeyAlgorithm
    /// Model of the authenticator in 16 bytes, for which nobody vouches.
    package let aaguid: [UInt8]
    package let signCount: UInt32
    /// Whether the authenticator has verified its user (`uvInitialized`).
    package let isUserVerified: Bool
    package let isBackupEligible: Bool
    package let isBackedUp: Bool
    package let transports: [String]
    package let isDiscoverable: Bool?
    package let spent: SpentChallenge
}
