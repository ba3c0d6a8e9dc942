import Crypto
import Foundation
import Support
import Testing

/// Attacks by a token that was made up, or a good one that was changed: to be somebody, to be
/// somebody else, or to be valid for longer.
@Suite(.server()) struct TokenForgery {
    let server: RunningServer
    let connection: HTTPConnection
    let miguel: Account
    let token: Token
    let attacker = P256.Signing.PrivateKey()

    private static let registered = Task { try await SharedServer.current().newAccount("miguel") }
    private static let issued = Task { try await SharedServer.current().token(registered.value) }

    init() async throws {
        server = try SharedServer.current()
        connection = try await server.connect()
        miguel = try await Self.registered.value
        // Shared by all tests, because signing in takes time; renewed when it has expired.
        let shared = try await Self.issued.value
        let isGood = try await connection.send("GET", "/api/resource", headers: [bearer(shared)]).status == 200
        token = try await Token(isGood ? shared : server.token(miguel))
    }

    @Test func theTokenThatIsTamperedWithIsGood() async throws {
        for header in [bearer(token.text), basic(token.text, "x")] {
            #expect(try await connection.send("GET", "/api/resource", headers: [header]).status == 200)
        }
    }

    // MARK: Spelling

    @Test func everyTruncationIsRefused() async throws {
        let text = Array(token.text)
        for length in 0..<text.count {
            try await expectRefusal(of: bearer(String(text[..<length])))
            try await expectRefusal(of: bearer(String(text[(text.count - length)...])))
        }
        for length in text.indices.suffix(8) { try await expectRefusal(of: basic(String(text[..<length]), "x")) }
    }

    @Test func everyTruncatedSegmentIsRefused() async throws {
        for cut in 1...4 {
            try await expectRefusal("\(token.header.dropLast(cut)).\(token.payload).\(token.signature)")
            try await expectRefusal("\(token.header).\(token.payload.dropLast(cut)).\(token.signature)")
            try await expectRefusal("\(token.header).\(token.payload).\(token.signature.dropLast(cut))")
        }
    }

    /// The lowest bit of the last character is a spare one: a lenient decoder does not notice that
    /// it changed.
    @Test func aTokenWithAnyOneCharacterChangedIsRefused() async throws {
        var text = Array(token.text)
        for (index, character) in text.enumerated() {
            let value = Token.alphabet.firstIndex(of: character)
            text[index] = value.map { Token.alphabet[$0 ^ 1] } ?? "A"
            try await expectRefusal(of: bearer(String(text)))
            text[index] = character
        }
    }

    @Test(arguments: 1..<16)
    func spareBitsMakeNoSecondSpelling(bits: Int) async throws {
        let value = try #require(Token.alphabet.firstIndex(of: token.signature.last ?? "?"))
        try #require(value % 16 == 0)
        try await expectRefusal("\(token.text.dropLast())\(Token.alphabet[value + bits])")
    }

    @Test(arguments: ["=", "==", "====", "A", "AA", "%3D"])
    func paddingMakesNoSecondSpelling(padding: String) async throws {
        try await expectRefusal("\(token.header)\(padding).\(token.payload).\(token.signature)")
        try await expectRefusal("\(token.header).\(token.payload)\(padding).\(token.signature)")
        try await expectRefusal("\(token.text)\(padding)")
    }

    @Test func theOtherAlphabetMakesNoSecondSpelling() async throws {
        var token = token
        while token.signature.allSatisfy({ $0 != "-" && $0 != "_" }) { token = try await Token(server.token(miguel)) }
        try await expectRefusal(token.text.replacing("-", with: "+").replacing("_", with: "/"))
    }

    /// Characters that a field value cannot hold, or loses at its ends, are sent in the user name
    /// of Basic.
    @Test(arguments: [" ", "\t", "\n", "\r\n", "\0", "\u{A0}", "\u{FEFF}", "\u{200B}"])
    func blanksMakeNoSecondSpelling(blank: String) async throws {
        let places = [
            blank + token.text, token.text + blank, token.parts.joined(separator: blank + "."),
            token.parts.joined(separator: "." + blank),
        ]
        for place in places { try await expectRefusal(of: basic(place, "x")) }
    }

    @Test func aTokenHasThreeParts() async throws {
        let (header, payload, signature) = (token.header, token.payload, token.signature)
        for text in [
            header, "\(header).\(payload)", "\(header).\(payload).", "\(header)..\(signature)",
            ".\(payload).\(signature)", "\(header)..",
            "..",
            "..\(signature)", ".", "...", ".\(token.text)", "\(token.text).", "\(token.text)..",
            "\(token.text).\(signature)",
            "\(header).\(header).\(payload).\(signature)", "\(token.text).\(token.text)",
            "\(header).\(payload)..\(signature)",
        ] { try await expectRefusal(text) }
    }

    // MARK: Signature

    @Test func anotherKeysSignatureIsRefused() async throws {
        try await expectRefusal(token.signed(by: attacker).text)
        try await expectRefusal(token.claiming("sub", "\"\(miguel.id + 1)\"").signed(by: attacker).text)
    }

    @Test func anotherTokensSignatureIsRefused() async throws {
        let other = try await Token(server.token(miguel))
        try await expectRefusal("\(token.header).\(token.payload).\(other.signature)")
        try await expectRefusal("\(token.header).\(other.payload).\(token.signature)")
    }

    /// Zeros are a valid signature of everything to a verifier that does not check their range
    /// (CVE-2022-21449).
    @Test func aSignatureThatNoKeyMadeIsRefused() async throws {
        for signature in try Vectors.signatures() {
            try await expectRefusal(of: bearer(token.with(signature: signature.bytes).text), signature.comment)
        }
    }

    @Test func aSignatureInAnotherFormIsRefused() async throws {
        let raw = token.signatureBytes
        let (r, s) = (Array(raw[..<32]), Array(raw[32...]))
        let der = try P256.Signing.ECDSASignature(rawRepresentation: raw).derRepresentation
        let forms: [[UInt8]] = [
            Array(der), s + r, [0] + r + [0] + s, raw + [0], [0] + raw, Array(raw.dropLast()), raw + raw,
            Array(raw.dropFirst()),
        ]
        for bytes in forms {
            try await expectRefusal(token.with(signature: bytes).text)
        }
    }

    // MARK: Header

    @Test(
        arguments: (0..<16).map { mask in
            String("none".enumerated().map { mask >> $0 & 1 == 1 ? Character($1.uppercased()) : $1 })
        })
    func noneIsNoAlgorithm(none: String) async throws {
        let ours = token.headerText.replacing("ES256", with: none)
        for header in ["{\"alg\":\"\(none)\"}", "{\"alg\":\"\(none)\",\"typ\":\"JWT\"}", ours] {
            let forged = token.with(header: header)
            for signature in ["", token.signature, "AA"] {
                try await expectRefusal("\(forged.header).\(forged.payload).\(signature)")
            }
        }
    }

    @Test(arguments: [
        "null", "0", "true", "\"\"", "[]", #"["ES256"]"#, #"["none","ES256"]"#, #"{"ES256":1}"#, #""es256""#,
        #""ES256 ""#,
        #""ES256\u0000""#,
        #""ES384""#, #""ES512""#, #""ES256K""#, #""RS256""#, #""PS256""#, #""EdDSA""#, #""HS256""#, #""HS384""#,
        #""HS512""#,
        #""PBES2-HS256+A128KW""#,
        #""ES256","alg":"none""#, #""none","alg":"ES256""#, #""none","\u0061lg":"ES256""#,
    ])
    func anotherAlgorithmIsRefused(alg: String) async throws {
        try await expectForgedHeaderRefused(token.headerText.replacing(#""ES256""#, with: alg))
    }

    @Test(arguments: [
        "null", "1", "true", "\"\"", "[]", "[\"KID\"]", "{\"KID\":1}", "\"kid\"", "\"KID \"", #""KID\u0000""#,
        #""../../../../dev/null""#,
        #""/dev/null""#, #""' OR '1'='1""#, #""x' UNION SELECT 'AA"#, #""; DROP TABLE signing_keys""#,
        #""http://127.0.0.1/key""#,
        #""KID","kid":"other""#,
        #""other","kid":"KID""#,
    ])
    func anotherKeyIdIsRefused(kid: String) async throws {
        let ours = try #require(token.headerText.firstMatch(of: /"kid":"([^"]+)"/)).1
        try await expectForgedHeaderRefused(
            token.headerText.replacing("\"kid\":\"\(ours)\"", with: "\"kid\":" + kid.replacing("KID", with: ours)))
    }

    @Test(arguments: [
        "null", "1", "[\"at+jwt\"]", "\"\"", #""JWT""#, #""at+JWT""#, #""application/at+jwt""#, #""refresh+jwt""#,
        #""at+jwt","typ":"JWT""#,
    ])
    func anotherTypeIsRefused(typ: String) async throws {
        try await expectForgedHeaderRefused(token.headerText.replacing(#""at+jwt""#, with: typ))
    }

    @Test(arguments: ["alg", "kid", "typ"])
    func aHeaderWithAMemberMissingIsRefused(name: String) async throws {
        let member = try Regex("\"\(name)\":\"[^\"]+\",?")
        let header = token.headerText.replacing(member, with: "").replacing(",}", with: "}")
        try #require(header != token.headerText)
        try await expectForgedHeaderRefused(header)
    }

    @Test(arguments: [
        #""crit":[]"#, #""crit":["exp"],"exp":1"#, #""crit":["b64"],"b64":false"#, #""b64":false"#, #""zip":"DEF""#,
        #""cty":"JWT""#,
        #""x5c":["MIIB"]"#, #""x5t":"AAAA""#, #""p2c":2147483647"#, #""exp":4102444800"#, #""x":1"#,
    ])
    func oneMoreMemberInTheHeaderIsRefused(member: String) async throws {
        try await expectForgedHeaderRefused(token.headerText.dropLast() + "," + member + "}")
    }

    @Test(arguments: [
        "", "{}", "[]", "null", "1", "\"ES256\"", "not JSON", "\u{FEFF}OURS", "OURS ", " OURS", "OURS{}", "OURS\0",
        "[OURS]",
    ])
    func aHeaderThatIsNotOursIsRefused(header: String) async throws {
        try await expectForgedHeaderRefused(header.replacing("OURS", with: token.headerText))
    }

    @Test func aKeyInTheHeaderIsNotTaken() async throws {
        let point = attacker.publicKey.rawRepresentation
        let (x, y) = (Token.encode(point.prefix(32)), Token.encode(point.suffix(32)))
        for kid in ["", #","kid":"mine""#] {
            let jwk = #""jwk":{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","x":"\#(x)","y":"\#(y)"\#(kid)}"#
            for header in [
                token.headerText.dropLast() + "," + jwk + "}", #"{"alg":"ES256","typ":"at+jwt",\#(jwk)}"#,
                #"{"alg":"ES256",\#(jwk),"kid":"mine"}"#,
            ] {
                try await expectForgedHeaderRefused(String(header))
            }
        }
    }

    @Test(arguments: ["jku", "x5u", "kid", "jwks_uri"])
    func aKeyThatTheHeaderPointsToIsNotFetched(name: String) async throws {
        let attackersHost = try Listener()
        let url = "http://127.0.0.1:\(attackersHost.port)/keys.json"
        try await expectForgedHeaderRefused(token.headerText.dropLast() + ",\"\(name)\":\"\(url)\"}")
        try await expectForgedHeaderRefused(#"{"alg":"ES256","typ":"at+jwt","\#(name)":"\#(url)"}"#)
        #expect(!attackersHost.wasVisited())
        // Shows that the listener notices a connection.
        _ = try await HTTPConnection(port: attackersHost.port)
        try await wait(for: "the visit") { attackersHost.wasVisited() }
    }

    // MARK: Claims

    @Test(
        arguments: [
            ("exp", nil), ("exp", "null"), ("exp", "true"), ("exp", "\"4102444800\""), ("exp", "-1"), ("exp", "0"),
            ("exp", "1"),
            ("exp", "4102444800"),
            ("exp", "9223372036854775807"), ("exp", "99999999999999999999"), ("exp", "1e999"), ("exp", "1e10"),
            ("exp", "NaN"),
            ("exp", "Infinity"), ("exp", "[]"),
            ("sub", nil), ("sub", "\"OTHER\""), ("sub", "OWN"), ("sub", "true"), ("sub", "null"), ("sub", "[\"OWN\"]"),
            ("sub", "\"0\""),
            ("sub", "\"0OWN\""),
            ("iat", nil), ("iat", "0"), ("iat", "4102444800"), ("iss", nil), ("iss", "\"other\""), ("aud", nil),
            ("aud", "[\"rest-auth\"]"),
            ("jti", nil), ("jti", "null"), ("auth_time", nil), ("auth_time", "4102444800"),
        ] as [(String, String?)])
    func aClaimThatIsToldOtherwiseIsRefused(name: String, value: String?) async throws {
        let told = value?.replacing("OWN", with: "\(miguel.id)").replacing("OTHER", with: "\(miguel.id + 1)")
        let forged = try token.claiming(name, told)
        try await expectRefusal(forged.text)
        try await expectRefusal(forged.signed(by: attacker).text)
    }

    @Test(arguments: ["", "{}", "[]", "null", "x", "\u{FEFF}OURS", "OURS ", "OURS{}", "OURS\0"])
    func aPayloadThatIsNotOursIsRefused(payload: String) async throws {
        let forged = token.with(payload: payload.replacing("OURS", with: token.payloadText))
        try await expectRefusal(forged.text)
        try await expectRefusal(forged.signed(by: attacker).text)
    }

    // MARK: Other forms

    @Test(arguments: [
        #"{"alg":"dir","enc":"A256GCM"}"#, #"{"alg":"RSA-OAEP","enc":"A256GCM"}"#,
        #"{"alg":"RSA1_5","enc":"A128CBC-HS256"}"#,
        #"{"alg":"ECDH-ES","enc":"A128GCM"}"#, #"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#,
        #"{"alg":"PBES2-HS512+A256KW","enc":"A256CBC-HS512","p2c":2147483647,"p2s":"AAAAAAAAAAA"}"#,
        #"{"alg":"none","enc":"none"}"#,
    ])
    func anEncryptedTokenIsRefused(header: String) async throws {
        let header = Token.encode(header.utf8)
        try await expectRefusal("\(header).AAAA.AAAAAAAAAAAAAAAA.\(token.payload).AAAAAAAAAAAAAAAAAAAAAA")
        try await expectRefusal("\(header)..AAAAAAAAAAAAAAAA.\(token.payload).AAAAAAAAAAAAAAAAAAAAAA")
        try await expectRefusal("\(header)....")
        try await expectRefusal("\(token.text).\(token.payload).\(token.signature)")
    }

    @Test func aTokenInJSONIsRefused() async throws {
        let (header, payload, signature) = (token.header, token.payload, token.signature)
        try await expectRefusal(#"{"protected":"\#(header)","payload":"\#(payload)","signature":"\#(signature)"}"#)
        try await expectRefusal(
            #"{"payload":"\#(payload)","signatures":[{"protected":"\#(header)","signature":"\#(signature)"}]}"#)
        try await expectRefusal("[\"\(token.text)\"]")
        try await expectRefusal("\"\(token.text)\"")
    }

    @Test func theTokensOfOthersAreRefused() async throws {
        for foreign in try Vectors.foreignTokens() {
            if !foreign.token.contains("\n") { try await expectRefusal(of: bearer(foreign.token), "\(foreign.id)") }
            try await expectRefusal(of: basic(foreign.token, "x"), "\(foreign.id)")
        }
    }

    // MARK: Size

    @Test func aTokenOfFiveKilobytesIsRefused() async throws {
        let filling = String(repeating: "A", count: 5 << 10)
        try await expectRefusal(
            token.with(payload: token.payloadText.dropLast() + ",\"x\":\"\(filling.prefix(3 << 10))\"}").text)
        try await expectRefusal("\(token.header).\(filling).\(token.signature)")
        try await expectRefusal("\(token.header).\(token.payload).\(filling)")
    }

    @Test(arguments: [100, 4000, 4096, 7000])
    func aTokenOfDotsIsRefused(count: Int) async throws {
        let dots = String(repeating: ".", count: count)
        try await expectRefusal(of: bearer(dots))
        try await expectRefusal(of: bearer(token.header + dots))
        try await expectRefusal(of: bearer("eyJ" + String(repeating: "a.", count: count / 2)))
        try await expectRefusal(of: basic(String(("eyJ" + dots).prefix(5000)), "x"))
    }

    @Test func aTokenOfOneMegabyteIsNotEvenRead() async throws {
        for filling in ["A", ".", "a.b"] {
            let text = "\(token.header).\(String(repeating: filling, count: 1 << 20))"
            for header in [bearer(text), basic(text, "x")] {
                let connection = try await server.connect()
                try await connection.write("GET /api/resource HTTP/1.1\r\nHost: 127.0.0.1\r\n\(header)\r\n\r\n")
                let answer = try await connection.readAnswer()
                #expect(answer.status == 431)
                #expect(answer.code == "request_header_fields_too_large")
            }
        }
    }

    // MARK: -

    /// Expects 401 for the token as Bearer and as Basic, at the resource and where it could be
    /// traded for a good one.
    private func expectRefusal(_ forged: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        #expect(forged != token.text, sourceLocation: sourceLocation)
        try await expectRefusal(of: bearer(forged), sourceLocation: sourceLocation)
        try await expectRefusal(of: basic(forged, "x"), sourceLocation: sourceLocation)
    }

    private func expectRefusal(
        of header: String, _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for path in ["/api/resource", "/api/token"] {
            let answer = try await connection.send("GET", path, headers: [header])
            #expect(answer.status == 401, "\(comment) \(header.prefix(300))", sourceLocation: sourceLocation)
            #expect(answer.code != nil, sourceLocation: sourceLocation)
            let scheme = header.hasPrefix("Authorization: Bearer") ? "Bearer" : "Basic"
            #expect(
                answer["WWW-Authenticate"]?.hasPrefix("\(scheme) realm=\"Authentication Required\"") == true,
                sourceLocation: sourceLocation)
        }
    }

    /// Tries the header with the signature of the good token, and with a matching one by the
    /// attacker's key.
    private func expectForgedHeaderRefused(
        _ header: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let forged = token.with(header: header)
        try await expectRefusal(forged.text, sourceLocation: sourceLocation)
        try await expectRefusal(forged.signed(by: attacker).text, sourceLocation: sourceLocation)
        try await expectRefusal("\(forged.header).\(forged.payload).", sourceLocation: sourceLocation)
    }
}
