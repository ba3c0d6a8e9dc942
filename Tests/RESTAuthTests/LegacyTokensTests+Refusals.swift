import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

extension LegacyTokensTests {
    /// The longest life: no sign-in outlives `sessionTimebox`, 30 days, and a minute for the other
    /// server's clock.
    @Test(arguments: [
        "1802592061", "1802592060.5", "33400000000", "99999999999999", "9223372036854775807", "1e18", "1e308", "1e400",
        "-1e308", "-9223372036854775808", "-1800000600", "1800000600e400",
    ])
    func anEndThatIsTooFarOffOrNoTimeIsRefused(end: String) async throws {
        await expectInvalid(signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":\#(end)}"#.utf8))
        await expectInvalid(
            signed(#"{"alg":"HS512","iat":1799999999,"exp":\#(end)}"#.utf8, Self.jwsPayload.utf8, .hs512))
    }

    @Test(arguments: [
        "-9223372036854775808", "9223372036854775807", "-1", "0", "1797408599", "1800000061", "1800000600",
        "1800000601",
    ])
    func aBeginThatIsTooFarOffOrAheadIsRefused(begin: String) async throws {
        await expectInvalid(
            signed(#"{"alg":"HS512","iat":\#(begin),"exp":1800000600}"#.utf8, Self.jwsPayload.utf8, .hs512))
    }

    @Test func theLongestLifeIsThatOfASession() async throws {
        for token in [
            signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":1802592000}"#.utf8),
            signed(#"{"alg":"HS512","iat":1800000060,"exp":1802592060}"#.utf8, Self.jwsPayload.utf8, .hs512),
            signed(#"{"alg":"HS512","iat":1797408600,"exp":1800000600}"#.utf8, Self.jwsPayload.utf8, .hs512),
        ] { #expect(try await verify(token).userID == 70) }
        let short = try await TestAuth(over: test.storage, secret: secret) { configuration in
            configuration.legacySecret = try? LegacySecret(Self.secretText)
            configuration.sessionTimebox = 300
        }
        for token in [pyJWT, jws] {
            await short.expect(.invalidToken) { try await short.auth.accessTokens.verify(token) }
        }
    }

    @Test func withoutASecretNoneIsAccepted() async throws {
        let test = try await TestAuth(over: test.storage, secret: secret)
        for token in [pyJWT, jws] {
            await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(token) }
        }
    }

    @Test(arguments: [
        "", " ", "Zq7-flask-4hVxN2p", "zq7-flask-4hVxN2pL", "Zq7-flask-4hVxN2pL\n", " Zq7-flask-4hVxN2pL",
    ])
    func anotherSecretIsRefused(secret: String) async throws {
        await expectInvalid(signed(Self.pyJWTHeader.utf8, Self.pyJWTPayload.utf8, secret: secret))
        await expectInvalid(signed(Self.jwsHeader.utf8, Self.jwsPayload.utf8, .hs512, secret: secret))
    }

    @Test(arguments: [
        #"{"alg":"none","typ":"JWT"}"#, #"{"alg":"HS512","typ":"JWT"}"#, #"{"alg":"HS384","typ":"JWT"}"#,
        #"{"alg":"hs256","typ":"JWT"}"#,
        #"{"alg":"ES256","typ":"JWT"}"#, #"{"alg":"HS256"}"#, #"{"typ":"JWT"}"#, #"{"alg":"HS256","typ":"jwt"}"#,
        #"{"alg":"HS256","typ":null}"#,
        #"{"alg":"HS256","typ":"at+jwt"}"#, #"{"alg":["HS256"],"typ":"JWT"}"#,
        #"{"alg":"HS256","typ":"JWT","kid":"a"}"#,
        #"{"alg":"HS256","typ":"JWT","kid":null}"#, #"{"alg":"HS256","typ":"JWT","exp":1800000600}"#,
        #"{"alg":"HS256","kid":"JWT"}"#,
        #"{"alg":"HS256","typ":"JWT","crit":[]}"#, #"{"alg":"HS256","typ":"JWT","b64":true}"#,
        #"{"alg":"HS256","alg":"HS256","typ":"JWT"}"#,
        #"{"alg":"HS256","\u0061lg":"HS256"}"#, #"{"alg":"HS256","typ":"JWT"} "#.replacing(" ", with: "x"), "[]",
        "null", "",
        #"{"alg":"HS256","iat":1799999999,"exp":1800000600}"#,
    ])
    func aHeaderThatPyJWTDoesNotWriteIsRefused(header: String) async throws {
        for algorithm in [Algorithm.hs256, .hs384, .hs512] {
            await expectInvalid(signed(header.utf8, Self.pyJWTPayload.utf8, algorithm), header)
        }
        await expectInvalid(
            Array("\(Base64.url.encode(header.utf8)).\(Base64.url.encode(Self.pyJWTPayload.utf8)).".utf8), header)
    }

    @Test(arguments: [
        #"{"id":7}"#, #"{"exp":1800000600}"#, #"{"id":true,"exp":1800000600}"#, #"{"id":"7","exp":1800000600}"#,
        #"{"id":7.0,"exp":1800000600}"#,
        #"{"id":7e0,"exp":1800000600}"#, #"{"id":null,"exp":1800000600}"#, #"{"id":[7],"exp":1800000600}"#,
        #"{"id":-7,"exp":1800000600}"#,
        #"{"id":0,"exp":1800000600}"#, #"{"id":70,"exp":1800000600}"#, #"{"id":8,"exp":1800000600}"#,
        #"{"id":9999999999999999999,"exp":1800000600}"#,
        #"{"id":7,"exp":"1800000600"}"#, #"{"id":7,"exp":true}"#, #"{"id":7,"exp":null}"#,
        #"{"id":7,"exp":1800000000}"#,
        #"{"id":7,"exp":-1}"#,
        #"{"id":7,"exp":1e999}"#, #"{"id":7,"exp":NaN}"#, #"{"id":7,"exp":1800000600,"iat":1799999999}"#,
        #"{"id":7,"exp":1800000600,"nbf":1}"#,
        #"{"id":7,"exp":1800000600,"sub":"7"}"#, #"{"id":7,"exp":1800000600,"aud":"x"}"#,
        #"{"id":7,"id":7,"exp":1800000600}"#,
        #"{"id":80,"id":7,"exp":1800000600}"#, #"{"id":7,"exp":1800000600,"exp":1800000600}"#,
        #"{"id":7,"\u0065xp":1,"exp":1800000600}"#,
        #"{"id":7,"exp":1800000600}x"#, #"[{"id":7,"exp":1800000600}]"#, #"[7,1800000600]"#, "7", "null", "",
        #"{"confirm":7,"exp":1800000600}"#, #"{"user_id":7,"exp":1800000600}"#,
    ])
    func aPayloadThatPyJWTDidNotWriteHereIsRefused(payload: String) async throws {
        await expectInvalid(signed(Self.pyJWTHeader.utf8, payload.utf8), payload)
    }

    @Test(arguments: [
        #"{"alg":"none","iat":1799999999,"exp":1800000600}"#, #"{"alg":"HS384","iat":1799999999,"exp":1800000600}"#,
        #"{"alg":"HS256","iat":1799999999,"exp":1800000600}"#, #"{"iat":1799999999,"exp":1800000600}"#,
        #"{"alg":"HS512","exp":1800000600}"#,
        #"{"alg":"HS512","iat":1799999999}"#, #"{"alg":"HS512"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600,"typ":"JWT"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600,"kid":"a"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600.0}"#,
        #"{"alg":"HS512","iat":1799999999.5,"exp":1800000600}"#,
        #"{"alg":"HS512","iat":"1799999999","exp":1800000600}"#,
        #"{"alg":"HS512","iat":true,"exp":1800000600}"#, #"{"alg":"HS512","iat":1799999999,"exp":"1800000600"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":null}"#, #"{"alg":"HS512","iat":1799999999,"exp":1800000000}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":-1}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600,"exp":1800000600}"#,
        #"{"alg":"HS512","typ":"JWT","exp":1800000600}"#, #"{"alg":"HS512","iat":1799999999,"typ":"JWT"}"#, "[]", "",
    ])
    func aHeaderThatItsdangerousDoesNotWriteIsRefused(header: String) async throws {
        await expectInvalid(signed(header.utf8, Self.jwsPayload.utf8, .hs512), header)
    }

    @Test(arguments: [
        #"{"id":7,"exp":1800000600}"#, #"{"id":true}"#, #"{"id":"7"}"#, #"{"id":7.0}"#, #"{"id":null}"#, #"{"id":8}"#,
        #"{"id":0}"#,
        #"{"id":-7}"#,
        #"{"id":7,"id":7}"#, #"{"id":7,"x":1}"#, #"{"confirm":7}"#, #"{"reset":7}"#, "{}", "[7]", "7", "",
        #"{"id":7} {}"#,
    ])
    func aPayloadThatItsdangerousDidNotWriteHereIsRefused(payload: String) async throws {
        await expectInvalid(signed(Self.jwsHeader.utf8, payload.utf8, .hs512), payload)
        await expectInvalid(signed(Self.jwsHeader.replacing("HS512", with: "HS256").utf8, payload.utf8), payload)
    }

    @Test func aSignatureOfAnotherLengthOrAlgorithmIsRefused() async throws {
        for (header, payload, algorithm) in [
            (Self.pyJWTHeader, Self.pyJWTPayload, Algorithm.hs512), (Self.pyJWTHeader, Self.pyJWTPayload, .hs384),
            (Self.jwsHeader, Self.jwsPayload, .hs256), (Self.jwsHeader, Self.jwsPayload, .hs384),
        ] { await expectInvalid(signed(header.utf8, payload.utf8, algorithm)) }
        for token in [pyJWT, jws] {
            let text = String(decoding: token, as: UTF8.self)
            let parts = text.split(separator: ".")
            for signature in ["", "AA", String(parts[2].dropLast(4)), parts[2] + "AAAA", String(parts[2].reversed())] {
                await expectInvalid(Array("\(parts[0]).\(parts[1]).\(signature)".utf8))
            }
        }
    }

    @Test func everyFlippedBitIsRefused() async throws {
        for token in [pyJWT, jws] {
            for index in token.indices {
                for bit in [UInt8(1), 32] {
                    var forged = token
                    forged[index] ^= bit
                    await expectInvalid(forged)
                }
            }
        }
    }

    @Test func anotherSpellingOfTheSameBytesIsRefused() async throws {
        let (header, payload) = (Base64.url.encode(Self.pyJWTHeader.utf8), Base64.url.encode(Self.pyJWTPayload.utf8))
        _ = try await verify(signed(encoded: header, payload, .hs256))
        for mark in ["=", "==", " ", "\n"] {
            await expectInvalid(signed(encoded: header + mark, payload, .hs256))
            await expectInvalid(signed(encoded: header, payload + mark, .hs256))
            await expectInvalid(pyJWT + Array(mark.utf8))
        }
        await expectInvalid(pyJWT + Array(".".utf8))
        await expectInvalid(Array(".".utf8) + pyJWT)
    }

    @Test func aTokenOverTheLimitIsNotLookedAt() async throws {
        let blanks = String(repeating: " ", count: 4000)
        await expectInvalid(signed(Self.pyJWTHeader.utf8, (Self.pyJWTPayload + blanks).utf8))
    }

    /// A token in the form of this server's own, signed with the other server's secret.
    @Test func noTokenOfOursCanBeMadeWithIt() async throws {
        let ours = try await test.auth.sessions.token(for: verify(pyJWT))
        let parts = try #require(CompactJWS(Array(ours.value.utf8)))
        let payload = try #require(parts.payload).bytes
        for header in [Self.pyJWTHeader, Self.jwsHeader, String(decoding: parts.header.bytes, as: UTF8.self)] {
            for algorithm in [Algorithm.hs256, .hs512] { await expectInvalid(signed(header.utf8, payload, algorithm)) }
        }
        // And the other server's tokens are not accepted where this server's own are expected.
        await test.expect(.invalidToken) { try await test.auth.accessTokens.claims(of: pyJWT) }
    }
}
