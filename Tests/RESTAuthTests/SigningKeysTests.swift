import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import ServiceLifecycle
import Support
import Testing

@Suite struct SigningKeysTests {
    @Test(arguments: SigningAlgorithm.allCases)
    func everyAlgorithmSignsAndVerifiesAlsoAfterARestart(algorithm: SigningAlgorithm) async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret) { $0.signingAlgorithm = algorithm }
        let tokens = try await test.session()
        let jws = try #require(CompactJWS(Array(tokens.access.value.utf8)))
        #expect(jws.header["alg"] == .string(algorithm.rawValue))
        let restarted = try await TestAuth(over: test.storage, secret: secret, clock: test.clock) {
            $0.signingAlgorithm = algorithm
        }
        #expect(try await restarted.verify(tokens.access).username == "miguel")
        #expect(restarted.auth.signingKeys.jwks == test.auth.signingKeys.jwks)
    }

    /// Of random ids one in 64 does.
    @Test func noIdBeginsWithAHyphen() throws {
        let ids = try (0..<500).map { _ in try SigningKey(.edDSA).publicKey.id }
        #expect(ids.allSatisfy { !$0.hasPrefix("-") })
    }

    @Test(arguments: SigningAlgorithm.allCases)
    func thePublishedKeyVerifiesAndHoldsNothingPrivate(algorithm: SigningAlgorithm) async throws {
        let test = try await TestAuth { $0.signingAlgorithm = algorithm }
        let token = Array(try await test.session().access.value.utf8)
        guard case .array(let published)? = test.auth.signingKeys.publishedSet["keys"], published.count == 1 else {
            throw AuthError(.misconfigured, "no key")
        }
        for name in ["d", "p", "q", "dp", "dq", "qi", "k"] { #expect(published[0][name] == nil) }
        let keys = VerificationKeys(bound: .seconds(600))
        keys.replace(with: [try #require(VerificationKey(jwk: published[0]))])
        let forged = try #require(CompactJWS(Array(token.dropLast(4)) + Array("AAAA".utf8)))
        #expect(try keys.verifiedPayload(of: #require(CompactJWS(token))) != nil)
        #expect(keys.verifiedPayload(of: forged) == nil)
    }

    @Test(arguments: [
        ("\"kty\":\"EC\"", "\"kty\":\"oct\""), ("\"crv\":\"P-256\"", "\"crv\":\"P-384\""),
        ("\"alg\":\"ES256\"", "\"alg\":\"HS256\""),
        ("\"use\":\"sig\"", "\"use\":\"enc\""), ("\"kid\":\"", "\"kid\":\"x"), ("\"x\":\"", "\"x\":\"AAAA"),
        ("\"x\":", "\"z\":"),
        ("\"y\":\"", "\"y\":\"="),
    ])
    func aPublishedKeyThatIsNotWhatItSaysIsForSomeoneElse(part: String, other: String) async throws {
        let text = try await TestAuth().auth.signingKeys.jwks.replacing("{\"keys\":[", with: "").replacing(
            "]}", with: "")
        let good = try #require(JSON(Array(text.utf8)))
        #expect(VerificationKey(jwk: good) != nil)
        let changed = text.replacing(part, with: other)
        try #require(changed != text)
        let jwk = try #require(JSON(Array(changed.utf8)))
        #expect(VerificationKey(jwk: jwk) == nil)
    }

    /// Keys of another length than RFC 7518 section 3.3 demands. Both have the right `kid`: only
    /// the number of bits tells them apart.
    @Test(arguments: [
        (
            1024,
            "0zu4c9jd6B80MWk0n3RdZMaF_KzmxboumZ2-ptIuZSU2L2MEVbgnIwLXHKadm8f6JJLEquceR7JQXJg1TYtrmZ"
                + "TsEacZsstbugIraYhHaczteZ8Fl_StMGrNCwrS3jhwXuLaa9jZV2zCnDyaAIDlcnY-wE43znzstswNKHHg36c",
            "i2ERazDA9PTFBQ9YSQHBF2clRHMDCVspnwNwVXf307I"
        ),
        (
            2048,
            "u-5vfzYW58liBtKwGcw1bOo_gVA5dDhhvKQUg4Y1KLCX-PRQdtxaa7LktTroHDdZ6YPxcm5RTexDTh2GdC2OU_"
                + "ohYwYctwIiXJVf5pCPd3Ng7Lutl6DLn68Uo23IMM2zc-qm-rNPOfZm8P74WUp8EpRkZIg7lZFqVF0YIaF_ZzOe"
                + "gnQoWtjsKSK_WZpnGShtSvcw5_U6sguiY_CtziZeTW9I-353V7zodfBehFtv_fcrB_TTuW03ezOIcbquKLHc9Z"
                + "paY8W0yRt6RBz5xnulydevpKY2lhmsm16J6t-xBZ6Znulsna6MFACR027Ene7Z4U8vMwJYk0Rk4Req1Xduww",
            "_oIDlBD3gg_dEb-m_h5cygpxY1ahu1lwvMXVyWyAyGU"
        ),
    ])
    func anRSAKeyHasAtLeast2048Bits(bits: Int, modulus: String, id: String) {
        let jwk: JSON = ["e": "AQAB", "kid": .string(id), "kty": "RSA", "n": .string(modulus)]
        #expect((VerificationKey(jwk: jwk) != nil) == (bits >= 2048))
    }

    @Test func aNewKeyIsPublishedBeforeItSignsAndTheOldOneStaysUntilItsTokensAreDead() async throws {
        let test = try await TestAuth()
        let old = try #require(test.auth.signingKeys.list().first).id
        let made = try await test.auth.signingKeys.rotate()
        #expect(made.state == .next)
        #expect(test.auth.signingKeys.jwks.contains(made.id))
        #expect(try await kid(test) == old)
        test.clock.advance(by: 3599)
        let last = try await test.auth.sessions.start(for: test.auth.login.identify("miguel", password: "python"))
        #expect(kid(of: last) == old)
        test.clock.advance(by: 1)
        #expect(try await kid(test) == made.id)
        #expect(test.auth.signingKeys.list().map(\.state) == [.verifying, .signing])
        _ = try await test.verify(last.access)
        // A day and an hour later no token of the old key can be live.
        test.clock.advance(by: 86400 + 3600)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        try await test.auth.signingKeys.load()
        #expect(test.auth.signingKeys.list().count == 2)
        test.clock.advance(by: 1)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        try await test.auth.signingKeys.load()
        #expect(test.auth.signingKeys.list().map(\.id) == [made.id])
    }

    @Test func thereIsOneNextKeyAtATime() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.signingKeys.rotate()
        await test.expect(.keyPending) { try await test.auth.signingKeys.rotate() }
        // With a shorter lead, the next key is brought forward.
        let next = try await test.auth.signingKeys.rotate(lead: 60)
        #expect(next.signsFrom == test.clock.now.addingTimeInterval(60))
        #expect(test.auth.signingKeys.list().map(\.state) == [.signing, .next])
        await test.expect(.keyPending) { try await test.auth.signingKeys.rotate(lead: 60) }
        test.clock.advance(by: 3600)
        _ = try await test.auth.signingKeys.rotate()
    }

    @Test func ofTenProcessesThatRotateAtOnceOneMakesTheKey() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        var others: [TestAuth] = []
        for _ in 0..<10 { others.append(try await TestAuth(over: test.storage, secret: secret, clock: test.clock)) }
        test.clock.advance(by: 30 * 86400)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for other in others { group.addTask { try await other.auth.signingKeys.rotateOnSchedule() } }
            try await group.waitForAll()
        }
        #expect(try await test.storage.signingKeys().count == 2)
    }

    @Test func onScheduleTheNextKeyIsMadeAnHourBeforeItIsDue() async throws {
        let test = try await TestAuth { $0.keyRotationInterval = 7200 }
        test.clock.advance(by: 3599)
        try await test.auth.signingKeys.rotateOnSchedule()
        #expect(test.auth.signingKeys.list().count == 1)
        test.clock.advance(by: 1)
        for _ in 0..<3 { try await test.auth.signingKeys.rotateOnSchedule() }
        let keys = test.auth.signingKeys.list()
        #expect(keys.map(\.state) == [.signing, .next])
        #expect(keys[1].signsFrom == test.clock.now.addingTimeInterval(3600))
    }

    @Test func anotherAlgorithmMakesTheNextKeyAtOnce() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let changed = try await TestAuth(over: test.storage, secret: secret, clock: test.clock) {
            $0.signingAlgorithm = .edDSA
        }
        for _ in 0..<3 { try await changed.auth.signingKeys.rotateOnSchedule() }
        #expect(changed.auth.signingKeys.list().map(\.algorithm) == ["ES256", "EdDSA"])
        #expect(changed.auth.signingKeys.list().map(\.state) == [.signing, .next])
    }

    @Test func aRunningProcessSeesTheKeyThatAnotherMadeBeforeItsFirstToken() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let other = try await TestAuth(over: test.storage, secret: secret, clock: test.clock)
        let group = ServiceGroup(services: other.auth.services, logger: .init(label: "test"))
        async let running: Void = group.run()
        let made = try await test.auth.signingKeys.rotate(lead: 0)
        #expect(made.signsFrom == test.clock.now.addingTimeInterval(5))
        try await wait(for: "the key") { other.auth.signingKeys.jwks.contains(made.id) }
        await group.triggerGracefulShutdown()
        try await running
        test.clock.advance(by: 5)
        let tokens = try await test.session()
        #expect(kid(of: tokens) == made.id)
        _ = try await other.verify(tokens.access)
    }

    @Test func theTokensOfARevokedKeyAreRefusedAtOnceAndSessionsGoOn() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let other = try await TestAuth(over: test.storage, secret: secret, clock: test.clock)
        let tokens = try await test.session()
        try await test.readFeed()
        try await other.readFeed()
        for process in [test, other] { _ = try await process.verify(tokens.access) }
        let leaked = try #require(test.auth.signingKeys.list().first).id
        await test.expect(.keyNotFound) { try await test.auth.signingKeys.revoke("x") }
        try await test.auth.signingKeys.revoke(leaked)
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
        try await other.auth.signingKeys.load()
        await test.expect(.invalidToken) { try await other.verify(tokens.access) }
        let renewed = try await test.auth.sessions.refresh(tokens.refresh.value)
        #expect(kid(of: renewed) != leaked)
        for process in [test, other] {
            try await process.auth.signingKeys.load()
            _ = try await process.verify(renewed.access)
        }
        // When a next key waits, it signs before its time.
        let next = try await test.auth.signingKeys.rotate()
        try await test.auth.signingKeys.revoke(#require(kid(of: renewed)))
        #expect(kid(of: try await test.signIn()) == next.id)
    }

    @Test func whatIsRememberedIsBelievedNoLongerThanTheKeysAre() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        let bytes = Array(tokens.access.value.utf8)
        let keys = test.auth.signingKeys.verification
        try await test.readFeed()
        _ = try await test.verify(tokens.access)
        #expect(test.auth.accessTokens.remembered(bytes) != nil)
        // The bound is two seconds.
        keys.confirm(at: .now - .milliseconds(2001))
        #expect(test.auth.accessTokens.remembered(bytes) == nil)
        try await test.storage.hideSigningKeys(true)
        try await wait(for: "the last look to be too old") { (try? await test.verify(tokens.access)) == nil }
        await test.expect(.storageUnavailable) { try await test.verify(tokens.access) }
        #expect(await !test.auth.readiness().storage)
        try await test.storage.hideSigningKeys(false)
        try await wait(for: "another look") { (try? await test.verify(tokens.access)) != nil }
        #expect(keys.isConfirmed())
    }

    @Test func aKeyThatCannotBeOpenedHidesNoOthersEnd() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        try await test.readFeed()
        _ = try await test.verify(tokens.access)
        let first = try #require(test.auth.signingKeys.list().first).id
        _ = try await test.storage.insertSigningKey(Samples.signingKey("other", at: test.clock.now, follows: first))
        await test.expect(.storageUnavailable) { try await test.auth.signingKeys.load() }
        _ = try await test.verify(tokens.access)
        _ = try await test.storage.deleteSigningKey(id: first)
        await test.expect(.storageUnavailable) { try await test.auth.signingKeys.load() }
        #expect(test.auth.accessTokens.remembered(Array(tokens.access.value.utf8)) == nil)
        await #expect(throws: AuthError.self) { try await test.verify(tokens.access) }
    }

    @Test func aRingThatWasEmptiedGetsAFirstKeyAgain() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        try await test.readFeed()
        _ = try await test.verify(tokens.access)
        test.clock.advance(by: 1)
        try await test.storage.deleteAllSigningKeys()
        try await test.auth.signingKeys.load()
        #expect(test.auth.signingKeys.list().isEmpty)
        // A token that was remembered as verified is refused too.
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
        #expect(test.auth.accessTokens.remembered(Array(tokens.access.value.utf8)) == nil)
        try await test.auth.signingKeys.rotateOnSchedule()
        _ = try await test.verify(test.signIn().access)
    }

    @Test func aClockSetBackBeforeTheFirstKeyStillSigns() async throws {
        let test = try await TestAuth()
        test.clock.advance(by: -86400)
        _ = try await test.verify(test.session().access)
    }

    private func kid(_ test: TestAuth) async throws -> String? {
        if (try? await test.auth.users.find(named: "miguel")) == nil {
            _ = try await test.auth.users.register("miguel", password: "python")
        }
        return kid(of: try await test.signIn())
    }

    private func kid(of tokens: SessionTokens) -> String? {
        CompactJWS(Array(tokens.access.value.utf8))?.keyID
    }
}
