import Crypto
import PasswordHashing

/// Checks the answer of a browser when a passkey was used (WebAuthn Level 3 section 7.2).
package struct AuthenticationCeremony: Sendable {
    private let expectation: PasskeyExpectation

    package init(_ expectation: PasskeyExpectation) { self.expectation = expectation }

    /// Takes the steps 5 to 23.
    ///
    /// Checks that depend on the user come last, and an unknown passkey is checked as a known one
    /// is, against a key that nobody has. So an unknown passkey, one of another user and a wrong
    /// signature cost the same work.
    /// - Parameter stored: the passkey of the answer's id; `nil` when there is none.
    package func verify(
        _ answer: PasskeyAuthenticationAnswer, by stored: StoredPasskey?
    ) throws(PasskeyRefusal) -> PasskeyUse {
        let spent = try expectation.verify(clientDataJSON: answer.clientDataJSON, is: "webauthn.get")
        guard let data = AuthenticatorData(answer.authenticatorData[...]) else { throw .authenticatorData }
        // "The AT flag MUST NOT be set" (section 6.1).
        guard data.credential == nil else { throw .credentialData }
        try expectation.verify(data)
        let hash = Array(SHA256.hash(data: answer.clientDataJSON))
        guard let key = PasskeyPublicKey(stored: stored?.publicKey ?? Self.decoy) else { throw .publicKey }
        let isSigned = key.accepts(answer.signature, for: answer.authenticatorData + hash)
        guard let stored, answer.credentialID == stored.credentialID else { throw .unknownCredential }
        guard isSigned else { throw .signature }
        try verify(answer.userHandle, of: stored)
        guard data.flags.contains(.backupEligible) == stored.isBackupEligible else { throw .backupEligibility }
        let isVerified = data.flags.contains(.userVerified)
        guard stored.isVerificationInitialized || !expectation.requiresUserVerification else {
            throw .verificationNotInitialized
        }
        let isBackedUp = data.flags.contains(.backedUp)
        return PasskeyUse(
            counter: SignCounter(stored, data.signCount, isBackedUp: isBackedUp), signCount: data.signCount,
            isBackupEligible: stored.isBackupEligible, isBackedUp: isBackedUp, isUserVerified: isVerified,
            spent: spent)
    }

    /// Checks the user of the passkey (step 6).
    private func verify(_ given: [UInt8]?, of stored: StoredPasskey) throws(PasskeyRefusal) {
        if let expected = expectation.userHandle {
            guard stored.userHandle == expected, given == nil || given == expected else { throw .userHandle }
        } else {
            guard given == stored.userHandle else { throw .userHandle }
        }
    }

    /// A public key for passkeys that are not known: made at the start, its private half forgotten.
    private static let decoy: [UInt8] = {
        let point = Array(P256.Signing.PrivateKey().publicKey.rawRepresentation)
        return [0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20] + point.prefix(32)
            + [0x22, 0x58, 0x20] + point.suffix(32)
    }()
}

/// A passkey as it is stored, with what the ceremony needs of its user (section 4, credential
/// record).
package struct StoredPasskey: Sendable {
    package let credentialID: [UInt8]
    package let publicKey: [UInt8]
    package let userHandle: [UInt8]
    package let signCount: UInt32
    package let isBackupEligible: Bool
    package let isBackedUp: Bool
    /// Whether it verified its user when it was added, or since then beside another factor. Whoever
    /// finds a key that has no PIN can set one: that proves nothing.
    package let isVerificationInitialized: Bool

    package init(
        credentialID: [UInt8], publicKey: [UInt8], userHandle: [UInt8], signCount: UInt32, isBackupEligible: Bool,
        isBackedUp: Bool, isVerificationInitialized: Bool
    ) {
        self.credentialID = credentialID
        self.publicKey = publicKey
        self.userHandle = userHandle
        self.signCount = signCount
        self.isBackupEligible = isBackupEligible
        self.isBackedUp = isBackedUp
        self.isVerificationInitialized = isVerificationInitialized
    }
}

/// A passkey that was used just now: what is to be stored with its row, and the challenge that is
/// used up with it (section 7.2 step 24).
package struct PasskeyUse: Sendable {
    package let counter: SignCounter
    package let signCount: UInt32
    package let isBackupEligible: Bool
    package let isBackedUp: Bool
    package let isUserVerified: Bool
    package let spent: SpentChallenge
}

/// The verdict on a signature counter (sections 6.1.1 and 7.2 step 22).
package enum SignCounter: Sendable, Equatable {
    /// It went on.
    case advanced
    /// The authenticator has none.
    case unused
    /// The passkey is, or was, backed up: its copies do not count together.
    case notCompared
    /// It did not go on: there may be a copy, or two answers came in another order than they were
    /// made. An event, and no refusal.
    case wentBack(from: UInt32, to: UInt32)

    init(_ stored: StoredPasskey, _ count: UInt32, isBackedUp: Bool) {
        self =
            if stored.signCount == 0, count == 0 {
                .unused
            } else if stored.isBackedUp || isBackedUp {
                .notCompared
            } else if count > stored.signCount {
                .advanced
            } else {
                .wentBack(from: stored.signCount, to: count)
            }
    }
}
