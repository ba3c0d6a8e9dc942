import Authenticators
import Crypto
import Foundation
import RESTAuth
import Testing

/// WebAuthn Level 3 section 7.2, step by step, each thing altered by itself.
@Suite struct AuthenticationCeremonyTests {
    private static let challenge = [UInt8](repeating: 0xC4, count: 32)

    private func verify(
        _ authenticator: SoftAuthenticator, by stored: StoredPasskey?, requiresUserVerification: Bool = true,
        expects userHandle: [UInt8]? = nil, topOrigins: [String] = [], _ altered: [String: JSON?] = [:],
        response: [String: JSON?] = [:]
    ) throws -> PasskeyUse {
        let expectation = PasskeyExpectation(
            try RelyingParty(publicURL: "https://example.org", topOrigins: topOrigins),
            requiresUserVerification: requiresUserVerification, userHandle: userHandle
        ) { challenge in
            challenge == Self.challenge ? SpentChallenge(digest: [1], expiresAt: .distantFuture) : nil
        }
        var got = try authenticator.got()
        for (name, value) in response { got[name] = value }
        let answer = try PasskeyAuthenticationAnswer(authenticator.json(got, altered))
        return try AuthenticationCeremony(expectation).verify(answer, by: stored)
    }

    /// Expects a refusal after `alter`, and none before it.
    private func refuses(
        _ refusal: PasskeyRefusal, algorithm: PasskeyAlgorithm = .es256,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ alter: (inout SoftAuthenticator) throws -> Void
    ) throws {
        var authenticator = try SoftAuthenticator(algorithm, challenge: Self.challenge)
        let stored = try authenticator.stored
        _ = try verify(authenticator, by: stored)
        try alter(&authenticator)
        #expect(throws: refusal, sourceLocation: sourceLocation) { try verify(authenticator, by: stored) }
    }

    // MARK: What is good

    @Test(arguments: PasskeyAlgorithm.allCases)
    func aSignatureOfThePasskeyIsTaken(algorithm: PasskeyAlgorithm) throws {
        let authenticator = try SoftAuthenticator(algorithm, challenge: Self.challenge)
        let use = try verify(authenticator, by: authenticator.stored)
        #expect(use.counter == .advanced)
        #expect(use.signCount == 7)
        #expect(use.isUserVerified)
        #expect(!use.isBackedUp && !use.isBackupEligible)
        #expect(use.spent.digest == [1])
    }

    @Test func aUserWhoWasNamedNeedNotBeNamedAgain() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        let stored = try authenticator.stored
        _ = try verify(authenticator, by: stored, expects: stored.userHandle)
        _ = try verify(authenticator, by: stored, expects: stored.userHandle, response: ["userHandle": .null])
        _ = try verify(authenticator, by: stored, expects: stored.userHandle, response: ["userHandle": nil])
    }

    @Test func extensionsArePassedOver() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.extensions = CBORBytes.map([(CBORBytes.text("hmac-secret"), CBORBytes.bytes([1, 2, 3]))])
        _ = try verify(authenticator, by: authenticator.stored)
    }

    @Test func aUserWhoWasNotVerifiedWillDoWhereThatIsNotAskedFor() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.flags = 0x01
        let use = try verify(authenticator, by: authenticator.stored, requiresUserVerification: false)
        #expect(!use.isUserVerified)
    }

    // MARK: Whose passkey it is: steps 5 and 6

    @Test func anUnknownPasskeyIsRefusedAfterEverythingElse() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        #expect(throws: PasskeyRefusal.unknownCredential) { try verify(authenticator, by: nil) }
        authenticator.alterSignature = { $0.flipped(10) }
        #expect(throws: PasskeyRefusal.unknownCredential) { try verify(authenticator, by: nil) }
        authenticator.flags = 0x01
        #expect(throws: PasskeyRefusal.userNotVerified) { try verify(authenticator, by: nil) }
        authenticator.set("origin", #""https://example.com""#)
        #expect(throws: PasskeyRefusal.origin) { try verify(authenticator, by: nil) }
    }

    @Test func aPasskeyOfAnotherIDIsRefused() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        var other = authenticator
        other.credentialID = [1, 2, 3]
        #expect(throws: PasskeyRefusal.unknownCredential) { try verify(authenticator, by: other.stored) }
    }

    @Test func aPasskeyOfAnotherUserIsRefused() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        let stored = try authenticator.stored
        let other = stored.userHandle.flipped(63)
        // Of the user who was named, by whom it is.
        #expect(throws: PasskeyRefusal.userHandle) { try verify(authenticator, by: stored, expects: other) }
        // By what the answer says, named before or not.
        for handle in [other, Array(stored.userHandle.dropLast()), [0]] {
            let response: [String: JSON?] = ["userHandle": .string(Base64.url.encode(handle))]
            #expect(throws: PasskeyRefusal.userHandle) { try verify(authenticator, by: stored, response: response) }
            #expect(throws: PasskeyRefusal.userHandle) {
                try verify(authenticator, by: stored, expects: stored.userHandle, response: response)
            }
            #expect(throws: PasskeyRefusal.userHandle) {
                try verify(authenticator, by: stored, expects: handle, response: response)
            }
        }
        // Nobody was named, neither before nor by the answer.
        for absent in [JSON.null, nil] {
            #expect(throws: PasskeyRefusal.userHandle) {
                try verify(authenticator, by: stored, response: ["userHandle": absent])
            }
        }
    }

    // MARK: Client data: steps 8 to 14

    @Test(arguments: ["webauthn.create", "webauthn.get ", "Webauthn.get", "", "payment.get"])
    func anotherTypeIsRefused(type: String) throws {
        try refuses(.type) { $0.set("type", "\"\(type)\"") }
    }

    @Test func anotherChallengeIsRefused() throws {
        for bit in 0..<256 {
            var other = Self.challenge
            other[bit / 8] ^= 1 << (bit % 8)
            try refuses(.challenge) { $0.set("challenge", "\"\(Base64.url.encode(other))\"") }
        }
        try refuses(.challenge) { $0.set("challenge", "\"\"") }
        try refuses(.clientData) { $0.set("challenge", nil) }
    }

    @Test(arguments: [
        "http://example.org", "https://example.com", "https://example.org:443", "https://sub.example.org", "",
    ])
    func anotherOriginIsRefused(origin: String) throws {
        try refuses(.origin) { $0.set("origin", "\"\(origin)\"") }
    }

    @Test func aFrameIsRefused() throws {
        try refuses(.crossOrigin) { $0.set("crossOrigin", "true") }
        try refuses(.crossOrigin) { $0.set("topOrigin", #""https://example.org""#) }
    }

    @Test func aFrameOfAPageOfTheListIsTaken() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.set("crossOrigin", "true")
        authenticator.set("topOrigin", #""https://example.com""#)
        _ = try verify(authenticator, by: authenticator.stored, topOrigins: ["https://example.com"])
        #expect(throws: PasskeyRefusal.crossOrigin) {
            try verify(authenticator, by: authenticator.stored, topOrigins: ["https://example.net"])
        }
    }

    // MARK: Authenticator data: steps 15 to 19

    @Test func authenticatorDataOfAnotherLengthIsRefused() throws {
        try refuses(.authenticatorData) { $0.alterAuthenticatorData = { $0 + [0] } }
        for count in 1..<37 {
            try refuses(.authenticatorData) { $0.alterAuthenticatorData = { Array($0.prefix(count)) } }
        }
        try refuses(.malformed) { $0.alterAuthenticatorData = { _ in [] } }
        try refuses(.authenticatorData) { $0.alterAuthenticatorData = { $0.flipped(32, 0x80) } }
        try refuses(.authenticatorData) { $0.alterAuthenticatorData = { $0.flipped(32, 0x40) } }
    }

    @Test func aNewCredentialIsRefused() throws {
        try refuses(.credentialData) { authenticator in
            let rest = authenticator.aaguid + [0, 1, 9] + (try authenticator.storedKey)
            authenticator.alterAuthenticatorData = { $0.flipped(32, 0x40) + rest }
        }
    }

    @Test func anotherRelyingPartyIsRefused() throws {
        for byte in 0..<32 { try refuses(.relyingPartyID) { $0.alterAuthenticatorData = { $0.flipped(byte) } } }
        try refuses(.relyingPartyID) { $0.relyingPartyID = "example.com" }
    }

    @Test func anAbsentUserIsRefused() throws {
        try refuses(.userAbsent) { $0.flags = 0x04 }
        try refuses(.userAbsent) { $0.flags = 0x00 }
    }

    @Test func aUserWhoWasNotVerifiedIsRefused() throws {
        try refuses(.userNotVerified) { $0.flags = 0x01 }
    }

    @Test func aBackupOfWhatCannotBeBackedUpIsRefused() throws {
        try refuses(.backupState) { $0.flags = 0x15 }
    }

    @Test func aPasskeyThatBecameAnotherKindIsRefused() throws {
        try refuses(.backupEligibility) { $0.flags = 0x0D }
        try refuses(.backupEligibility) { $0.flags = 0x1D }
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.flags = 0x1D
        let stored = try authenticator.stored
        _ = try verify(authenticator, by: stored)
        authenticator.flags = 0x05
        #expect(throws: PasskeyRefusal.backupEligibility) { try verify(authenticator, by: stored) }
        // A backup may come and go.
        authenticator.flags = 0x0D
        #expect(try !verify(authenticator, by: stored).isBackedUp)
    }

    // MARK: Signature: step 21

    @Test(arguments: PasskeyAlgorithm.allCases)
    func everyBitThatIsSignedIsHeld(algorithm: PasskeyAlgorithm) throws {
        var authenticator = try SoftAuthenticator(algorithm, challenge: Self.challenge)
        authenticator.set("extra", #""~""#)
        let stored = try authenticator.stored
        for byte in 0..<37 {
            for bit in 0..<8 {
                authenticator.alterSentAuthenticatorData = { $0.flipped(byte, 1 << bit) }
                #expect(throws: PasskeyRefusal.self, "bit \(bit) of byte \(byte)") {
                    try verify(authenticator, by: stored, requiresUserVerification: false)
                }
            }
        }
        authenticator.alterSentAuthenticatorData = { $0 }
        for byte in 0..<140 {
            authenticator.alterSentClientData = { $0.count > byte ? $0.flipped(byte) : $0 + [0x20] }
            #expect(throws: PasskeyRefusal.self, "byte \(byte)") { try verify(authenticator, by: stored) }
        }
    }

    @Test(arguments: PasskeyAlgorithm.allCases)
    func anotherSignatureIsRefused(algorithm: PasskeyAlgorithm) throws {
        let length = try SoftAuthenticator.Key(algorithm).signature(of: [1]).count
        for byte in stride(from: 0, to: length - 2, by: algorithm == .rs256 ? 16 : 1) {
            try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { $0.flipped(byte) } }
        }
        try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { Array($0.dropLast()) } }
        try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { $0 + [0] } }
        try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { [0] + $0 } }
        try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { _ in [0] } }
        try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { $0.map { _ in 0 } } }
        try refuses(.signature, algorithm: algorithm) { $0.alterSignature = { $0.map { _ in 0xFF } } }
        try refuses(.malformed, algorithm: algorithm) { $0.alterSignature = { _ in [] } }
        // By the same kind of key of somebody else; RSA keys are one here.
        if algorithm != .rs256 { try refuses(.signature, algorithm: algorithm) { $0.key = try .init(algorithm) } }
        for other in PasskeyAlgorithm.allCases where other != algorithm {
            try refuses(.signature, algorithm: algorithm) { $0.key = try .init(other) }
        }
    }

    /// The forms of an ECDSA signature that are not DER, or are not signatures.
    @Test func aSignatureThatIsNotInDERIsRefused() throws {
        let raw: @Sendable ([UInt8]) -> [UInt8] = {
            (try? Array(P256.Signing.ECDSASignature(derRepresentation: $0).rawRepresentation)) ?? []
        }
        try refuses(.signature) { $0.alterSignature = raw }
        // A long length, an indefinite one, something after it, a zero too many, a negative number.
        try refuses(.signature) { $0.alterSignature = { [0x30, 0x81] + $0.dropFirst() } }
        try refuses(.signature) { $0.alterSignature = { [0x30, 0x80] + $0.dropFirst(2) + [0, 0] } }
        try refuses(.signature) { $0.alterSignature = { [0x30, $0[1] + 2] + $0.dropFirst(2) + [0x05, 0x00] } }
        try refuses(.signature) { $0.alterSignature = { [0x30, $0[1] + 1, 0x02, $0[3] + 1, 0x00] + $0.dropFirst(4) } }
        for (r, s) in [([0], [0]), ([0], [1]), ([1], [0]), ([0x80], [1]), ([], [])] as [([UInt8], [UInt8])] {
            try refuses(.signature) {
                $0.alterSignature = { _ in
                    let numbers = [0x02, UInt8(r.count)] + r + [0x02, UInt8(s.count)] + s
                    return [0x30, UInt8(numbers.count)] + numbers
                }
            }
        }
    }

    @Test func aStoredKeyThatIsNoneIsRefused() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        for key in [[], [0xA0], Array(try authenticator.storedKey.dropLast())] as [[UInt8]] {
            let stored = StoredPasskey(
                credentialID: authenticator.credentialID, publicKey: key, userHandle: authenticator.userHandle,
                signCount: 0, isBackupEligible: false, isBackedUp: false, isVerificationInitialized: true)
            #expect(throws: PasskeyRefusal.publicKey) { try verify(authenticator, by: stored) }
        }
    }

    // MARK: Counter: step 22

    @Test(arguments: [
        (UInt32(0), UInt32(0), SignCounter.unused), (0, 1, .advanced), (1, 2, .advanced), (1, .max, .advanced),
        (1, 1, .wentBack(from: 1, to: 1)), (2, 1, .wentBack(from: 2, to: 1)), (1, 0, .wentBack(from: 1, to: 0)),
        (.max, 0, .wentBack(from: .max, to: 0)), (.max, .max, .wentBack(from: .max, to: .max)),
    ])
    func theCounterIsTold(before: UInt32, now: UInt32, counter: SignCounter) throws {
        for (flags, wasBackedUp) in [(UInt8(0x05), false), (0x0D, false), (0x0D, true), (0x1D, false), (0x1D, true)] {
            var authenticator = try SoftAuthenticator(challenge: Self.challenge)
            authenticator.flags = flags
            authenticator.signCount = now
            let stored = StoredPasskey(
                credentialID: authenticator.credentialID, publicKey: try authenticator.storedKey,
                userHandle: authenticator.userHandle, signCount: before, isBackupEligible: flags & 0x08 != 0,
                isBackedUp: wasBackedUp, isVerificationInitialized: true)
            let use = try verify(authenticator, by: stored)
            let isCompared = counter == .unused || !(wasBackedUp || flags & 0x10 != 0)
            #expect(use.counter == (isCompared ? counter : .notCompared))
            #expect(use.signCount == now)
        }
    }

    // MARK: Who verified the user: step 24

    /// Whoever finds a key without a PIN can give it one.
    @Test func aVerificationThatNobodyVouchedForIsNoneWhereItIsAskedFor() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        let stored = StoredPasskey(
            credentialID: authenticator.credentialID, publicKey: try authenticator.storedKey,
            userHandle: authenticator.userHandle, signCount: 0, isBackupEligible: false, isBackedUp: false,
            isVerificationInitialized: false)
        #expect(throws: PasskeyRefusal.verificationNotInitialized) { try verify(authenticator, by: stored) }
        // Beside a password it may be believed from now on.
        #expect(try verify(authenticator, by: stored, requiresUserVerification: false).isUserVerified)
    }
}
