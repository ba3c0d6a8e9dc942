import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import ServiceLifecycle
import Support
import Testing

@Suite struct RevocationsTests {
    private func line(_ number: Int64, _ user: User.ID, _ isRefused: Bool, until end: TimeInterval = 0) -> Revocation {
        Revocation(
            number: number, subject: .user(user), isRefused: isRefused, at: Date(timeIntervalSince1970: 0),
            expiresAt: Date(timeIntervalSince1970: end))
    }

    private func identity(_ user: User.ID, session: Session.ID? = nil, roles: Set<String> = []) -> UserIdentity {
        UserIdentity(
            userID: user, username: "a", roles: roles,
            authentication: Authentication([.password], at: Date(timeIntervalSince1970: 0)),
            presented: session.map(UserIdentity.Presented.accessToken) ?? .password)
    }

    @Test func whatIsNotConfirmedIsUnknown() {
        let revocations = Revocations(bound: .seconds(600))
        #expect(revocations.standing(of: identity(1)) == .unknown)
        revocations.confirm(at: .now - .seconds(601))
        #expect(revocations.standing(of: identity(1)) == .unknown)
        revocations.confirm(at: .now)
        #expect(revocations.standing(of: identity(1)) == .admitted)
    }

    @Test func aRefusalHoldsWithoutConfirmation() {
        let revocations = Revocations(bound: .seconds(600))
        revocations.apply([line(1, 1, true)])
        #expect(revocations.standing(of: identity(1)) == .refused)
        #expect(revocations.standing(of: identity(2)) == .unknown)
    }

    @Test func aRefusalConcernsItsSessionOrRoleOnly() {
        let revocations = Revocations(bound: .seconds(600))
        revocations.confirm(at: .now)
        let (ended, other) = (Session.ID(at: .now), Session.ID(at: .now))
        revocations.apply([
            Revocation(number: 1, subject: .session(ended), isRefused: true, at: .now),
            Revocation(number: 2, subject: .role("admin", of: 1), isRefused: true, at: .now),
        ])
        #expect(revocations.standing(of: identity(1, session: ended)) == .refused)
        #expect(revocations.standing(of: identity(1, session: other)) == .admitted)
        #expect(revocations.standing(of: identity(1, session: other, roles: ["user"])) == .admitted)
        #expect(revocations.standing(of: identity(1, session: other, roles: ["user", "admin"])) == .refused)
        #expect(revocations.standing(of: identity(2, session: other, roles: ["admin"])) == .admitted)
        revocations.apply([Revocation(number: 3, subject: .role("admin", of: 1), isRefused: false, at: .now)])
        #expect(revocations.standing(of: identity(1, session: other, roles: ["admin"])) == .admitted)
    }

    @Test func theHighestNumberCountsInWhateverOrderLinesCome() {
        let revocations = Revocations(bound: .seconds(600))
        revocations.confirm(at: .now)
        revocations.apply([line(3, 1, true)])
        revocations.apply([line(1, 1, true), line(2, 1, false)])
        #expect(revocations.standing(of: identity(1)) == .refused)
        revocations.apply([line(4, 1, false)])
        revocations.apply([line(3, 1, true)])
        #expect(revocations.standing(of: identity(1)) == .admitted)
    }

    @Test func whatNoTokenCanConcernAnyMoreIsForgotten() {
        let revocations = Revocations(bound: .seconds(600))
        revocations.confirm(at: .now)
        revocations.apply([line(1, 1, true, until: 20), line(2, 2, true, until: 10)])
        revocations.forget(expiredBefore: Date(timeIntervalSince1970: 15))
        #expect(revocations.standing(of: identity(1)) == .refused)
        #expect(revocations.standing(of: identity(2)) == .admitted)
    }

    @Test func theFeedBringsWhatAnotherProcessWroteAndEndsWhenAsked() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/users.sqlite"
        let secret = InstanceSecret()
        let test = try await TestAuth(over: SQLiteStorage(path: path), secret: secret)
        let other = try await TestAuth(over: SQLiteStorage(path: path), secret: secret)
        let token = try await test.token()
        let group = ServiceGroup(services: test.auth.services, logger: .init(label: "test"))
        async let running: Void = group.run()
        let revocations = try #require(test.auth.services.compactMap { $0 as? RevocationFeed }.first).revocations
        try await wait(for: "the feed to confirm") { revocations.standing(of: identity(1)) == .admitted }
        _ = try await test.auth.accessTokens.verify(token)
        try await other.auth.users.disable(1)
        try await wait(for: "the refusal") { revocations.standing(of: identity(1)) == .refused }
        await #expect(throws: AuthError.self) { try await test.auth.accessTokens.verify(token) }
        await group.triggerGracefulShutdown()
        try await running
    }

    @Test func aLogThatWasPutBackIsReadAnewAlsoWhenItHasGrownAsLong() async throws {
        let test = try await TestAuth()
        let feed = try #require(test.auth.services.compactMap { $0 as? RevocationFeed }.first)
        for name in ["a", "b", "c"] { _ = try await test.auth.users.register(name, password: "python") }
        for id in [1, 2] { _ = try await test.storage.disableUser(id: Int64(id), at: test.clock.now) }
        let last = try await feed.read(after: nil)
        #expect(last?.number == 2)
        try await test.storage.takeBackRevocations(after: 1)
        _ = try await test.storage.disableUser(id: 3, at: test.clock.now)
        #expect(try await feed.read(after: last)?.subject == .user(3))
        feed.revocations.confirm(at: .now)
        #expect(feed.revocations.standing(of: identity(3)) == .refused)
        // A refusal stays: forgetting one would be worse than keeping it.
        #expect(feed.revocations.standing(of: identity(2)) == .refused)
    }

    @Test func aLastLineThatIsGoneMakesTheLogBeReadAnew() async throws {
        let test = try await TestAuth()
        let feed = try #require(test.auth.services.compactMap { $0 as? RevocationFeed }.first)
        _ = try await test.auth.users.register("a", password: "python")
        _ = try await test.storage.disableUser(id: 1, at: test.clock.now)
        let last = try #require(await feed.read(after: nil))
        test.clock.advance(by: 86400 + 301)
        _ = try await test.storage.deleteRevocations(expiredBefore: test.clock.now, limit: 10)
        #expect(try await feed.read(after: last) == nil)
        _ = try await test.storage.enableUser(id: 1, at: test.clock.now)
        #expect(try await feed.read(after: nil)?.number == last.number + 1)
    }

    /// Tokens live for a second here, so none is live after ten minutes.
    @Test(arguments: [true, false]) func aLineOfASessionOutlivesItsTokensByLittle(isRenewable: Bool) async throws {
        let test = try await TestAuth { $0.tokenDuration = 1 }
        _ = try await test.auth.users.register("miguel", password: "python")
        let identity = UserIdentity(
            userID: 1, username: "miguel", roles: [], authentication: Authentication([.password], at: test.clock.now),
            presented: .password)
        for _ in 0..<200 {
            if isRenewable {
                try await test.auth.sessions.end(presenting: test.auth.sessions.start(for: identity).refresh.value)
            } else {
                try await test.auth.sessions.end(presenting: test.auth.sessions.token(for: identity).value)
            }
        }
        let lines = try await test.storage.revocations(after: 0, limit: 1000)
        #expect(lines.count == 200)
        test.clock.advance(by: 200)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        #expect(try await test.storage.revocations(after: 0, limit: 1000).count == 200)
        test.clock.advance(by: 400)
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
        #expect(try await test.storage.revocations(after: 0, limit: 1000).isEmpty)
    }

    @Test func oldLinesAreSweptFromTheLog() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        try await test.auth.users.disable(1)
        #expect(try await test.storage.revocations(after: 0, limit: 10).count == 1)
        test.clock.advance(by: TimeInterval(AuthConfiguration.maximumTokenDuration) + Revocation.slack + 1)
        let group = ServiceGroup(services: test.auth.services, logger: .init(label: "test"))
        async let running: Void = group.run()
        try await wait(for: "the sweep") { try await test.storage.revocations(after: 0, limit: 10).isEmpty }
        await group.triggerGracefulShutdown()
        try await running
    }
}
