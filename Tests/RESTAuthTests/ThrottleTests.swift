import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

@Suite struct ThrottleTests {
    let home = "192.0.2.1"
    let elsewhere = "198.51.100.1"

    /// A user who has signed in from home.
    func testWithMiguel(
        secret: InstanceSecret = InstanceSecret(), _ configure: (inout AuthConfiguration) -> Void = { _ in }
    ) async throws -> TestAuth {
        let test = try await TestAuth(over: SQLiteStorage(), secret: secret, configure)
        let user = try await test.storage.insertUser(
            Username("miguel"), passwordHash: Self.cheapHash, at: test.clock.now)
        _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        // Signing in has replaced the hash by an expensive one.
        let stored = try #require(await test.storage.credentials(user: user.id)?.passwordHash)
        try #require(
            await test.storage.upgradePasswordHash(Self.cheapHash, user: user.id, replacing: stored))
        try await test.auth.passwords.decoys.update()
        return test
    }

    /// A hash of the password in one round: the number of guesses matters here, not the work.
    private static let cheapHash =
        "pbkdf2:sha256:1$x$3774501cabe9eed97eeffcaacdcc56e792db70350007c405342df77478210e70"

    /// The codes of `count` wrong guesses, one after the other.
    func guess(
        _ test: TestAuth, _ count: Int, at username: String = "miguel", from address: String?
    ) async -> [AuthError.Code] {
        var codes: [AuthError.Code] = []
        for number in 0..<count { codes.append(await code(test, username, "wrong\(number)", from: address)) }
        return codes
    }

    func code(
        _ test: TestAuth, _ username: String, _ password: String, from address: String?
    ) async -> AuthError.Code {
        do {
            _ = try await test.auth.login.identify(username, password: password, by: Caller(address: address))
            return AuthError.Code(rawValue: "signed_in")
        } catch {
            return (error as? AuthError)?.code ?? AuthError.Code(rawValue: "\(error)")
        }
    }

    func error(
        _ test: TestAuth, _ username: String, _ password: String, from address: String?
    ) async -> AuthError? {
        await #expect(throws: AuthError.self) {
            try await test.auth.login.identify(username, password: password, by: Caller(address: address))
        }
    }

    func network(_ address: String) throws -> ClientNetwork { try #require(ClientNetwork(address)) }

    @Test func theEleventhGuessHasToWait() async throws {
        let test = try await testWithMiguel()
        #expect(await guess(test, 10, from: elsewhere) == Array(repeating: .invalidCredentials, count: 10))
        let refusal = await error(test, "miguel", "wrong", from: elsewhere)
        #expect(refusal?.code == .rateLimited)
        #expect(refusal?.retryAfter == 30)
        #expect(refusal?.policy == RateLimitPolicy(name: "account", quota: 10))
        test.clock.advance(by: 30)
        #expect(await guess(test, 2, from: elsewhere) == [.invalidCredentials, .rateLimited])
        #expect(await error(test, "miguel", "wrong", from: elsewhere)?.retryAfter == 60)
    }

    @Test func whoIsThrottledLearnsNothing() async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 10, from: elsewhere)
        _ = await guess(test, 10, at: "nobody", from: elsewhere)
        let right = await error(test, "miguel", "python", from: elsewhere)
        #expect(right?.code == .rateLimited)
        #expect(await error(test, "miguel", "wrong", from: elsewhere) == right)
        #expect(await error(test, "nobody", "wrong", from: elsewhere) == right)
    }

    @Test(arguments: ["MIGUEL", "ｍiguel", "Miguel"])
    func anotherSpellingOfTheNameIsTheSameAccount(name: String) async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 10, from: elsewhere)
        #expect(await guess(test, 1, at: name, from: "203.0.113.9") == [.rateLimited])
    }

    @Test func theGuessesOfOthersDoNotKeepTheOwnerOut() async throws {
        let test = try await testWithMiguel()
        for number in 0..<40 { _ = await guess(test, 5, from: "198.51.\(number).1") }
        _ = await guess(test, 50, at: "susan", from: "192.0.2.77")
        #expect(await code(test, "miguel", "python", from: home) == AuthError.Code(rawValue: "signed_in"))
        #expect(await code(test, "miguel", "python", from: "203.0.113.1") == .rateLimited)
        // The whole network is known, and the guesses from elsewhere went on being counted.
        #expect(await code(test, "miguel", "python", from: "192.0.2.200") == AuthError.Code(rawValue: "signed_in"))
        #expect(await guess(test, 1, from: elsewhere) == [.rateLimited])
    }

    @Test func guessesFromAKnownNetworkAreCountedThere() async throws {
        let test = try await testWithMiguel()
        #expect(
            await guess(test, 11, from: "192.0.2.99")
                == Array(repeating: .invalidCredentials, count: 10) + [.rateLimited])
        #expect(await code(test, "miguel", "python", from: home) == .rateLimited)
        // The account is not blocked elsewhere: no guesses came from there.
        #expect(await code(test, "miguel", "python", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
        test.clock.advance(by: 30)
        #expect(await code(test, "miguel", "python", from: home) == AuthError.Code(rawValue: "signed_in"))
        #expect(await guess(test, 10, from: home) == Array(repeating: .invalidCredentials, count: 10))
    }

    @Test func aNetworkThatGuessesAtManyIsSlowedDown() async throws {
        let test = try await testWithMiguel()
        var codes: [AuthError.Code] = []
        for number in 0..<40 { codes += await guess(test, 1, at: "user\(number)", from: "198.51.100.\(number)") }
        #expect(codes == Array(repeating: .invalidCredentials, count: 30) + Array(repeating: .rateLimited, count: 10))
        #expect(
            await error(test, "miguel", "python", from: elsewhere)?.policy
                == RateLimitPolicy(name: "network", quota: 30))
        #expect(await guess(test, 1, at: "user1", from: "203.0.113.1") == [.invalidCredentials])
        test.clock.advance(by: 1)
        #expect(await code(test, "miguel", "python", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func anAccountOfOnesOwnForgivesNothingElse() async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 9 }
        _ = try await test.auth.users.register("mallory", password: "mine")
        for number in 0..<12 {
            _ = await guess(test, 1, at: "user\(number)", from: elsewhere)
            _ = await code(test, "mallory", "mine", from: elsewhere)
        }
        #expect(await guess(test, 1, at: "susan", from: elsewhere) == [.rateLimited])
    }

    @Test func aRightPasswordFromElsewhereEndsTheSeries() async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 9, from: elsewhere)
        _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: "203.0.113.1"))
        #expect(await guess(test, 10, from: elsewhere) == Array(repeating: .invalidCredentials, count: 10))
    }

    @Test func signingInFromHomeGivesGuessersNothing() async throws {
        let test = try await testWithMiguel()
        var codes: [AuthError.Code] = []
        for _ in 0..<5 {
            codes += await guess(test, 5, from: elsewhere)
            _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        }
        #expect(codes.count { $0 == .invalidCredentials } == 10)
    }

    @Test func afterAHundredInARowOnlyHomeIsLeftAndHomeLiftsIt() async throws {
        let test = try await testWithMiguel()
        var guesses = 0
        while guesses < 200, await guess(test, 1, from: elsewhere) == [.invalidCredentials] {
            guesses += 1
            test.clock.advance(by: guesses < 10 ? 0 : 3600)
        }
        #expect(guesses == 100)
        test.clock.advance(by: 365 * 86400)
        let refusal = await error(test, "miguel", "python", from: elsewhere)
        #expect(refusal?.code == .rateLimited)
        #expect(refusal?.retryAfter == 86400)
        _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        #expect(await code(test, "miguel", "python", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func ofAHundredGuessesAtOnceTenAreAnswered() async throws {
        let test = try await testWithMiguel { $0.hashingQueue = 1000 }
        let codes = await withTaskGroup(of: AuthError.Code.self) { group in
            for number in 0..<100 {
                group.addTask { await code(test, "miguel", "wrong\(number)", from: "10.0.\(number).1") }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == .invalidCredentials } == 10)
        #expect(codes.count { $0 == .rateLimited } == 90)
    }

    @Test func aRightGuessIsNotToldWhenAnotherProcessHasUsedTheTriesUp() async throws {
        let secret = InstanceSecret()
        let test = try await testWithMiguel(secret: secret)
        let other = try await TestAuth(over: test.storage, secret: secret)
        for isRight in [true, false] {
            let miguel = try await test.auth.login.vouch(for: test.auth.users.find(1), at: test.clock.now)
            await test.expect(.rateLimited) {
                try await test.auth.throttle.admitting(
                    Guess(name: Username("miguel"), by: Caller(address: elsewhere))
                ) { guess in
                    _ = await self.guess(other, 10, from: "203.0.113.1")
                    if isRight {
                        try await test.auth.throttle.succeed(guess, as: miguel)
                    } else {
                        try await test.auth.throttle.fail(guess, cost: .milliseconds(10))
                    }
                }
            }
            try await test.auth.throttle.clear(.account(Username("miguel")))
        }
    }

    @Test func aRightPasswordInABurstOfItsOwnKindIsNeverHeldUpForLong() async throws {
        let test = try await testWithMiguel { $0.hashingQueue = 1000 }
        let codes = await withTaskGroup(of: AuthError.Code.self) { group in
            for number in 0..<60 {
                group.addTask { await code(test, "miguel", "python", from: number % 2 == 0 ? home : elsewhere) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.allSatisfy { $0.rawValue == "signed_in" })
    }

    @Test func countersOutliveTheProcess() async throws {
        let secret = InstanceSecret()
        let first = try await testWithMiguel(secret: secret)
        _ = await guess(first, 10, from: elsewhere)
        let second = try await TestAuth(over: first.storage, secret: secret)
        #expect(await guess(second, 1, from: elsewhere) == [.rateLimited])
        #expect(await code(second, "miguel", "python", from: home) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func withoutAnAddressTheAccountIsCounted() async throws {
        let test = try await testWithMiguel()
        #expect(await guess(test, 11, from: nil).count { $0 == .invalidCredentials } == 10)
        #expect(await guess(test, 1, from: "not an address") == [.rateLimited])
    }

    /// Names that begin like another name, and would share a key if name and network were one text;
    /// some are older than the rule that now forbids them.
    @Test(arguments: ["miguel smith", "miguel  smith", "miguel 192.0.2.0/24", "\u{301}miguel"])
    func anotherPasswordIsNothingToWhoseNameBeginsAlike(name: String) async throws {
        let test = try await testWithMiguel()
        let hash = try #require(await test.storage.credentials(canonicalUsername: "miguel")?.passwordHash)
        _ = try await test.storage.insertUser(Username(whoever: name), passwordHash: hash, at: .now)
        _ = try await test.auth.login.identify(name, password: "python", by: Caller(address: home))
        #expect(await guess(test, 11, at: name, from: home).count { $0 == .invalidCredentials } == 10)
        #expect(await guess(test, 11, at: name, from: elsewhere).count { $0 == .invalidCredentials } == 10)
        try await test.auth.passwords.set("monty", for: test.auth.users.find(named: "miguel"))
        #expect(await guess(test, 1, at: name, from: home) == [.rateLimited])
        #expect(await guess(test, 1, at: name, from: elsewhere) == [.rateLimited])
        #expect(try await test.auth.throttle.clear(Username(whoever: name)).count == 2)
        #expect(await guess(test, 1, at: name, from: home) == [.invalidCredentials])
    }

    // MARK: Signed-in users

    @Test func thePresentPasswordCannotBeGuessedWithAToken() async throws {
        let test = try await testWithMiguel()
        let identity = try await test.verify(
            test.auth.sessions.token(for: test.auth.login.identify("miguel", password: "python")))
        for number in 0..<10 {
            await test.expect(.currentPasswordInvalid) {
                try await test.auth.passwords.confirm("wrong\(number)", for: identity)
            }
        }
        await test.expect(.rateLimited) { try await test.auth.passwords.confirm("python", for: identity) }
        await test.expect(.rateLimited) {
            try await test.auth.passwords.change(from: "python", to: "monty", for: identity)
        }
        // Signing in has a counter of its own.
        #expect(await code(test, "miguel", "python", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
        test.clock.advance(by: 30)
        try await test.auth.passwords.confirm("python", for: identity)
        for number in 0..<10 {
            await test.expect(.currentPasswordInvalid) {
                try await test.auth.passwords.confirm("wrong\(number)", for: identity)
            }
        }
    }

    @Test func anotherPasswordIsNotGuessedYet() async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 10, from: elsewhere)
        try await test.auth.passwords.set("monty", for: test.auth.users.find(named: "miguel"))
        #expect(await code(test, "miguel", "monty", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func anotherPasswordIsNotGuessedYetAtHomeEither() async throws {
        let test = try await testWithMiguel()
        _ = try await test.auth.users.register("miguel2", password: "python")
        _ = try await test.auth.login.identify("miguel2", password: "python", by: Caller(address: home))
        _ = await guess(test, 10, from: home)
        _ = await guess(test, 10, at: "miguel2", from: home)
        try await test.auth.passwords.set("monty", for: test.auth.users.find(named: "miguel"))
        #expect(await code(test, "miguel", "monty", from: home) == AuthError.Code(rawValue: "signed_in"))
        #expect(await code(test, "miguel2", "python", from: home) == .rateLimited)
    }

    @Test func anotherPasswordIsKnownWhereItWasSet() async throws {
        let test = try await testWithMiguel()
        _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: elsewhere))
        let identity = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        try await test.auth.passwords.change(from: "python", to: "monty", for: identity, by: Caller(address: home))
        _ = await guess(test, 10, from: "203.0.113.1")
        #expect(await code(test, "miguel", "monty", from: elsewhere) == .rateLimited)
        #expect(await code(test, "miguel", "monty", from: home) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func fromAKnownNetworkTheAnswerIsThatOfAnyOther() async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 10, from: home)
        _ = await guess(test, 10, at: "nobody", from: home)
        #expect(await error(test, "miguel", "wrong", from: home) == error(test, "nobody", "wrong", from: home))
    }

    // MARK: Operator

    @Test func anOperatorSeesAndLifts() async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 10, from: elsewhere)
        let counters = try await test.auth.throttle.list()
        #expect(try counters.map(\.subject) == [.account(Username("miguel")), .network(network(elsewhere))])
        #expect(counters.map(\.failures) == [10, 10])
        #expect(counters.map { test.auth.throttle.blockedUntil($0) } == [test.clock.now + 30, nil])
        #expect(try await test.auth.throttle.clear(counters[0].subject))
        #expect(try await !test.auth.throttle.clear(counters[0].subject))
        #expect(await code(test, "miguel", "python", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func stuffingIsNoticedOnBothSides() async throws {
        let test = try await testWithMiguel()
        for number in 0..<12 { _ = await guess(test, 1, at: "user\(number)", from: elsewhere) }
        for number in 0..<12 { _ = await guess(test, 1, from: "10.0.\(number).1") }
        let counters = try await test.auth.throttle.list()
        let (account, other) = (
            try counters.first { try $0.subject == .account(Username("miguel")) },
            try counters.first { try $0.subject == .network(network(elsewhere)) }
        )
        #expect(account?.failures == 10)
        #expect(account?.others.count == 10)
        #expect(other?.others.count == 10)
    }

    @Test func whatIsForgottenIsSwept() async throws {
        let test = try await testWithMiguel()
        _ = await guess(test, 3, from: elsewhere)
        let sweeper = try #require(test.auth.services.compactMap { $0 as? ExpirySweeper }.first)
        test.clock.advance(by: 86400)
        try await sweeper.sweep()
        #expect(
            try await test.auth.throttle.list().map(\.subject) == [
                .account(Username("miguel")), .network(network(elsewhere)),
            ])
        test.clock.advance(by: 7 * 86400)
        try await sweeper.sweep()
        #expect(try await test.auth.throttle.list().isEmpty)
        test.clock.advance(by: 83 * 86400)
        try await sweeper.sweep()
        #expect(try await test.storage.knownOrigin(network(home), canonicalUsername: "miguel") == nil)
    }
}
