import Crypto
import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// Tokens made by someone who has the public key, or even the private one: they must be refused
/// although the signature is valid.
@Suite struct ForgedTokensTests {
    let test: TestAuth
    let key: P256.Signing.PrivateKey
    let header: String
    let payload: String

    /// Shared by all tests, because none of them changes what is accepted.
    private static let shared = Task { try await ForgedTokensTests(secret: InstanceSecret()) }

    init() async throws { self = try await Self.shared.value }

    private init(secret: InstanceSecret) async throws {
        test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let user = try await test.storage.insertUser(
            Username("miguel"), passwordHash: Samples.passwordHash, at: test.clock.now)
        let identity = UserIdentity(
            userID: user.id, username: user.username, roles: [],
            authentication: Authentication([.password], at: test.clock.now),
            presented: .password)
        let token = try #require(CompactJWS(Array(await test.auth.sessions.token(for: identity).value.utf8)))
        header = String(decoding: token.header.bytes, as: UTF8.self)
        payload = String(decoding: try #require(token.payload).bytes, as: UTF8.self)
        let stored = try #require(await test.storage.signingKeys().first)
        key = try P256.Signing.PrivateKey(
            rawRepresentation: AES.GCM.open(
                AES.GCM.SealedBox(combined: stored.sealed), using: secret.key(for: "signing keys"),
                authenticating: Data(stored.id.utf8)))
    }

    @Test func theKeyIsTheOneThatIsBelieved() async throws {
        let token = try signed(Base64.url.encode(header.utf8), Base64.url.encode(payload.utf8))
        #expect(try await test.auth.accessTokens.verify(token).username == "miguel")
    }

    // MARK: Algorithm confusion: using the public key as an HMAC secret

    enum HMACAlgorithm: String, CaseIterable {
        case hs256 = "HS256"
        case hs384 = "HS384"
        case hs512 = "HS512"

        func code(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
            let key = SymmetricKey(data: key)
            return switch self {
            case .hs256: Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
            case .hs384: Array(HMAC<SHA384>.authenticationCode(for: bytes, using: key))
            case .hs512: Array(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
            }
        }
    }

    @Test(arguments: HMACAlgorithm.allCases)
    func thePublicKeyIsNoSecretOfAnHMAC(algorithm: HMACAlgorithm) async throws {
        for (name, secret) in spellingsOfThePublicKey() {
            for header in [
                header.replacing("ES256", with: algorithm.rawValue), header, "{\"alg\":\"\(algorithm.rawValue)\"}",
                "{\"alg\":\"\(algorithm.rawValue)\",\"typ\":\"JWT\"}",
            ] {
                let input = Base64.url.encode(header.utf8) + "." + Base64.url.encode(payload.utf8)
                let token = input + "." + Base64.url.encode(algorithm.code(Array(input.utf8), key: secret))
                await expectInvalid(Array(token.utf8), "\(header) under the key as \(name)")
            }
        }
    }

    private func spellingsOfThePublicKey() -> [(name: String, bytes: [UInt8])] {
        let point = key.publicKey
        let (x, y) = (point.rawRepresentation.prefix(32), point.rawRepresentation.suffix(32))
        let jwk = #"{"crv":"P-256","kty":"EC","x":"\#(Base64.url.encode(x))","y":"\#(Base64.url.encode(y))"}"#
        let pem = point.pemRepresentation
        let texts = [
            ("PEM", pem), ("PEM and a newline", pem + "\n"), ("PEM of Windows", pem.replacing("\n", with: "\r\n")),
            ("DER in base64", point.derRepresentation.base64EncodedString()),
            ("JWK", jwk), ("x in base64url", Base64.url.encode(x)),
            ("the key id", Base64.url.encode(Array(SHA256.hash(data: Data(jwk.utf8))))), ("nothing", ""),
        ]
        return [
            ("x and y", Array(point.rawRepresentation)), ("x9.63", Array(point.x963Representation)),
            ("x9.63 compressed", Array(point.compressedRepresentation)),
            ("DER", Array(point.derRepresentation)), ("x", Array(x)),
        ] + texts.map { ($0, Array($1.utf8)) }
    }

    // MARK: Valid signatures

    @Test(arguments: [
        ("ES256", "none"), ("ES256", "None"), ("ES256", ""), ("ES256", "es256"), ("ES256", "ES256 "),
        ("ES256", "ES384"),
        ("ES256", "HS256"), ("ES256", "RS256"), ("ES256", "EdDSA"),
        (#""ES256""#, "null"), (#""ES256""#, "1"), (#""ES256""#, "true"), (#""ES256""#, #"["ES256"]"#),
        (#""ES256""#, #"{"ES256":1}"#),
        (#""ES256""#, #""ES256","alg":"ES256""#), (#""ES256""#, #""ES256","\u0061lg":"none""#),
        (#""alg":"ES256","#, ""),
        ("at+jwt", "jwt"), ("at+jwt", "JWT "), ("at+jwt", ""), ("at+jwt", "at+JWT"), ("at+jwt", "application/at+jwt"),
        ("at+jwt", "refresh+jwt"), (#""at+jwt""#, "null"),
        (#""at+jwt""#, #"["at+jwt"]"#), (#","typ":"at+jwt""#, ""),
        (#""kid""#, #""kid ""#), (#""kid":"#, #""kid":null,"x":"#), (#""kid":"#, #""kid":"other","x":"#),
        (#""kid":"#, #""kid":"../../dev/null","x":"#),
        (#""kid":"#, #""kid":["a"],"x":"#), (#""kid":""#, #""kid":" "#),
        ("}", #","crit":[]}"#), ("}", #","crit":["exp"],"exp":1}"#), ("}", #","b64":true}"#),
        ("}", #","b64":false,"crit":["b64"]}"#),
        ("}", #","jku":"http://127.0.0.1/"}"#),
        ("}", #","x5c":[]}"#), ("}", #","jwk":{}}"#), ("}", #","zip":"DEF"}"#), ("}", #","x":1}"#), ("}", "}}"),
        ("}", "} {}"),
        ("{", "\u{FEFF}{"), ("{", "[{"), ("{", ""),
    ])
    func aHeaderThatIsNotExactlyOursIsRefused(part: String, other: String) async throws {
        let forged = header.replacing(part, with: other, maxReplacements: 1)
        try #require(forged != header)
        await expectInvalid(try signed(Base64.url.encode(forged.utf8), Base64.url.encode(payload.utf8)), forged)
    }

    @Test(
        arguments: [
            ("exp", nil), ("exp", "null"), ("exp", "true"), ("exp", "\"1800000600\""), ("exp", "-1"), ("exp", "0"),
            ("exp", "1800000000"),
            ("exp", "1800000600.0"),
            ("exp", "1.8000006e9"), ("exp", "1e999"), ("exp", "NaN"), ("exp", "9223372036854775807"),
            ("exp", "4102444800"),
            ("exp", "99999999999999999999"),
            ("exp", "[1800000600]"), ("exp", "1800000600,\"exp\":1800000600"), ("iat", nil), ("iat", "1800000061"),
            ("iat", "0"),
            ("iat", "\"1800000000\""),
            ("nbf", "1800000061"), ("nbf", "4102444800"), ("nbf", "\"1800000000\""), ("nbf", "null"), ("nbf", "1e999"),
            ("sub", nil), ("sub", "1"), ("sub", "true"), ("sub", "\"2\""), ("sub", "\"0\""), ("sub", "\"-1\""),
            ("sub", "\"01\""),
            ("sub", "[\"1\"]"),
            ("sub", "\"1\",\"sub\":\"1\""), ("sub", "\"1\",\"s\\u0075b\":\"2\""), ("iss", nil), ("iss", "\"other\""),
            ("aud", nil),
            ("aud", "\"\""), ("aud", "[]"), ("aud", "[\"rest-auth\"]"), ("aud", "[\"a\",\"a\"]"),
            ("aud", "[\"a\",\"\"]"), ("aud", "[\"a\",1]"), ("aud", "[\"a\",[\"b\"]]"), ("aud", "null"),
            ("client_id", "\"other\""), ("client_id", "null"), ("client_id", "[\"rest-auth\"]"),
            ("jti", nil), ("jti", "1"), ("auth_time", nil), ("auth_time", "1800000001"),
        ] as [(String, String?)])
    func aClaimThatWeWouldNotMakeIsRefused(name: String, value: String?) async throws {
        let member = try Regex("\"\(name)\":(\"[^\"]*\"|[0-9]+),?")
        let changed = payload.replacing(member, with: "").replacing(",}", with: "}")
        let forged = value.map { changed.dropLast() + ",\"\(name)\":\($0)}" } ?? changed
        try #require(forged != payload)
        await expectInvalid(try signed(Base64.url.encode(header.utf8), Base64.url.encode(forged.utf8)), forged)
    }

    /// Tokens signed before `token_type` or `token_audience` was changed, or by a version that
    /// wrote no `client_id`.
    @Test(arguments: [
        (#""typ":"at+jwt""#, #""typ":"JWT""#), (#""aud":"rest-auth""#, #""aud":"https://api.example.com""#),
        (#""aud":"rest-auth""#, #""aud":["rest-auth","https://api.example.com"]"#),
        (#""client_id":"rest-auth","#, ""),
    ])
    func whatOtherSettingsOrAnEarlierVersionWroteIsGoodUntilItExpires(part: String, other: String) async throws {
        let (header, payload) = (header.replacing(part, with: other), payload.replacing(part, with: other))
        try #require(header != self.header || payload != self.payload)
        let token = try signed(Base64.url.encode(header.utf8), Base64.url.encode(payload.utf8))
        #expect(try await test.auth.accessTokens.verify(token).username == "miguel")
    }

    @Test(arguments: ["", "x", "{}", "[]", "null", "GOOD ,", "GOODGOOD", "GOOD\0", "\u{FEFF}GOOD", "[GOOD]"])
    func aPayloadThatIsNoObjectIsRefused(text: String) async throws {
        let forged = text.replacing("GOOD", with: payload)
        await expectInvalid(try signed(Base64.url.encode(header.utf8), Base64.url.encode(forged.utf8)), forged)
    }

    @Test func aPayloadThatIsNotUTF8IsRefused() async throws {
        let forged = Array(payload.utf8.dropLast()) + Array(",\"x\":\"".utf8) + [0xFF] + Array("\"}".utf8)
        await expectInvalid(try signed(Base64.url.encode(header.utf8), Base64.url.encode(forged)))
    }

    /// Signs the alternative spelling itself, so that only the spelling can be the reason for
    /// refusal.
    @Test func anotherSpellingOfTheSameBytesIsRefused() async throws {
        // Blanks at the end give the text a length at which the last character has spare bits.
        for (header, payload) in [(header, payload), (header + " ", payload + " "), (header + "  ", payload + "  ")] {
            let (header, payload) = (Base64.url.encode(header.utf8), Base64.url.encode(payload.utf8))
            _ = try await test.auth.accessTokens.verify(signed(header, payload))
            for blank in ["=", "==", " ", "\n", "\t"] {
                await expectInvalid(try signed(header + blank, payload))
                await expectInvalid(try signed(header, payload + blank))
                await expectInvalid(try signed(blank + header, payload))
            }
            guard header.count % 4 != 0, payload.count % 4 != 0 else { continue }
            await expectInvalid(try signed(withSpareBit(header), payload))
            await expectInvalid(try signed(header, withSpareBit(payload)))
        }
    }

    @Test func aTokenOverTheLimitIsRefused() async throws {
        func token(filling count: Int) throws -> [UInt8] {
            let filling = ",\"x\":\"" + String(repeating: "x", count: count) + "\"}"
            return try signed(Base64.url.encode(header.utf8), Base64.url.encode((payload.dropLast() + filling).utf8))
        }
        var count = 2000
        while try token(filling: count + 1).count <= AccessTokens.maximumBytes { count += 1 }
        #expect(try await test.auth.accessTokens.verify(token(filling: count)).username == "miguel")
        await expectInvalid(try token(filling: count + 1))
        await expectInvalid(try token(filling: count + 10_000))
    }

    @Test func aSignatureInAnotherFormIsRefused() async throws {
        let (header, payload) = (Base64.url.encode(header.utf8), Base64.url.encode(payload.utf8))
        let signature = try key.signature(for: Data("\(header).\(payload)".utf8))
        let raw = Array(signature.rawRepresentation)
        let (r, s) = (Array(raw[..<32]), Array(raw[32...]))
        let forms: [[UInt8]] = [
            Array(signature.derRepresentation), raw + [0], [0] + raw, [0] + r + [0] + s, raw + raw, s + r,
        ]
        for bytes in forms {
            await expectInvalid(Array("\(header).\(payload).\(Base64.url.encode(bytes))".utf8))
        }
    }

    // MARK: -

    private func signed(_ header: String, _ payload: String) throws -> [UInt8] {
        let signature = try key.signature(for: Data("\(header).\(payload)".utf8)).rawRepresentation
        return Array("\(header).\(payload).\(Base64.url.encode(signature))".utf8)
    }

    /// The text with a spare bit set, which a lenient decoder reads as the same bytes.
    private func withSpareBit(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let last = alphabet.firstIndex(of: text.last ?? "A") ?? 0
        return text.dropLast() + String(alphabet[last | 1])
    }

    private func expectInvalid(
        _ token: [UInt8], _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: AuthError.self, "\(comment)", sourceLocation: sourceLocation) {
            try await test.auth.accessTokens.verify(token)
        }
        #expect(error?.code == .invalidToken, sourceLocation: sourceLocation)
    }
}
