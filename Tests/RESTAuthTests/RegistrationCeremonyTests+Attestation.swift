import Authenticators
import Foundation
import RESTAuth
import Testing

extension RegistrationCeremonyTests {
    // MARK: Attestation object and authenticator data: steps 13 to 19

    @Test func anObjectThatIsNotExactlyOneIsRefused() throws {
        try refuses(.attestationObject) { $0.alterObject = { $0 + [0] } }
        try refuses(.attestationObject) { $0.alterObject = { Array($0.dropLast()) } }
        for bytes in [[0xA0], [0x80], [0xF5], hex("a163666d74646e6f6e65")] as [[UInt8]] {
            try refuses(.attestationObject) { $0.alterObject = { _ in bytes } }
        }
        // An entry too many.
        try refuses(.attestationObject) {
            $0.alterObject = { [0xA4] + $0.dropFirst() + CBORBytes.text("authDatb") + [0x00] }
        }
        // In another order, and with a length that is not the shortest.
        try refuses(.attestationObject) { authenticator in
            authenticator.alterObject = { bytes in
                let rest = bytes.dropFirst(1 + 9)
                return [0xA3] + rest + bytes.dropFirst().prefix(9)
            }
        }
        try refuses(.attestationObject) { $0.alterObject = { [0xB8, 0x03] + $0.dropFirst() } }
    }

    @Test(arguments: [
        // Other types and other names.
        ("fmt", "fmT"), ("attStmt", "attStmu"), ("authData", "authDatb"), ("authData", "authdata"),
    ])
    func anEntryOfAnotherNameIsRefused(name: String, other: String) throws {
        try refuses(.attestationObject) {
            $0.alterObject = { bytes in
                let (name, other) = (Array(name.utf8), Array(other.utf8))
                guard let at = bytes.firstRange(of: name) else { return [] }
                return bytes[..<at.lowerBound] + other + bytes[at.upperBound...]
            }
        }
    }

    @Test(arguments: [[0x01], [0x40], [0x80], [0xF5], [0x60]] as [[UInt8]])
    func aStatementThatIsNoMapIsRefused(statement: [UInt8]) throws {
        try refuses(.attestationObject) { $0.statement = statement }
    }

    @Test func authenticatorDataOfAnotherLengthIsRefused() throws {
        try refuses(.authenticatorData) { $0.alterAuthenticatorData = { $0 + [0] } }
        for count in [0, 31, 32, 33, 36, 37, 52, 54, 55, 56, 80, 86, 87, 100, 163] {
            try refuses(.authenticatorData) { $0.alterAuthenticatorData = { Array($0.prefix(count)) } }
        }
    }

    @Test func anotherRelyingPartyIsRefused() throws {
        for byte in 0..<32 { try refuses(.relyingPartyID) { $0.alterAuthenticatorData = { $0.flipped(byte) } } }
        for id in ["example.com", "app.example.org", "EXAMPLE.ORG", "", "https://example.org", "example.org."] {
            try refuses(.relyingPartyID) { $0.relyingPartyID = id }
        }
    }

    @Test func anAbsentUserIsRefused() throws {
        for flags in [UInt8(0x00), 0x04, 0x0C, 0x1C] { try refuses(.userAbsent) { $0.flags = flags } }
    }

    @Test func aUserWhoWasNotVerifiedIsRefusedWhereThatIsAskedFor() throws {
        for flags in [UInt8(0x01), 0x09, 0x19, 0x03] {
            try refuses(.userNotVerified, requiresUserVerification: true) { $0.flags = flags }
        }
    }

    @Test func aBackupOfWhatCannotBeBackedUpIsRefused() throws {
        for flags in [UInt8(0x11), 0x15] { try refuses(.backupState) { $0.flags = flags } }
    }

    @Test func anAnswerWithoutACredentialIsRefused() throws {
        try refuses(.credentialData) {
            $0.alterAuthenticatorData = { Array($0.prefix(32)) + [$0[32] & ~0x40] + $0[33..<37] }
        }
        // The flag alone, of what is there.
        try refuses(.authenticatorData) { $0.alterAuthenticatorData = { $0.flipped(32, 0x40) } }
        // The flag of extensions that are not there.
        try refuses(.authenticatorData) { $0.alterAuthenticatorData = { $0.flipped(32, 0x80) } }
    }

    @Test func whatIsTooLongIsNotRead() throws {
        // Even where it is well formed.
        func extensions(_ count: Int) -> [UInt8] {
            CBORBytes.map([(CBORBytes.text("a"), CBORBytes.bytes([UInt8](repeating: 1, count: count)))])
        }
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.extensions = extensions(3_900)
        _ = try verify(authenticator)
        try refuses(.authenticatorData) { $0.extensions = extensions(3_950) }

        func clientData(_ count: Int) -> [UInt8] {
            Array(#"{"type":"","challenge":"","origin":"","x":"\#(String(repeating: "y", count: count))"}"#.utf8)
        }
        let around = clientData(0).count
        #expect(ClientData(clientData(ClientData.maximumLength - around)) != nil)
        #expect(ClientData(clientData(ClientData.maximumLength - around + 1)) == nil)

        func object(_ count: Int) -> [UInt8] {
            CBORBytes.map([
                (CBORBytes.text("fmt"), CBORBytes.text("none")), (CBORBytes.text("attStmt"), CBORBytes.map([])),
                (CBORBytes.text("authData"), CBORBytes.bytes([UInt8](repeating: 1, count: count))),
            ])
        }
        let rest = object(1_000).count - 1_000
        #expect(AttestationObject(object(AttestationObject.maximumLength - rest)) != nil)
        #expect(AttestationObject(object(AttestationObject.maximumLength - rest + 1)) == nil)
    }

    @Test(
        arguments: [[0x01], [0x80], [0xF5], [0x40], [0xA1, 0x01], [0xA2, 0x02, 0x00, 0x01, 0x00], [0xBF, 0xFF]]
            as [[UInt8]])
    func extensionsThatAreNoMapAreRefused(extensions: [UInt8]) throws {
        try refuses(.authenticatorData) { $0.extensions = extensions }
    }

    @Test func anIDThatIsNotThatOfTheAnswerIsRefused() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        for other in [[1], authenticator.credentialID + [0], authenticator.credentialID.flipped(31)] as [[UInt8]] {
            let id = JSON.string(Base64.url.encode(other))
            #expect(throws: PasskeyRefusal.credentialID) { try verify(authenticator, ["id": id, "rawId": id]) }
            #expect(throws: PasskeyRefusal.differentIDs) { try verify(authenticator, ["id": id]) }
            #expect(throws: PasskeyRefusal.differentIDs) { try verify(authenticator, ["rawId": id]) }
        }
        for byte in 55..<87 { try refuses(.credentialID) { $0.alterAuthenticatorData = { $0.flipped(byte) } } }
    }

    @Test func anIDThatIsEmptyOrTooLongIsRefused() throws {
        try refuses(.malformed) { $0.credentialID = [] }
        try refuses(.malformed) { $0.credentialID = [UInt8](repeating: 3, count: 1_024) }
        // In the authenticator data alone.
        let id = JSON.string("AA")
        for length in [0, 1_024, 4_000] {
            var authenticator = try SoftAuthenticator(challenge: Self.challenge)
            authenticator.credentialID = [UInt8](repeating: 3, count: length)
            #expect(throws: PasskeyRefusal.authenticatorData) {
                try verify(authenticator, ["id": id, "rawId": id])
            }
        }
    }

    // MARK: Public key: step 20

    @Test func aKeyOfAnotherAlgorithmIsRefused() throws {
        for algorithm in PasskeyAlgorithm.allCases {
            // ES256K, ES384, ES512, PS256, RS1, the other two of ours, none.
            for other in [-47, -35, -36, -37, -65_535, -7, -8, -257, 0, 7] where other != algorithm.rawValue {
                try refuses(.publicKey, algorithm: algorithm) {
                    $0.publicKey = try key(of: $0, [3: CBORBytes.int(other)])
                }
            }
        }
    }

    @Test func aKeyWithAnythingElseInItIsRefused() throws {
        for algorithm in PasskeyAlgorithm.allCases {
            let labels = try SoftAuthenticator(algorithm, challenge: Self.challenge).key.entries.map(\.label)
            for label in labels {
                try refuses(.publicKey, algorithm: algorithm) { $0.publicKey = try key(of: $0, [label: nil]) }
                for value in [[0x00], [0x40], [0xF5], CBORBytes.int(4), CBORBytes.text("P-256"), [0x80]] {
                    try refuses(.publicKey, algorithm: algorithm) { $0.publicKey = try key(of: $0, [label: value]) }
                }
            }
            // Key id, operations, base IV, another.
            for label in [2, 4, 5, 7, -4, -5] {
                try refuses(.publicKey, algorithm: algorithm) {
                    $0.publicKey = try key(of: $0, [label: CBORBytes.bytes([1])])
                }
            }
        }
    }

    @Test func aKeyInAnotherEncodingIsRefused() throws {
        try refuses(.authenticatorData) { authenticator in
            let entries = try authenticator.key.entries.reversed().map { (CBORBytes.int($0.label), $0.value) }
            authenticator.publicKey = CBORBytes.map(entries)
        }
        try refuses(.authenticatorData) { $0.publicKey = [0xB8, 0x05] + (try $0.storedKey.dropFirst()) }
        // What an authenticator of 2019 did with EdDSA: texts, and a length too short.
        try refuses(.authenticatorData, algorithm: .edDSA) {
            $0.publicKey = hex("a301634f4b500327206745643235353139") + (try $0.key.entries[3].value)
        }
        // X9.62.
        try refuses(.authenticatorData) { $0.publicKey = [0x04] + [UInt8](repeating: 7, count: 64) }
    }

    private func key(of authenticator: SoftAuthenticator, _ altered: [Int: [UInt8]?]) throws -> [UInt8] {
        var entries = Dictionary(uniqueKeysWithValues: try authenticator.key.entries.map { ($0.label, $0.value) })
        for (label, value) in altered { entries[label] = value }
        let order = entries.keys.sorted { ($0 < 0 ? 1_000 - $0 : $0) < ($1 < 0 ? 1_000 - $1 : $1) }
        return CBORBytes.map(order.compactMap { label in entries[label].map { (CBORBytes.int(label), $0) } })
    }

    // MARK: Attestation: steps 21 to 23

    @Test func aStatementOfNoneThatSaysSomethingIsRefused() throws {
        for statement in ["a1 63616c67 26", "a1 63736967 40", "a1 63783563 80", "a1 01 00"] {
            try refuses(.attestationStatement) { $0.statement = hex(statement) }
        }
    }

    @Test(arguments: [
        "fido-u2f", "tpm", "apple", "android-key", "android-safetynet", "compound", "NONE", "None", "none ", "",
        "Packed",
        "packed\u{0}",
    ])
    func aFormatThatWasNotAskedForIsRefused(format: String) throws {
        try refuses(.attestationFormat) { $0.format = format }
        try refuses(.attestationFormat, format: "packed") { $0.format = format }
    }

    @Test func aCertificateIsRefused() throws {
        try refuses(.attestationFormat, format: "packed") { authenticator in
            authenticator.statement = CBORBytes.map([
                (CBORBytes.text("alg"), CBORBytes.int(-7)), (CBORBytes.text("sig"), CBORBytes.bytes([1])),
                (CBORBytes.text("x5c"), CBORBytes.array([CBORBytes.bytes([1])])),
            ])
        }
    }

    @Test func aSelfAttestationThatIsNotRightIsRefused() throws {
        for algorithm in PasskeyAlgorithm.allCases {
            try refuses(.attestationStatement, algorithm: algorithm, format: "packed") {
                $0.alterSignature = { $0.flipped($0.count - 1) }
            }
            for statement in ["a0", "a1 63616c67 26", "a1 63736967 40", "a2 63616c67 26 63736967 40"] {
                try refuses(.attestationStatement, algorithm: algorithm, format: "packed") {
                    $0.statement = hex(statement)
                }
            }
        }
        // By another algorithm, another key, with something else in it.
        try refuses(.attestationStatement, format: "packed") { authenticator in
            authenticator.alterObject = {
                $0.replacing(CBORBytes.text("alg") + [0x26], with: CBORBytes.text("alg") + [0x27])
            }
        }
        try refuses(.attestationStatement, format: "packed") { authenticator in
            authenticator.publicKey = try authenticator.storedKey
            authenticator.key = try .init(.es256)
        }
        try refuses(.attestationStatement, format: "packed") { authenticator in
            authenticator.alterObject = {
                $0.replacing(
                    CBORBytes.text("attStmt") + [0xA2] + CBORBytes.text("alg"),
                    with: CBORBytes.text("attStmt") + [0xA3] + CBORBytes.text("al") + [0x00] + CBORBytes.text("alg"))
            }
        }
    }

    /// With a signature over it nothing can be altered at all: not a bit of the authenticator data,
    /// not one of the client data.
    @Test(arguments: PasskeyAlgorithm.allCases)
    func everyBitThatIsSignedIsHeld(algorithm: PasskeyAlgorithm) throws {
        var authenticator = try SoftAuthenticator(algorithm, challenge: Self.challenge)
        authenticator.format = "packed"
        authenticator.set("extra", #""~""#)
        authenticator.extensions = CBORBytes.map([(CBORBytes.text("credProtect"), CBORBytes.int(2))])
        _ = try verify(authenticator)
        let length = 37 + 18 + 32 + (try authenticator.storedKey).count + 14
        // The key takes most of it, and an RSA key is slow to read.
        for byte in 0..<length where algorithm != .rs256 || byte < 120 || byte > length - 20 {
            for bit in 0..<8 {
                authenticator.alterSentAuthenticatorData = { $0.flipped(byte, 1 << bit) }
                #expect(throws: PasskeyRefusal.self, "bit \(bit) of byte \(byte)") { try verify(authenticator) }
            }
        }
        authenticator.alterSentAuthenticatorData = { $0 }
        for byte in 0..<150 {
            authenticator.alterSentClientData = { $0.count > byte ? $0.flipped(byte) : $0 + [0x20] }
            #expect(throws: PasskeyRefusal.self, "byte \(byte)") { try verify(authenticator) }
        }
    }

    /// Without one nobody vouches for these, and what is believed is written down: the model, the
    /// counter, the bits that are reserved.
    @Test func whatNobodyVouchesForIsTakenAsItIs() throws {
        let authenticator = try SoftAuthenticator(challenge: Self.challenge)
        let length = 37 + 18 + 32 + (try authenticator.storedKey).count
        var taken: Set<Int> = []
        for byte in 0..<length {
            var altered = authenticator
            altered.alterSentAuthenticatorData = { $0.flipped(byte, 0x02) }
            if (try? verify(altered)) != nil { taken.insert(byte) }
        }
        #expect(taken == Set([32] + Array(33..<37) + Array(37..<53)))
    }
}
