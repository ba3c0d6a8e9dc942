import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

@Suite struct SessionsTests {
    // MARK: Starting

    @Test func aPasswordStartsASessionThatIsListed() async throws {
        let test = try await TestAuth()
        let caller = Caller(
            address: "192.0.2.1", userAgent: "a\u{9b}\u{202e}\u{2029}\u{7}" + String(repeating: "\u{301}", count: 1000))
        let identity = try await test.verify(test.session(by: caller).access)
        let session = try #require(await test.auth.sessions.list(of: identity.userID).first)
        #expect(session.id == identity.sessionID)
        #expect(session.createdAt == test.clock.now)
        #expect(session.expiresAt == test.clock.now.addingTimeInterval(7 * 86400))
        #expect(session.origin.address == "192.0.2.1")
        #expect(session.origin.userAgent?.utf8.count == 255)
        #expect(session.origin.userAgent?.unicodeScalars.prefix(2).map(\.value) == [0x61, 0x301])
        #expect(session.isRenewable)
    }

    @Test func aTokenStartsNoSession() async throws {
        let test = try await TestAuth()
        let identity = try await test.verify(test.session().access)
        await test.expect(.insufficientUserAuthentication) { try await test.auth.sessions.start(for: identity) }
    }

    @Test func whoSignedInWithThePasswordOfBeforeIsTooLate() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.users.register("miguel", password: "python")
        let identity = try await test.auth.login.identify("miguel", password: "python")
        try await test.auth.passwords.set("monty", for: user)
        await test.expect(.invalidCredentials) { try await test.auth.sessions.start(for: identity) }
        await test.expect(.invalidCredentials) { try await test.auth.sessions.token(for: identity) }
        try await test.auth.users.delete(user.id)
        await test.expect(.invalidCredentials) { try await test.auth.sessions.start(for: identity) }
    }

    @Test func theAncestorsTokenBelongsToASessionThatEndsWithIt() async throws {
        let test = try await TestAuth()
        let token = try await test.token()
        let session = try #require(await test.auth.sessions.list(of: 1).first)
        #expect(!session.isRenewable)
        #expect(session.expiresAt == test.clock.now.addingTimeInterval(600))
        test.clock.advance(by: 300)
        let renewed = try await test.auth.sessions.token(for: test.auth.accessTokens.verify(token))
        #expect(try await test.verify(renewed).sessionID == session.id)
        let prolonged = try #require(await test.auth.sessions.list(of: 1).first)
        #expect(prolonged.expiresAt == test.clock.now.addingTimeInterval(600))
        #expect(try await test.auth.sessions.list(of: 1).count == 1)
    }

    @Test func aTokenTradedForATokenDoesNotOutliveARenewableSession() async throws {
        let test = try await TestAuth { $0.sessionInactivityTimeout = 700 }
        let token = try await test.session().access
        test.clock.advance(by: 500)
        let second = try await test.auth.sessions.token(for: test.verify(token))
        #expect(second.duration == 200)
    }

    @Test func beyondTheLimitTheOldestGoes() async throws {
        let test = try await TestAuth { $0.sessionLimit = 2 }
        let first = try await test.session()
        var others: [SessionTokens] = []
        for _ in 0..<2 {
            test.clock.advance(by: 1)
            others.append(try await test.signIn())
        }
        await test.expect(.invalidToken) { try await test.verify(first.access) }
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(first.refresh.value) }
        for tokens in others { _ = try await test.verify(tokens.access) }
    }

    // MARK: Ending

    @Test func signingOutEndsAllTokensOfTheSessionAtOnce() async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        let second = try await test.auth.sessions.refresh(first.refresh.value)
        let other = try await test.signIn()
        try await test.readFeed()
        for tokens in [first, second, other] { _ = try await test.verify(tokens.access) }
        #expect(try await test.auth.sessions.end(presenting: second.refresh.value))
        for tokens in [first, second] {
            await test.expect(.invalidToken) { try await test.verify(tokens.access) }
            await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
        }
        _ = try await test.verify(other.access)
        // Repeating it, with any token of the session, does nothing.
        for token in [first.refresh.value, first.access.value, second.refresh.value, "nonsense", ""] {
            #expect(try await !test.auth.sessions.end(presenting: token))
        }
    }

    @Test func anExpiredAccessTokenSignsOut() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        test.clock.advance(by: 3600)
        #expect(try await test.auth.sessions.end(presenting: tokens.access.value))
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
    }

    @Test func anotherProcessRefusesAnEndedSessionOnceTheLogIsRead() async throws {
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret)
        let tokens = try await test.session()
        let other = try await TestAuth(over: test.storage, secret: secret, clock: test.clock)
        try await other.readFeed()
        _ = try await other.verify(tokens.access)
        try await test.auth.sessions.end(presenting: tokens.access.value)
        try await other.readFeed()
        await test.expect(.invalidToken) { try await other.verify(tokens.access) }
    }

    @Test func nobodyEndsTheSessionOfAnother() async throws {
        let test = try await TestAuth()
        let (mine, yours) = (try await test.session("miguel"), try await test.session("susan"))
        let (me, you) = (try await test.verify(mine.access), try await test.verify(yours.access))
        let session = try #require(you.sessionID)
        await test.expect(.sessionNotFound) { try await test.auth.sessions.end(session, of: me.userID) }
        _ = try await test.verify(yours.access)
        try await test.auth.sessions.end(session, of: you.userID)
        await test.expect(.sessionNotFound) { try await test.auth.sessions.end(session) }
    }

    @Test func anotherPasswordEndsEverySessionAndBeginsOneInThePlaceOfThatOne() async throws {
        let test = try await TestAuth { $0.sessionLimit = 3 }
        let (mine, other) = (try await test.session(), try await test.signIn())
        try await test.auth.users.grant("admin", to: 1)
        try await test.readFeed()
        let identity = try await test.verify(mine.access)
        _ = try await test.verify(other.access)
        await test.expect(.currentPasswordInvalid) {
            try await test.auth.passwords.change(from: "Python", to: "monty", for: identity)
        }
        _ = try await test.verify(other.access)
        test.clock.advance(by: 300)
        let caller = Caller(address: "192.0.2.9", userAgent: "laptop")
        let new = try #require(
            await test.auth.passwords.change(from: "python", to: "monty", for: identity, by: caller))
        for tokens in [mine, other] {
            await test.expect(.invalidToken) { try await test.verify(tokens.access) }
            await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
        }
        let owner = try await test.verify(new.access)
        #expect(owner.authenticatedAt == test.clock.now)
        #expect(owner.roles == ["admin"])
        let session = try #require(await test.auth.sessions.list(of: 1).first)
        #expect(try await test.auth.sessions.list(of: 1).count == 1)
        #expect(session.id == owner.sessionID)
        #expect(session.id != identity.sessionID)
        #expect(session.origin == caller.origin)
        #expect(session.createdAt == test.clock.now)
        #expect(session.expiresAt == test.clock.now.addingTimeInterval(7 * 86400))
        let renewed = try await test.auth.sessions.refresh(#require(new.refresh).value)
        _ = try await test.verify(renewed.access)
        await test.expect(.invalidCredentials) { try await test.auth.login.identify("miguel", password: "python") }
        #expect("\(new.access) \(String(describing: new.refresh))".contains("redacted"))
    }

    @Test(arguments: [TokenRenewal.always, .never, .until(300)])
    func whoHasNoRefreshTokenGetsNoneWithAnotherPassword(renewal: TokenRenewal) async throws {
        let test = try await TestAuth { $0.tokenRenewal = renewal }
        let token = try await test.token()
        let identity = try await test.auth.accessTokens.verify(token)
        let new = try #require(await test.auth.passwords.change(from: "python", to: "monty", for: identity))
        #expect(new.refresh == nil)
        #expect(new.access.duration == (renewal == .until(300) ? 300 : 600))
        _ = try await test.verify(new.access)
        await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(token) }
        #expect(try await test.auth.sessions.list(of: 1).map(\.isRenewable) == [false])
    }

    @Test func aSessionThatHasEndedChangesNoPassword() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        let identity = try await test.verify(tokens.access)
        try await test.auth.sessions.end(presenting: tokens.access.value)
        await test.expect(.invalidToken) {
            try await test.auth.passwords.change(from: "python", to: "monty", for: identity)
        }
        _ = try await test.auth.login.identify("miguel", password: "python")
    }

    @Test func whoComesByPasswordHasNoSessionAndGetsNone() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        let identity = try await test.auth.login.identify("miguel", password: "python")
        #expect(try await test.auth.passwords.change(from: "python", to: "monty", for: identity) == nil)
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
        #expect(try await test.auth.sessions.list(of: 1).isEmpty)
    }

    @Test func ofTenPasswordChangesAtOnceOneSucceeds() async throws {
        let test = try await TestAuth()
        let identity = try await test.verify(test.session().access)
        let changed = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<10 {
                group.addTask {
                    (try? await test.auth.passwords.change(from: "python", to: "\(number)", for: identity)) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(changed == 1)
    }

    @Test func anOperatorsPasswordEndsAllSessions() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        try await test.auth.passwords.set("monty", for: test.auth.users.find(1))
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
    }

    @Test func signOutAndRefreshAtOnceLeaveNothingOpen() async throws {
        let test = try await TestAuth()
        for round in 0..<20 {
            let tokens = round == 0 ? try await test.session() : try await test.signIn()
            async let ended = test.auth.sessions.end(presenting: tokens.access.value)
            async let refreshed = try? test.auth.sessions.refresh(tokens.refresh.value)
            #expect(try await ended)
            if let refreshed = await refreshed {
                await test.expect(.invalidToken) { try await test.verify(refreshed.access) }
                await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(refreshed.refresh.value) }
            }
        }
        #expect(try await test.auth.sessions.list(of: 1).isEmpty)
    }

    @Test func manySessionsArePagedAndTheOldestGoes() async throws {
        let count = Soak.count(1_000, soak: 10_000)
        let test = try await TestAuth { $0.sessionLimit = count }
        let user = try await test.auth.users.register("miguel", password: "python")
        for number in 0..<count {
            let session = Samples.session(number, of: user.id, at: test.clock.now)
            _ = try await test.storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: count)
        }
        let identity = try await test.auth.login.identify("miguel", password: "python")
        _ = try await test.auth.sessions.start(for: identity)
        var seen: [Session.ID] = []
        while case let page = try await test.auth.sessions.list(of: user.id, after: seen.last, limit: count / 10),
            !page.isEmpty
        {
            seen += page.map(\.id)
        }
        #expect(seen.count == count)
        #expect(Set(seen).count == count)
        #expect(!seen.contains(Samples.session(0, at: test.clock.now).id))
        #expect(seen.contains(Samples.session(1, at: test.clock.now).id))
        #expect(try await test.auth.sessions.endAll(of: user.id) == count)
    }

    @Test func whatHasExpiredIsSwept() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        test.clock.advance(by: 7 * 86400 + 61)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
    }
}
