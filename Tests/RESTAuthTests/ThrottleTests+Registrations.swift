import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

extension ThrottleTests {
    // MARK: Registrations

    @Test func registrationsOfANetworkAreCounted() async throws {
        let test = try await TestAuth { $0.throttle.registrationsPerHour = 3 }
        for _ in 0..<3 { try await test.auth.throttle.countRegistration(by: Caller(address: home)) }
        let error = await #expect(throws: AuthError.self) {
            try await test.auth.throttle.countRegistration(by: Caller(address: "192.0.2.200"))
        }
        #expect(error?.code == .rateLimited)
        #expect(error?.retryAfter == 1200)
        try await test.auth.throttle.countRegistration(by: Caller(address: elsewhere))
        try await test.auth.throttle.countRegistration(by: Caller(address: nil))
        test.clock.advance(by: 1200)
        try await test.auth.throttle.countRegistration(by: Caller(address: home))
        await test.expect(.rateLimited) { try await test.auth.throttle.countRegistration(by: Caller(address: home)) }
    }

    @Test func registrationsOfABlockAreCounted() async throws {
        let test = try await TestAuth { $0.throttle.registrationsPerHour = 2 }
        var refused = 0
        for number in 0..<12 {
            do {
                try await test.auth.throttle.countRegistration(by: Caller(address: address(number)))
            } catch {
                refused += 1
                #expect((error as? AuthError)?.policy == RateLimitPolicy(name: "registrations", quota: 8))
                #expect((error as? AuthError)?.retryAfter == 450)
            }
        }
        #expect(refused == 4)
        // A refused request in one network does not count for the block that contains it.
        for _ in 0..<40 { try? await test.auth.throttle.countRegistration(by: Caller(address: address(site: 1, 0))) }
        for number in 1..<7 {
            try await test.auth.throttle.countRegistration(by: Caller(address: address(site: 1, number)))
        }
    }

    // MARK: Sessions

    private func started(_ test: TestAuth, _ username: String, from address: String?, _ count: Int) async throws -> Int
    {
        let identity = try await test.auth.login.identify(username, password: "python", by: Caller(address: address))
        var started = 0
        for number in 0..<count {
            do {
                // The two ways to start a session.
                if number.isMultiple(of: 2) {
                    _ = try await test.auth.sessions.start(for: identity, by: Caller(address: address))
                } else {
                    _ = try await test.auth.sessions.token(for: identity, by: Caller(address: address))
                }
                started += 1
            } catch {
                #expect((error as? AuthError)?.code == .rateLimited)
                #expect((error as? AuthError)?.policy?.name == "sessions")
                #expect(((error as? AuthError)?.retryAfter ?? 0) > 0)
            }
        }
        return started
    }

    @Test func aUserStartsSoManySessionsFromWherever() async throws {
        let test = try await testWithMiguel { $0.throttle.sessionsPerHour = 5 }
        #expect(try await started(test, "miguel", from: home, 4) == 4)
        #expect(try await started(test, "miguel", from: elsewhere, 4) == 1)
        #expect(try await started(test, "miguel", from: nil, 2) == 0)
        #expect(try await test.auth.sessions.list(of: 1).count == 5)
        // Another user has a counter of its own.
        _ = try await test.auth.users.register("susan", password: "python")
        #expect(try await started(test, "susan", from: home, 5) == 5)
    }

    @Test func whatIsThereIsRenewedAllTheSame() async throws {
        let test = try await testWithMiguel { $0.throttle.sessionsPerHour = 1 }
        let identity = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        var tokens = try await test.auth.sessions.start(for: identity)
        await test.expect(.rateLimited) { try await test.auth.sessions.start(for: identity) }
        for _ in 0..<5 { tokens = try await test.auth.sessions.refresh(tokens.refresh.value) }
        let byToken = try await test.verify(tokens.access)
        for _ in 0..<5 { _ = try await test.auth.sessions.token(for: byToken) }
    }

    @Test func nothingIsStoredOfASessionThatIsRefused() async throws {
        let test = try await testWithMiguel { $0.throttle.sessionsPerHour = 1 }
        let identity = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        _ = try await test.auth.sessions.start(for: identity)
        let changes = try await test.storage.database.read { $0.totalChangesCount }
        for _ in 0..<5 { await test.expect(.rateLimited) { try await test.auth.sessions.start(for: identity) } }
        #expect(try await test.storage.database.read { $0.totalChangesCount } == changes)
        #expect(try await test.auth.throttle.list().isEmpty)
    }

    @Test func aNetworkStartsTwentyTimesAsManyAndABlockFourTimesThat() async throws {
        let test = try await TestAuth { $0.throttle.sessionsPerHour = 2 }
        func start(_ user: User.ID, _ address: String) throws {
            try test.auth.throttle.countSession(of: user, by: Caller(address: address))
        }
        for user in 0..<40 as Range<User.ID> { try start(user, address(0)) }
        let refusal = #expect(throws: AuthError.self) { try start(100, address(0)) }
        #expect(refusal?.policy == RateLimitPolicy(name: "sessions", quota: 40))
        // The refused session has not counted for the user or the other networks.
        try start(100, address(1))
        try start(100, address(1))
        #expect(throws: AuthError.self) { try start(100, address(1)) }
        for user in 200..<318 as Range<User.ID> { try start(user, address(2 + Int(user) % 10)) }
        let ofBlock = #expect(throws: AuthError.self) { try start(400, address(50)) }
        #expect(ofBlock?.policy == RateLimitPolicy(name: "sessions", quota: 160))
        try start(400, address(site: 1, 0))
    }

    @Test(arguments: [true, false])
    func asManySessionsAsComeWhereNothingIsCounted(isOn: Bool) async throws {
        let test = try await testWithMiguel {
            $0.throttle.isOn = isOn
            $0.throttle.sessionsPerHour = isOn ? nil : 1
        }
        #expect(try await started(test, "miguel", from: home, 10) == 10)
    }
}
