import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

@Suite struct AccessTokensTests {
    @Test func aTokenSaysWhatTheFieldExpects() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        let jws = try #require(CompactJWS(token))
        #expect(jws.header["alg"] == "ES256")
        #expect(jws.header["typ"] == "at+jwt")
        let payload = try #require(jws.payload)
        let now = Int(test.clock.now.timeIntervalSince1970)
        #expect(payload["sub"] == "1")
        #expect(payload["iat"] == .integer(now))
        #expect(payload["exp"] == .integer(now + 600))
        #expect(payload["auth_time"] == .integer(now))
        #expect(payload["amr"] == ["pwd"])
        #expect(payload["acr"] == "aal1")
        #expect(payload["iss"] == "rest-auth")
        #expect(payload["aud"] == "rest-auth")
        #expect(payload["preferred_username"] == "miguel")
        let session = try #require(await test.auth.sessions.list(of: 1).first)
        #expect(payload["sid"] == .string(session.id.description))
        #expect(payload["roles"] == nil)
    }

    @Test func twoTokensOfOneSecondDiffer() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        let identity = try await test.auth.login.identify("miguel", password: "python")
        let (one, other) = (
            try await test.auth.sessions.token(for: identity), try await test.auth.sessions.token(for: identity)
        )
        #expect(one.value != other.value)
    }

    @Test func aTokenStandsForItsUserUntilItsLastSecond() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        for _ in 0..<2 {
            let identity = try await test.auth.accessTokens.verify(token)
            #expect(identity.username == "miguel")
            #expect(identity.presented != .password && identity.sessionID != nil)
        }
        test.clock.advance(by: 599.9)
        _ = try await test.auth.accessTokens.verify(token)
        test.clock.advance(by: 0.1)
        await expectInvalid(test, token)
    }

    @Test func anExpiredTokenIsRefusedByOneThatNeverSawIt() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        test.clock.advance(by: 600)
        await expectInvalid(test, token)
    }

    @Test func aClockSetBackDoesNotHelpATokenFromTheFuture() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        test.clock.advance(by: -3600)
        await expectInvalid(test, token)
    }

    @Test func anotherIssuerOrAnotherSecretsKeyIsForeign() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let token = try await test.token()
        let sameKeys = try await TestAuth(over: test.storage, secret: secret) { $0.issuer = "https://other.example" }
        await expectInvalid(sameKeys, token)
        await expectInvalid(try await TestAuth(), token)
    }

    @Test func tokensOutliveARestart() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let token = try await test.token()
        let restarted = try await TestAuth(over: test.storage, secret: secret, clock: test.clock)
        #expect(try await restarted.auth.accessTokens.verify(token).username == "miguel")
    }

    @Test func theKeysCannotBeReadUnderAnotherSecret() async throws {
        let test = try await TestAuth()
        let error = await #expect(throws: AuthError.self) {
            try await TestAuth(over: test.storage, secret: InstanceSecret())
        }
        #expect(error?.code == .misconfigured)
        let sealed = try #require(await test.storage.signingKeys().first).sealed
        #expect(sealed.count == 12 + 32 + 16)
    }

    @Test(arguments: [AuthConfiguration.maximumTokenDuration + 1, 0, -1])
    func anImpossibleDurationIsRefusedAtStart(seconds: Int) async throws {
        let error = await #expect(throws: AuthError.self) { try await TestAuth { $0.tokenDuration = seconds } }
        #expect(error?.code == .misconfigured)
    }

    // MARK: Renewal

    @Test func byDefaultATokenGivesAFreshTokenForEver() async throws {
        let test = try await TestAuth()
        var token = try await test.token()
        for _ in 0..<100 {
            test.clock.advance(by: 599)
            token = try await renewed(test, token)
        }
    }

    @Test func neverMeansThatOnlyAPasswordGivesAToken() async throws {
        let test = try await TestAuth { $0.tokenRenewal = .never }
        let token = try await test.token()
        let error = await #expect(throws: AuthError.self) { try await renewed(test, token) }
        #expect(error?.code == .insufficientUserAuthentication)
    }

    @Test func untilEndsAtItsLimitAfterThePassword() async throws {
        let test = try await TestAuth { $0.tokenRenewal = .until(1000) }
        let first = try await test.token()
        test.clock.advance(by: 599)
        let second = try await renewed(test, first)
        // 599 s after the password 401 s are left: the second token ends with them.
        test.clock.advance(by: 400)
        _ = try await test.auth.accessTokens.verify(second)
        test.clock.advance(by: 1)
        await expectInvalid(test, second)
    }

    private func renewed(_ test: TestAuth, _ token: [UInt8]) async throws -> [UInt8] {
        Array(try await test.auth.sessions.token(for: test.auth.accessTokens.verify(token)).value.utf8)
    }

    // MARK: Deleted and disabled users

    @Test func aDisabledUsersTokenIsRefusedAtOnceAndAnEnabledOnesWorksAgain() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        try await test.readFeed()
        _ = try await test.auth.accessTokens.verify(token)
        try await test.auth.users.disable(1)
        await expectInvalid(test, token)
        try await test.auth.users.enable(1)
        _ = try await test.auth.accessTokens.verify(token)
    }

    @Test func aDeletedUsersTokenIsRefusedAtOnce() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        try await test.readFeed()
        _ = try await test.auth.accessTokens.verify(token)
        try await test.auth.users.delete(1)
        await expectInvalid(test, token)
    }

    @Test func whatAnotherProcessRefusedIsRefusedOnceTheLogIsRead() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let token = try await test.token()
        try await test.readFeed()
        _ = try await test.auth.accessTokens.verify(token)
        try await TestAuth(over: test.storage, secret: secret).auth.users.disable(1)
        try await test.readFeed()
        await expectInvalid(test, token)
    }

    @Test func withoutAFeedEveryUseAsksTheDatabase() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let token = try await test.token()
        _ = try await test.auth.accessTokens.verify(token)
        try await TestAuth(over: test.storage, secret: secret).auth.users.disable(1)
        await expectInvalid(test, token)
    }

    // MARK: Cost

    @Test func aRepeatedTokenReadsNothingFromTheDatabase() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        try await test.readFeed()
        _ = try await test.auth.accessTokens.verify(token)
        func statements() async throws -> Int {
            try await test.storage.countingStatements {
                for _ in 0..<100 { _ = try await test.auth.accessTokens.verify(token) }
            }
        }
        #expect(try await statements() == 0)
        // No statement is run either after sessions have ended, users were disabled and roles
        // revoked.
        for name in ["a", "b", "c"] {
            let tokens = try await test.session(name)
            let identity = try await test.verify(tokens.access)
            try await test.auth.users.grant("admin", to: identity.userID)
            try await test.auth.users.revoke("admin", from: identity.userID)
            try await test.auth.sessions.end(presenting: tokens.refresh.value)
            if name == "c" { try await test.auth.users.disable(identity.userID) }
        }
        try await test.readFeed()
        #expect(try await statements() == 0)
        // The counter works: a token that was not seen before is looked up.
        let other = try await test.token("susan")
        #expect(try await test.storage.countingStatements { _ = try await test.auth.accessTokens.verify(other) } > 0)
    }

    private func expectInvalid(_ test: TestAuth, _ token: [UInt8], sourceLocation: SourceLocation = #_sourceLocation)
        async
    {
        let error = await #expect(throws: AuthError.self, sourceLocation: sourceLocation) {
            try await test.auth.accessTokens.verify(token)
        }
        #expect(error?.code == .invalidToken, sourceLocation: sourceLocation)
    }
}

@Suite struct VerifiedTokenCacheTests {
    private func token(_ text: String) throws -> PresentedToken { try #require(PresentedToken(Array(text.utf8))) }

    @Test func itNeverHoldsMoreThanItsCapacityAndKeepsWhatIsUsed() throws {
        let cache = VerifiedTokenCache<VerifiedToken>(capacity: 100)
        let used = try token("used")
        cache.remember(.sample, as: used)
        for number in 1...10_000 {
            cache.remember(.sample, as: try token("\(number)"))
            #expect(cache.count <= 101)
            #expect(cache.token(used, at: 0) != nil)
        }
        #expect(cache.token(try token("1"), at: 0) == nil)
    }

    @Test(arguments: ["other, same ending", "", "e ending", "ame ending", "one, same endinG"])
    func aTokenWithTheEndingOfAnotherIsNotTakenForIt(other: String) throws {
        let cache = VerifiedTokenCache<VerifiedToken>(capacity: 100)
        let one = try token("one, same ending")
        cache.remember(.sample, as: one)
        #expect(cache.token(try token(other), at: 0) == nil)
        #expect(cache.token(one, at: 0) != nil)
        cache.remember(.sample, as: try token("other, same ending"))
        #expect(cache.token(one, at: 0) == nil)
    }

    @Test func withoutCapacityItHoldsNothing() throws {
        let cache = VerifiedTokenCache<VerifiedToken>(capacity: 0)
        cache.remember(.sample, as: try token("1"))
        #expect(cache.token(try token("1"), at: 0) == nil)
    }
}

extension VerifiedToken {
    fileprivate static let sample = VerifiedToken(
        identity: UserIdentity(
            userID: 1, username: "a", roles: [],
            authentication: Authentication([.password], at: Date(timeIntervalSince1970: 0)),
            presented: .accessToken(Session.ID(at: Date(timeIntervalSince1970: 0)))),
        claims: AccessTokenClaims(
            issuer: "i", subject: 1, username: "a", sessionID: Session.ID(at: Date(timeIntervalSince1970: 0)),
            roles: [], tokenID: "t",
            issuedAt: 1, expiresAt: 2, authenticatedAt: 1), epoch: 0)
}
