import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

extension SessionsTests {
    @Test func aRefreshTokenGivesItsSuccessorAndASlidingExpiry() async throws {
        let test = try await TestAuth()
        var tokens = try await test.session()
        for _ in 0..<4 {
            test.clock.advance(by: 6 * 86400)
            tokens = try await test.auth.sessions.refresh(tokens.refresh.value)
            _ = try await test.verify(tokens.access)
        }
        // 24 days in, the limit of 30 days comes before another 7 days.
        let session = try #require(await test.auth.sessions.list(of: 1).first)
        #expect(session.expiresAt == session.createdAt.addingTimeInterval(30 * 86400))
        test.clock.advance(by: 6 * 86400 - 60)
        tokens = try await test.auth.sessions.refresh(tokens.refresh.value)
        #expect(tokens.access.duration == 60)
        test.clock.advance(by: 60)
        await test.expect(.sessionExpired) { try await test.auth.sessions.refresh(tokens.refresh.value) }
    }

    @Test func whoDoesNotComeBackForAWeekIsSignedOut() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        test.clock.advance(by: 7 * 86400)
        await test.expect(.sessionExpired) { try await test.auth.sessions.refresh(tokens.refresh.value) }
    }

    @Test func aLostAnswerIsGivenAgainHoweverLate() async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        let second = try await test.auth.sessions.refresh(first.refresh.value)
        test.clock.advance(by: 3 * 86400)
        let again = try await test.auth.sessions.refresh(first.refresh.value)
        #expect(Set([first, second, again].map(\.refresh.value)).count == 3)
        _ = try await test.verify(again.access)
        // The client received either of the two; the other one was never used.
        let third = try await test.auth.sessions.refresh(again.refresh.value)
        _ = try await test.auth.sessions.refresh(third.refresh.value)
    }

    @Test(arguments: [(59.0, true), (60, true), (61, false), (-60, true), (-61, false), (-86400, false)])
    func withinAMinuteOnEitherSideTheSuccessorIsTheSame(seconds: TimeInterval, isSame: Bool) async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        let second = try await test.auth.sessions.refresh(first.refresh.value)
        test.clock.advance(by: seconds)
        let again = try await test.auth.sessions.refresh(first.refresh.value)
        #expect((again.refresh.value == second.refresh.value) == isSame)
        // The minute counts from the answer that was given last.
        test.clock.advance(by: 1)
        let last = try await test.auth.sessions.refresh(first.refresh.value)
        #expect(last.refresh.value == again.refresh.value || seconds == 60)
        _ = try await test.auth.sessions.refresh(second.refresh.value)
    }

    @Test(arguments: [true, false])
    func ofTwoSuccessorsTheSecondThatIsSeenEndsTheSession(isClientFirst: Bool) async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        let client = try await test.auth.sessions.refresh(first.refresh.value)
        test.clock.advance(by: 300)
        let thief = try await test.auth.sessions.refresh(first.refresh.value)
        let (one, other) = isClientFirst ? (client, thief) : (thief, client)
        let newest = try await test.auth.sessions.refresh(one.refresh.value)
        #expect(try await test.auth.sessions.session(ofRefreshToken: other.refresh.value) == nil)
        await test.expect(.refreshTokenReused) { try await test.auth.sessions.refresh(other.refresh.value) }
        for tokens in [first, client, thief, newest] {
            await test.expect(.invalidToken) { try await test.verify(tokens.access) }
            await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
        }
    }

    @Test func whoRepeatsKeepsNoSessionAliveAndIsSeen() async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        _ = try await test.auth.sessions.refresh(first.refresh.value)
        let end = test.clock.now.addingTimeInterval(7 * 86400)
        while test.clock.now < end {
            let session = try #require(await test.auth.sessions.list(of: 1).first)
            #expect(session.expiresAt == end)
            let again = try await test.auth.sessions.refresh(first.refresh.value)
            #expect(try await test.auth.sessions.list(of: 1).first?.lastUsedAt == test.clock.now)
            #expect(test.clock.now.addingTimeInterval(TimeInterval(again.access.duration)) <= end)
            test.clock.advance(by: 8 * 3600)
        }
        await test.expect(.sessionExpired) { try await test.auth.sessions.refresh(first.refresh.value) }
    }

    @Test func aTokenIsRepeatedAHundredTimesAndItsSuccessorsStayGood() async throws {
        let test = try await TestAuth()
        let first = try await test.session().refresh.value
        var successors = [try await test.auth.sessions.refresh(first).refresh.value]
        for _ in 0..<RefreshRotation.repeatLimit {
            test.clock.advance(by: 61)
            successors.append(try await test.auth.sessions.refresh(first).refresh.value)
        }
        #expect(Set(successors).count == RefreshRotation.repeatLimit + 1)
        #expect(try await test.auth.sessions.session(ofRefreshToken: first) == nil)
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(first) }
        for successor in successors {
            #expect(try await test.auth.sessions.session(ofRefreshToken: successor) != nil)
        }
        _ = try await test.auth.sessions.refresh(#require(successors.randomElement()))
    }

    @Test func anyOfTheTokensThatAreOutSignsOut() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        for index in 0..<3 {
            let first = try await test.signIn().refresh.value
            var tokens = [first]
            for _ in 0..<2 {
                tokens.append(try await test.auth.sessions.refresh(first).refresh.value)
                test.clock.advance(by: 61)
            }
            #expect(try await test.auth.sessions.end(presenting: tokens[index]))
            for token in tokens { await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(token) } }
        }
        #expect(try await test.auth.sessions.list(of: 1).isEmpty)
    }

    @Test func fiftyAtOnceGetTheSameSuccessorAndNobodyIsSignedOut() async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        let successors = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 {
                group.addTask { try await test.auth.sessions.refresh(first.refresh.value).refresh.value }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(successors.count == 1)
        _ = try await test.auth.sessions.refresh(#require(successors.first))
    }

    @Test(arguments: [0, 1, 5])
    func anEarlierTokenAfterItsSuccessorWasUsedEndsTheSession(generation: Int) async throws {
        let test = try await TestAuth()
        var tokens = [try await test.session()]
        for _ in 0..<7 { tokens.append(try await test.auth.sessions.refresh(#require(tokens.last).refresh.value)) }
        await test.expect(.refreshTokenReused) {
            try await test.auth.sessions.refresh(tokens[generation].refresh.value)
        }
        // The holder of the newest token is signed out as well, and all access tokens are refused.
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens[7].refresh.value) }
        for token in tokens { await test.expect(.invalidToken) { try await test.verify(token.access) } }
        #expect(try await test.auth.sessions.list(of: 1).isEmpty)
    }

    @Test func lookingAtARefreshTokenDoesNotUseIt() async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        let second = try await test.auth.sessions.refresh(first.refresh.value)
        for token in [first, second, second] {
            #expect(
                try await test.auth.sessions.session(ofRefreshToken: token.refresh.value)?.user.username == "miguel")
        }
        let third = try await test.auth.sessions.refresh(second.refresh.value)
        #expect(try await test.auth.sessions.session(ofRefreshToken: first.refresh.value) == nil)
        // Looking up a token that was used long ago ends nothing.
        _ = try await test.auth.sessions.refresh(third.refresh.value)
    }

    @Test func onlyItsOwnSpellingIsARefreshToken() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        let value = tokens.refresh.value
        let other = try await TestAuth().session().refresh.value
        let forgeries =
            [
                "", "x", value + "A", value + "=", " " + value, String(value.dropLast()), String(value.dropFirst()),
                value.uppercased(),
                tokens.access.value, other, value.replacing("-", with: "+").replacing("_", with: "/") + "=",
            ] + (0..<112).map { flipped(value, at: $0) }
        for forgery in forgeries {
            await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(forgery) }
        }
        // None of these attempts makes the session look stolen.
        _ = try await test.auth.sessions.refresh(value)
    }

    private func flipped(_ text: String, at index: Int) -> String {
        var bytes = Array(text.utf8)
        bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func aRefreshTokenIsNoAccessToken() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(Array(tokens.refresh.value.utf8)) }
    }

    @Test func aDisabledUsersSessionIsNotRenewedUntilTheUserIsEnabled() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        try await test.auth.users.disable(1)
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
        try await test.auth.users.enable(1)
        _ = try await test.auth.sessions.refresh(tokens.refresh.value)
    }

    @Test func aClockSetBackAnHourLosesNoSession() async throws {
        let test = try await TestAuth()
        let first = try await test.session()
        test.clock.advance(by: -3600)
        let second = try await test.auth.sessions.refresh(first.refresh.value)
        _ = try await test.verify(second.access)
        test.clock.advance(by: 3600)
        let third = try await test.auth.sessions.refresh(second.refresh.value)
        #expect(try await test.verify(third.access).authenticatedAt == test.clock.now)
    }

    @Test func aClockSetBackLetsEveryoneSignIn() async throws {
        let test = try await TestAuth()
        _ = try await test.session()
        test.clock.advance(by: -3600)
        _ = try await test.verify(test.signIn().access)
        _ = try await test.auth.sessions.token(for: test.auth.login.identify("miguel", password: "python"))
    }

    @Test func aClockThatWasAheadRevivesNothing() async throws {
        let test = try await TestAuth()
        let (ended, swept) = (try await test.session(), try await test.token("susan"))
        _ = try await test.verify(ended.access)
        _ = try await test.auth.accessTokens.verify(swept)
        try await test.auth.sessions.end(presenting: ended.refresh.value)
        // The clock is wrong by a day for a minute, and what would have expired by then is swept.
        test.clock.advance(by: 26 * 3600)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        test.clock.advance(by: -26 * 3600)
        try await test.readFeed()
        await test.expect(.invalidToken) { try await test.verify(ended.access) }
        await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(swept) }
    }

    @Test func aClockSetBackAnHourRevivesNothing() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        _ = try await test.verify(tokens.access)
        try await test.readFeed()
        try await test.auth.sessions.end(presenting: tokens.refresh.value)
        test.clock.advance(by: 601)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        test.clock.advance(by: -3600 + 3000)
        try await test.readFeed()
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
    }

    @Test func onlyDigestsAreStored() async throws {
        let directory = try TemporaryDirectory()
        let test = try await TestAuth(
            over: SQLiteStorage(path: directory.path + "/a.sqlite"), secret: InstanceSecret())
        let first = try await test.session()
        let second = try await test.auth.sessions.refresh(first.refresh.value)
        // The database and its side files.
        let bytes = try directory.contents.flatMap {
            Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/\($0)")))
        }
        for token in [first, second] {
            let raw = try #require(Base64.url.decode(token.refresh.value.utf8))
            for secret in [Array(token.refresh.value.utf8), raw, Array(raw[20..<52])] {
                #expect(bytes.firstRange(of: secret) == nil)
            }
            #expect("\(token.refresh) \(token.refresh.debugDescription)" == "redacted redacted")
        }
    }
}
