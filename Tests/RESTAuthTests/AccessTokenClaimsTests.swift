import Foundation
import RESTAuth
import Testing

/// The conditions that a payload must meet to be accepted, even with a valid signature.
@Suite struct AccessTokenClaimsTests {
    /// Every claim as JSON text; `nil` leaves it out.
    private static func payload(_ changes: (name: String, value: String?)...) -> String {
        var claims: [(name: String, value: String?)] = [
            ("iss", "\"rest-auth\""), ("aud", "\"rest-auth\""), ("sub", "\"7\""),
            ("preferred_username", "\"miguel\""), ("sid", "\"01a1fdf3-d3a2-7e37-8317-3196edb0e819\""),
            ("jti", "\"id\""),
            ("iat", "1800000000"),
            ("exp", "1800000600"),
            ("auth_time", "1800000000"), ("amr", "[\"pwd\"]"),
        ]
        for change in changes {
            if let index = claims.firstIndex(where: { $0.name == change.name }) {
                claims[index] = change
            } else {
                claims.append(change)
            }
        }
        return "{" + claims.compactMap { claim in claim.value.map { "\"\(claim.name)\":\($0)" } }.joined(separator: ",")
            + "}"
    }

    private static let all = ["rest-auth", "https://api.example.com", "https://é.example.com"]

    private static func read(_ payload: String) -> AccessTokenClaims? {
        JSON(Array(payload.utf8)).flatMap { AccessTokenClaims($0, issuer: "rest-auth") }
    }

    @Test func ourOwnClaimsAreRead() throws {
        let claims = try #require(Self.read(Self.payload()))
        #expect(claims.subject == 7)
        #expect(claims.expiresAt == 1_800_000_600)
        #expect(AccessTokenClaims(claims.json, issuer: "rest-auth") == claims)
        #expect(AccessTokenClaims(claims.json, issuer: "other") == nil)
    }

    @Test(
        arguments: ["iss", "aud", "sub", "preferred_username", "sid", "jti", "iat", "exp", "auth_time"],
        [nil, "null", "true", "false", "[]", "{}", "1.5", "[1]"] as [String?])
    func aClaimThatIsMissingOrOfAnotherTypeIsRefused(name: String, value: String?) {
        #expect(Self.read(Self.payload((name, value))) == nil)
    }

    @Test(arguments: [
        "\"1800000600\"", "-1", "0", "1", "1800000000", "1799999999", "1e999", "-1e999", "1.8e9", "1800000600.0",
        "1800000600.5", "NaN",
        "Infinity",
        "1800086401", "9223372036854775807", "9223372036854775808", "99999999999999999999999999",
        "-9223372036854775808", "0x6B49D458",
        "[1800000600]",
    ])
    func anEndThatIsNoWholeSecondWithinADayIsRefused(exp: String) {
        #expect(Self.read(Self.payload(("exp", exp))) == nil)
    }

    @Test(arguments: [
        "null", "\"pwd\"", "[]", "[1]", "[\"pwd\",null]", "[\"\"]", "[\"p w\"]", "[\"é\"]", "{}", "[[\"pwd\"]]",
        "[\"\(String(repeating: "x", count: 33))\"]",
    ])
    func methodsThatCannotBeAnysAreRefused(amr: String) {
        #expect(Self.read(Self.payload(("amr", amr))) == nil)
    }

    @Test(arguments: ["null", "\"\"", "\"aal2\"", "\"AAL1\"", "[\"aal1\"]", "1"])
    func aClassThatIsNotThatOfItsMethodsIsRefused(acr: String) {
        #expect(Self.read(Self.payload(("acr", acr))) == nil)
    }

    @Test func whatWasProvenIsReadAlsoWhereAnEarlierVersionDidNotSayAll() throws {
        let earlier = try #require(Self.read(Self.payload()))
        #expect(earlier.methods == [.password])
        #expect(try #require(Self.read(Self.payload(("amr", nil)))).methods.isEmpty)
        #expect(Self.read(Self.payload(("amr", nil), ("acr", "\"aal1\""))) == nil)
        let both = try #require(Self.read(Self.payload(("amr", "[\"pwd\",\"otp\",\"mfa\"]"), ("acr", "\"aal2\""))))
        #expect(both.methods == [.password, .oneTimePassword, .multipleFactors])
        #expect(AccessTokenClaims(both.json, issuer: "rest-auth") == both)
    }

    @Test func theLongestLifeIsADay() {
        #expect(Self.read(Self.payload(("exp", "1800086400"))) != nil)
    }

    @Test(arguments: [
        "0", "-1", "-9223372036854775808", "1800000600", "1800000601", "9223372036854775807", "1e9", "\"1800000000\"",
    ])
    func aBeginningThatIsNotBeforeTheEndIsRefused(iat: String) {
        #expect(Self.read(Self.payload(("iat", iat))) == nil)
    }

    @Test func aPasswordGivenAfterTheTokenIsRefused() {
        #expect(Self.read(Self.payload(("auth_time", "1800000001"))) == nil)
    }

    @Test(arguments: [
        "7", "\"\"", "\"07\"", "\"+7\"", "\" 7\"", "\"7 \"", "\"7.0\"", "\"7e0\"", "\"0x7\"", "\"seven\"", "\"٧\"",
        "\"７\"",
        "\"9223372036854775808\"", "[\"7\"]",
        "\"7\\u0000\"",
    ])
    func aSubjectThatIsNotTheOneSpellingOfAnIdIsRefused(sub: String) {
        #expect(Self.read(Self.payload(("sub", sub))) == nil)
    }

    @Test(arguments: [
        "\"\"", "\"01A1FDF3-D3A2-7E37-8317-3196EDB0E819\"", "\"01a1fdf3d3a27e3783173196edb0e819\"",
        "\"{01a1fdf3-d3a2-7e37-8317-3196edb0e819}\"", "\"01a1fdf3-d3a2-7e37-8317-3196edb0e81\"",
        "\"01a1fdf3-d3a2-7e37-8317-3196edb0e819 \"",
        "\"g1a1fdf3-d3a2-7e37-8317-3196edb0e819\"",
    ])
    func aSessionThatIsNotTheOneSpellingOfAnIdIsRefused(sid: String) {
        #expect(Self.read(Self.payload(("sid", sid))) == nil)
    }

    @Test(arguments: ["null", "\"admin\"", "[]", "{}", "[1]", "[\"admin\",null]", "[[\"admin\"]]", "true"])
    func rolesThatAreNoListOfWordsAreRefused(roles: String) {
        #expect(Self.read(Self.payload(("roles", roles))) == nil)
    }

    @Test func rolesAreRead() throws {
        #expect(
            try #require(Self.read(Self.payload(("roles", "[\"admin\",\"auditor\"]")))).roles == ["admin", "auditor"])
    }

    @Test(
        arguments: ["iss", "client_id"],
        [
            "\"\"", "\"other\"", "\"REST-AUTH\"", "\"rest-auth \"", "\"rest-auth/\"", "[\"rest-auth\"]",
            "[\"rest-auth\",\"other\"]",
        ])
    func anotherServicesTokenIsRefused(name: String, value: String) {
        #expect(Self.read(Self.payload((name, value))) == nil)
    }

    @Test(arguments: [
        ("\"rest-auth\"", ["rest-auth"]), ("\"https://api.example.com\"", ["https://api.example.com"]),
        ("[\"rest-auth\",\"https://api.example.com\"]", ["rest-auth", "https://api.example.com"]),
        ("\"REST-AUTH\"", []), ("\"rest-auth \"", []), ("[\"a\",\"b\"]", []),
        // Equal to the letter with the accent as a Swift `String`.
        ("\"https://e\\u0301.example.com\"", []),
    ])
    func aTokenIsForWhomItNamesByteForByte(audience: String, takers: [String]) throws {
        let claims = try #require(Self.read(Self.payload(("aud", audience))))
        #expect(Self.all.filter { claims.isFor([$0]) } == takers)
        #expect(claims.isFor(Self.all) == !takers.isEmpty)
        #expect(!claims.isFor([]))
        #expect(AccessTokenClaims(claims.json, issuer: "rest-auth") == claims)
    }

    @Test(arguments: [
        "\"\"", "[]", "[\"rest-auth\"]", "[\"a\",\"a\"]", "[\"a\",\"\"]", "[\"a\",1]", "{\"a\":\"b\"}", "null", "1",
    ])
    func anAudienceThatWeWouldNotWriteIsRefused(audience: String) {
        #expect(Self.read(Self.payload(("aud", audience))) == nil)
    }

    @Test(arguments: ["iss", "aud", "sub", "jti", "iat", "exp", "auth_time"])
    func aClaimThatIsThereTwiceIsRefused(name: String) throws {
        let good = Self.payload()
        let member = try #require(good.firstMatch(of: Regex("\"\(name)\":[^,}]+"))?.0)
        #expect(Self.read(good.dropLast() + "," + member + "}") == nil)
    }

    @Test(arguments: ["", "{}", "[]", "null", "1", "\"exp\"", "[GOOD]", "GOOD ,", "GOODGOOD", "\u{FEFF}GOOD", "GOOD\0"])
    func whatIsNoObjectOfClaimsIsRefused(payload: String) {
        #expect(Self.read(payload.replacing("GOOD", with: Self.payload())) == nil)
    }

    // MARK: Time

    @Test func aTokenLivesFromAMinuteBeforeItsBeginningUntilItsEnd() throws {
        let claims = try #require(Self.read(Self.payload()))
        #expect(claims.isLive(at: 1_799_999_940))
        #expect(claims.isLive(at: 1_800_000_599.999))
        for time in [1_799_999_939.999, 1_800_000_600, 1_800_000_600.001, 0, -1, .infinity, -.infinity, .nan] {
            #expect(!claims.isLive(at: time), "\(time)")
        }
    }
}
