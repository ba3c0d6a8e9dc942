import Foundation
import RESTAuthSQLite
import RESTAuthTesting
import ServiceLifecycle
import Support
import Testing

@testable import RESTAuth

@Suite struct RevocationsTests {
    private func line(_ number: Int64, _ user: User.ID, _ isRefused: Bool, at: TimeInterval = 0) -> Revocation {
        Revocation(number: number, subject: .user(user), isRefused: isRefused, at: Date(timeIntervalSince1970: at))
    }

    private func identity(_ user: User.ID, session: Session.ID? = nil, roles: Set<String> = []) -> Identity {
        Identity(
            userID: user, username: "a", method: .token, authenticatedAt: Date(timeIntervalSince1970: 0), sessionID: session, roles: roles)
    }

    @Test func whatIsNotConfirmedIsUnknown() {
        let revocations = Revocations(bound: .seconds(1))
        #expect(revocations.standing(of: identity(1)) == .unknown)
        revocations.confirm(at: .now - .seconds(2))
        #expect(revocations.standing(of: identity(1)) == .unknown)
        revocations.confirm(at: .now)
        #expect(revocations.standing(of: identity(1)) == .admitted)
    }

    @Test func aRefusalHoldsWithoutConfirmation() {
        let revocations = Revocations(bound: .seconds(1))
        revocations.apply([line(1, 1, true)])
        #expect(revocations.standing(of: identity(1)) == .refused)
        #expect(revocations.standing(of: identity(2)) == .unknown)
    }

    @Test func aRefusalConcernsItsSessionOrRoleOnly() {
        let revocations = Revocations(bound: .seconds(1))
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
        let revocations = Revocations(bound: .seconds(1))
        revocations.confirm(at: .now)
        revocations.apply([line(3, 1, true)])
        revocations.apply([line(1, 1, true), line(2, 1, false)])
        #expect(revocations.standing(of: identity(1)) == .refused)
        revocations.apply([line(4, 1, false)])
        revocations.apply([line(3, 1, true)])
        #expect(revocations.standing(of: identity(1)) == .admitted)
    }

    @Test func whatNoTokenCanConcernAnyMoreIsForgotten() {
        let revocations = Revocations(bound: .seconds(1))
        revocations.confirm(at: .now)
        revocations.apply([line(1, 1, true, at: 10), line(2, 2, true, at: 20)])
        revocations.forget(before: Date(timeIntervalSince1970: 15))
        #expect(revocations.standing(of: identity(1)) == .admitted)
        #expect(revocations.standing(of: identity(2)) == .refused)
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
        let revocations = try #require(test.auth.services.first as? RevocationFeed).revocations
        try await wait(seconds: 5, for: "the feed to confirm") { revocations.standing(of: identity(1)) == .admitted }
        _ = try await test.auth.accessTokens.verify(token)
        try await other.auth.users.disable(1)
        try await wait(seconds: 5, for: "the refusal") { revocations.standing(of: identity(1)) == .refused }
        await #expect(throws: AuthError.self) { try await test.auth.accessTokens.verify(token) }
        await group.triggerGracefulShutdown()
        try await running
    }

    @Test func oldLinesAreSweptFromTheLog() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        try await test.auth.users.disable(1)
        #expect(try await test.storage.revocations(after: 0, limit: 10).count == 1)
        test.clock.advance(by: TimeInterval(AuthConfiguration.maximumTokenDuration + 3601))
        let group = ServiceGroup(services: test.auth.services, logger: .init(label: "test"))
        async let running: Void = group.run()
        try await wait(seconds: 5, for: "the sweep") { try await test.storage.revocations(after: 0, limit: 10).isEmpty }
        await group.triggerGracefulShutdown()
        try await running
    }
}
