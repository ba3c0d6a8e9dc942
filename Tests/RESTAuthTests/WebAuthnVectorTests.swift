import Authenticators
import Foundation
import RESTAuth
import Testing

/// The test vectors of WebAuthn Level 3 (section 16), through both ceremonies.
@Suite struct WebAuthnVectorTests {
    struct Vector: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let registration: [String: String]
        let authentication: [String: String]

        var testDescription: String { name }

        func bytes(_ part: KeyPath<Vector, [String: String]>, _ name: String) throws -> [UInt8] {
            hex(try #require(self[keyPath: part][name]))
        }
    }

    private struct File: Decodable { let vectors: [Vector] }

    private static let all: [Vector] = {
        let file = URL(fileURLWithPath: #filePath).appending(path: "../../Vectors/webauthn.json").standardized
        return (try? JSONDecoder().decode(File.self, from: Data(contentsOf: file)))?.vectors ?? []
    }()

    private static func vectors(_ names: [String]) -> [Vector] { all.filter { names.contains($0.name) } }

    private func party() throws -> RelyingParty {
        try RelyingParty(publicURL: "https://example.org", topOrigins: ["https://example.com"])
    }

    private func expectation(_ challenge: [UInt8]) throws -> PasskeyExpectation {
        PasskeyExpectation(try party(), requiresUserVerification: false, userHandle: [7]) {
            $0 == challenge ? SpentChallenge(digest: $0, expiresAt: .distantFuture) : nil
        }
    }

    private func json(_ vector: Vector, _ response: [String: JSON]) throws -> JSON {
        let id = JSON.string(Base64.url.encode(try vector.bytes(\.registration, "credential_id")))
        return [
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": [:],
            "response": .object(response.map { JSON.Member(name: $0.key, value: $0.value) }),
        ]
    }

    private func register(_ vector: Vector, object: [UInt8]? = nil) throws -> NewPasskey {
        let response: [String: JSON] = [
            "clientDataJSON": .string(Base64.url.encode(try vector.bytes(\.registration, "clientDataJSON"))),
            "attestationObject": .string(
                Base64.url.encode(try object ?? vector.bytes(\.registration, "attestationObject"))),
        ]
        let ceremony = RegistrationCeremony(try expectation(vector.bytes(\.registration, "challenge")))
        return try ceremony.verify(PasskeyRegistrationAnswer(json(vector, response)))
    }

    /// As the browser hands it on that was asked for no attestation (section 5.1.3).
    private func withoutAttestation(_ vector: Vector) throws -> [UInt8] {
        let object = try vector.bytes(\.registration, "attestationObject")
        let data = try #require(object.firstRange(of: CBORBytes.text("authData")))
        return [0xA3] + CBORBytes.text("fmt") + CBORBytes.text("none") + CBORBytes.text("attStmt") + [0xA0]
            + object[data.lowerBound...]
    }

    private func signIn(_ vector: Vector, with new: NewPasskey) throws -> PasskeyUse {
        let names = ["clientDataJSON", "authenticatorData", "signature"]
        let response = try names.map { ($0, JSON.string(Base64.url.encode(try vector.bytes(\.authentication, $0)))) }
        let stored = StoredPasskey(
            credentialID: new.credentialID, publicKey: new.publicKey, userHandle: [7], signCount: new.signCount,
            isBackupEligible: new.isBackupEligible, isBackedUp: new.isBackedUp,
            isVerificationInitialized: new.isUserVerified)
        let ceremony = AuthenticationCeremony(try expectation(vector.bytes(\.authentication, "challenge")))
        return try ceremony.verify(
            PasskeyAuthenticationAnswer(json(vector, Dictionary(uniqueKeysWithValues: response))), by: stored)
    }

    @Test func allVectorsAreHere() { #expect(Self.all.count == 15) }

    @Test(
        arguments: vectors([
            "none-es256", "packed-self-es256", "none-es256-topOrigin", "none-es256-long-credential-id",
        ]))
    func whatNeedsNoCertificateRegistersAndSignsIn(vector: Vector) throws {
        let new = try register(vector)
        #expect(new.credentialID == (try vector.bytes(\.registration, "credential_id")))
        #expect(new.aaguid == (try vector.bytes(\.registration, "aaguid")))
        #expect(new.signCount == 0)
        #expect(try signIn(vector, with: new).counter == .unused)
    }

    @Test(
        arguments: vectors([
            "packed-es256", "packed-rs256", "packed-eddsa", "tpm-es256", "android-key-es256", "apple-es256",
            "fido-u2f-es256",
        ]))
    func anAttestationIsRefusedAndTheSamePasskeyWithoutItSignsIn(vector: Vector) throws {
        #expect(throws: PasskeyRefusal.attestationFormat) { try register(vector) }
        _ = try signIn(vector, with: register(vector, object: withoutAttestation(vector)))
    }

    @Test(arguments: vectors(["packed-es384", "packed-es512", "packed-ed448"]))
    func anAlgorithmThatWasNotAskedForIsRefused(vector: Vector) throws {
        #expect(throws: PasskeyRefusal.publicKey) { try register(vector) }
        #expect(throws: PasskeyRefusal.publicKey) { try register(vector, object: withoutAttestation(vector)) }
    }

    /// The client does not say in whose frame it was.
    @Test(arguments: vectors(["none-es256-crossOrigin"]))
    func aFrameOfNobodyKnownIsRefused(vector: Vector) throws {
        #expect(throws: PasskeyRefusal.crossOrigin) { try register(vector) }
    }

    @Test(arguments: all)
    func theAnswerToAnotherCeremonyIsRefused(vector: Vector) throws {
        for other in Self.all where other.name != vector.name {
            let ceremony = RegistrationCeremony(try expectation(other.bytes(\.registration, "challenge")))
            let response: [String: JSON] = [
                "clientDataJSON": .string(Base64.url.encode(try vector.bytes(\.registration, "clientDataJSON"))),
                "attestationObject": .string(Base64.url.encode(try vector.bytes(\.registration, "attestationObject"))),
            ]
            #expect(throws: PasskeyRefusal.challenge) {
                try ceremony.verify(PasskeyRegistrationAnswer(json(vector, response)))
            }
        }
    }
}
