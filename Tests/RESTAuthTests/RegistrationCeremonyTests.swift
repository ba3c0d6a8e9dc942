import Authenticators
import Foundation
import RESTAuth
import Testing

/// WebAuthn Level 3 section 7.1, step by step, each thing altered by itself.
@Suite struct RegistrationCeremonyTests {
    static let challenge = [UInt8](repeating: 0xC4, count: 32)

    private func party(topOrigins: [String] = []) throws -> RelyingParty {
        try RelyingParty(
            id: "example.org", publicURL: "https://example.org",
            origins: [
                "https://example.org", "https://app.example.org:8443",
                "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1g", "ios:bundle-id:org.example.App",
            ], topOrigins: topOrigins)
    }

    func verify(
        _ authenticator: SoftAuthenticator, requiresUserVerification: Bool = false, topOrigins: [String] = [],
        _ altered: [String: JSON?] = [:]
    ) throws -> NewPasskey {
        let expectation = PasskeyExpectation(
            try party(topOrigins: topOrigins), requiresUserVerification: requiresUserVerification, userHandle: nil
        ) { challenge in
            challenge == Self.challenge ? SpentChallenge(digest: [1], expiresAt: .distantFuture) : nil
        }
        let json = authenticator.json(try authenticator.created(), altered)
        return try RegistrationCeremony(expectation).verify(PasskeyRegistrationAnswer(json))
    }

    /// Expects a refusal after `alter`, and none before it.
    func refuses(
        _ refusal: PasskeyRefusal, algorithm: PasskeyAlgorithm = .es256, format: String = "none",
        requiresUserVerification: Bool = false, topOrigins: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation, _ alter: (inout SoftAuthenticator) throws -> Void
    ) throws {
        var authenticator = try SoftAuthenticator(algorithm, challenge: Self.challenge)
        authenticator.format = format
        _ = try verify(
            authenticator, requiresUserVerification: requiresUserVerification, topOrigins: topOrigins)
        try alter(&authenticator)
        #expect(throws: refusal, sourceLocation: sourceLocation) {
            try verify(authenticator, requiresUserVerification: requiresUserVerification, topOrigins: topOrigins)
        }
    }

    // MARK: What is good

    @Test(arguments: PasskeyAlgorithm.allCases, ["none", "packed"])
    func aNewPasskeyIsTakenAsItCame(algorithm: PasskeyAlgorithm, format: String) throws {
        var authenticator = try SoftAuthenticator(algorithm, challenge: Self.challenge)
        authenticator.format = format
        authenticator.flags = 0x1D
        let new = try verify(authenticator, requiresUserVerification: true)
        #expect(new.credentialID == authenticator.credentialID)
        #expect(try new.publicKey == authenticator.storedKey)
        #expect(new.algorithm == algorithm)
        #expect(new.aaguid == authenticator.aaguid)
        #expect(new.signCount == 7)
        #expect(new.isUserVerified && new.isBackupEligible && new.isBackedUp)
        #expect(new.transports == ["internal", "hybrid"])
        #expect(new.isDiscoverable == nil)
        #expect(new.spent.digest == [1])
        #expect(PasskeyPublicKey(stored: new.publicKey)?.algorithm == algorithm)
    }

    @Test(arguments: [UInt8(0x01), 0x05, 0x09, 0x0D, 0x19, 0x1D, 0x03, 0x21, 0x23])
    func flagsThatGoTogetherAreTaken(flags: UInt8) throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.flags = flags
        let new = try verify(authenticator)
        #expect(new.isUserVerified == (flags & 0x04 != 0))
        #expect(new.isBackupEligible == (flags & 0x08 != 0))
        #expect(new.isBackedUp == (flags & 0x10 != 0))
    }

    @Test func whatABrowserSaysBesideItIsPassedOver() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.set("other_keys_can_be_added_here", #""do not compare clientDataJSON against a template""#)
        authenticator.set("tokenBinding", #"{"status":"supported"}"#)
        authenticator.extensions = CBORBytes.map([
            (CBORBytes.text("credProtect"), CBORBytes.int(2)), (CBORBytes.text("hmac-secret"), CBORBytes.yes),
        ])
        let new = try verify(
            authenticator,
            ["clientExtensionResults": ["credProps": ["rk": true]], "extra": "1", "authenticatorAttachment": .null])
        #expect(new.isDiscoverable == true)
    }

    @Test func aByteOrderMarkIsPassedOver() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        let challenge = Base64.url.encode(Self.challenge)
        let text = #"{"type":"webauthn.create","challenge":"\#(challenge)","origin":"https://example.org"}"#
        authenticator.clientDataBytes = [0xEF, 0xBB, 0xBF] + Array(text.utf8)
        _ = try verify(authenticator)
    }

    @Test(arguments: [
        "https://example.org", "https://app.example.org:8443",
        "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1g", "ios:bundle-id:org.example.App",
    ])
    func everyOriginOfTheListIsTaken(origin: String) throws {
        _ = try verify(try SoftAuthenticator(challenge: Self.challenge, origin: origin))
    }

    @Test func aFrameOfAPageOfTheListIsTaken() throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.set("crossOrigin", "true")
        authenticator.set("topOrigin", #""https://example.com""#)
        _ = try verify(authenticator, topOrigins: ["https://example.com"])
    }

    @Test(arguments: [1, 16, 255, 256, 1_023])
    func anIDOfEveryLengthIsTaken(length: Int) throws {
        var authenticator = try SoftAuthenticator(challenge: Self.challenge)
        authenticator.credentialID = [UInt8](repeating: 3, count: length)
        #expect(try verify(authenticator).credentialID.count == length)
    }

    // MARK: Client data: steps 5 to 11

    @Test(arguments: [
        "", "{", "{}", "[]", "null", "\"webauthn.create\"", "{\"type\":\"webauthn.create\"}", "{} {}",
        "{\"type\":\"webauthn.create\",\"challenge\":\"AA\"}",
    ])
    func clientDataThatIsNoneIsRefused(text: String) throws {
        try refuses(text.isEmpty ? .malformed : .clientData) { $0.clientDataBytes = Array(text.utf8) }
    }

    @Test(
        arguments: [
            ("type", "1"), ("type", "null"), ("type", "[\"webauthn.create\"]"), ("type", nil), ("challenge", nil),
            ("challenge", "null"), ("challenge", "1"), ("challenge", "\"=\""), ("challenge", "\"AA==\""),
            ("origin", nil),
            ("origin", "null"), ("origin", "[\"https://example.org\"]"), ("crossOrigin", "null"), ("crossOrigin", "0"),
            ("crossOrigin", "\"false\""), ("topOrigin", "null"), ("topOrigin", "[]"), ("topOrigin", "false"),
        ] as [(String, String?)])
    func aMemberOfAnotherTypeIsRefused(name: String, json: String?) throws {
        try refuses(.clientData) { $0.set(name, json) }
    }

    @Test(arguments: ["type", "challenge", "origin", "crossOrigin"])
    func aMemberThatComesTwiceIsRefused(name: String) throws {
        try refuses(.clientData) { authenticator in
            let index = try #require(authenticator.clientData.firstIndex { $0.name == name })
            authenticator.clientData.append(authenticator.clientData[index])
        }
    }

    @Test(arguments: [
        "webauthn.get", "webauthn.create ", "Webauthn.create", "webauthn.creat", "webauthn.create\\u0000", "",
        "payment.get", "navigator.id.finishEnrollment", "webauthn.creat\\u0435",
    ])
    func anotherTypeIsRefused(type: String) throws {
        try refuses(.type) { $0.set("type", "\"\(type)\"") }
    }

    @Test func anotherChallengeIsRefused() throws {
        for bit in 0..<256 {
            var other = Self.challenge
            other[bit / 8] ^= 1 << (bit % 8)
            try refuses(.challenge) { $0.set("challenge", "\"\(Base64.url.encode(other))\"") }
        }
        for other in [[], Self.challenge + [0], Array(Self.challenge.dropLast()), [0] + Self.challenge] as [[UInt8]] {
            try refuses(.challenge) { $0.set("challenge", "\"\(Base64.url.encode(other))\"") }
        }
    }

    @Test(arguments: ["R", "+", "/", " ", "=", "\\n", "\\u00e4"])
    func anotherSpellingOfTheChallengeIsRefused(suffix: String) throws {
        try refuses(.clientData) {
            $0.set("challenge", "\"\(Base64.url.encode(Self.challenge).dropLast(1))\(suffix)\"")
        }
    }

    @Test(arguments: [
        "http://example.org", "https://example.org/", "https://example.org:443", "https://EXAMPLE.org",
        "https://example.org.", "https://evil.example", "https://example.org.evil.example", "https://evilexample.org",
        "https://sub.example.org", "https://app.example.org", "https://app.example.org:8444",
        "https://example.org:8443",
        "https://example.org\\u0000", "https://example.org ", " https://example.org", "", "null", "https://",
        "https://ex\\u0430mple.org", "https://example.org\\u0301", "android:apk-key-hash:AAAA",
        "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1w", "ios:bundle-id:org.example.app",
        "https://user@example.org", "file://", "https://xn--exmple-cua.org",
    ])
    func anotherOriginIsRefused(origin: String) throws {
        try refuses(.origin) { $0.set("origin", "\"\(origin)\"") }
    }

    @Test func aFrameIsRefusedWherePagesMayNotHaveUsInOne() throws {
        try refuses(.crossOrigin) { $0.set("crossOrigin", "true") }
        try refuses(.crossOrigin) { $0.set("topOrigin", #""https://example.org""#) }
        try refuses(.crossOrigin) {
            $0.set("crossOrigin", "true")
            $0.set("topOrigin", #""https://example.com""#)
        }
    }

    @Test(
        arguments: [
            ("true", nil), ("false", "https://example.com"), (nil, "https://example.com"),
            ("true", "https://example.net"),
            ("true", "https://example.org"), ("true", "http://example.com"), ("true", "https://example.com/"),
            ("true", ""),
            ("true", "https://sub.example.com"),
        ] as [(String?, String?)])
    func aFrameOfAnotherPageIsRefused(crossOrigin: String?, topOrigin: String?) throws {
        try refuses(.crossOrigin, topOrigins: ["https://example.com"]) {
            $0.set("crossOrigin", crossOrigin)
            $0.set("topOrigin", topOrigin.map { "\"\($0)\"" })
        }
    }
}

extension [UInt8] {
    /// With bits of one byte altered.
    func flipped(_ index: Int, _ bits: UInt8 = 1) -> [UInt8] {
        guard indices.contains(index) else { return self }
        var bytes = self
        bytes[index] ^= bits
        return bytes
    }
}
