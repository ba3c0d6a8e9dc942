import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Users who must have a factor: `miguel`, who signs in from home.
@Suite struct FactorPolicyTests {
    private static let week: TimeInterval = 7 * 86400
    private let home = Caller(address: "192.0.2.7")

    private func required(
        _ configure: (inout AuthConfiguration) -> Void = { _ in }
    ) async throws -> TestAuth {
        let test = try await TestAuth {
            $0.secondFactor.mode = .required
            configure(&$0)
        }
        _ = try await test.auth.users.register("miguel", password: "python")
        return test
    }

    private func refused(_ test: TestAuth, _ body: () async throws -> some Any) async {
        await test.expect(.mfaEnrollmentRequired, from: body)
    }

    /// Adds an app as a user can who is refused otherwise.
    private func enroll(_ test: TestAuth) async throws -> TestApp {
        let login = test.auth.login.admittingEnrollment
        let credentials = Credentials.password(username: "miguel", password: "python")
        let user = try #require(try await login.identify(credentials, by: home).user)
        let new = try await test.auth.factors.add("phone", of: user)
        let secret = try #require(Base32.decode(new.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: test.clock.now)).value
        let codes = try #require(try await test.auth.factors.confirm(new.id, code: code, of: user, by: home))
        return TestApp(id: new.id, secret: secret, clock: test.clock, recoveryCodes: codes)
    }

    // MARK: The grace

    @Test func theGraceIsCountedFromTheFirstSignInToTheSecond() async throws {
        let test = try await required()
        test.clock.advance(by: 1000)
        let end = test.clock.now + Self.week
        #expect(try await test.signIn(by: home).secondFactorDueAt == end)
        test.clock.advance(by: 86400)
        #expect(try await test.signIn(by: home).secondFactorDueAt == end)
        test.clock.advance(by: Self.week - 86401)
        #expect(try await test.signIn(by: home).secondFactorDueAt == end)
        test.clock.advance(by: 1)
        await refused(test) { try await test.signIn(by: home) }
        test.clock.advance(by: -1)
        #expect(try await test.signIn(by: home).secondFactorDueAt == end)
    }

    @Test func afterTheGraceThePasswordIsRefusedWhereverItComes() async throws {
        let test = try await required { $0.secondFactor.grace = 60 }
        let login = test.auth.login
        let identity = try await login.identify("miguel", password: "python", by: home)
        test.clock.advance(by: 60)
        await refused(test) { try await login.attempt("miguel", password: "python", by: home) }
        await refused(test) { try await login.identify("miguel", password: "python", by: home) }
        for code in [nil, "000000"] {
            let credentials = Credentials.password(username: "miguel", password: "python", code: code)
            await refused(test) { try await login.attempt(credentials, by: home) }
            await refused(test) { try await login.identify(credentials, by: home) }
        }
        // Also where an identity was proven before, or is vouched for.
        let vouched = login.vouch(for: try await test.auth.users.find(1), at: test.clock.now)
        for identity in [identity, vouched] {
            await refused(test) { try await test.auth.sessions.start(for: identity, by: home) }
            await refused(test) { try await test.auth.sessions.token(for: identity, by: home) }
        }
        #expect(try await test.auth.sessions.list(of: 1).isEmpty)
        await test.expect(.invalidCredentials) { try await login.attempt("miguel", password: "x", by: home) }
        await test.expect(.invalidCredentials) { try await login.attempt("nobody", password: "python", by: home) }
        try await test.auth.users.disable(1)
        await test.expect(.invalidCredentials) { try await login.attempt("miguel", password: "python", by: home) }
    }

    @Test func afterTheGraceNoSessionIsRenewed() async throws {
        let test = try await required { $0.secondFactor.grace = 300 }
        let sessions = test.auth.sessions
        let tokens = try await test.signIn(by: home)
        let plain = try await test.verify(
            sessions.token(for: test.auth.login.identify("miguel", password: "python", by: home), by: home))
        test.clock.advance(by: 299)
        let renewed = try await sessions.refresh(tokens.refresh.value, by: home)
        #expect(renewed.secondFactorDueAt == tokens.secondFactorDueAt)
        let identity = try await test.verify(renewed.access)
        _ = try await sessions.token(for: plain, by: home)
        test.clock.advance(by: 1)
        for _ in 0..<3 { await refused(test) { try await sessions.refresh(renewed.refresh.value, by: home) } }
        for user in [identity, plain] {
            await refused(test) { try await sessions.token(for: user, by: home) }
            await refused(test) {
                try await test.auth.passwords.change(from: "python", to: "monty", for: user, by: home)
            }
        }
        #expect(try await test.storage.credentials(user: 1)?.passwordVersion == 1)
        // A live token is good to its end. A thief of an earlier refresh token is still found out.
        #expect(try await test.verify(renewed.access).userID == 1)
        _ = try await enroll(test)
        let again = try await sessions.refresh(renewed.refresh.value, by: home)
        #expect(again.secondFactorDueAt == nil)
        await test.expect(.refreshTokenReused) { try await sessions.refresh(tokens.refresh.value, by: home) }
    }

    @Test func aRenewalBeginsTheGraceOfASessionFromBeforeTheRule() async throws {
        let before = try await TestAuth()
        let tokens = try await before.session(by: home)
        #expect(tokens.secondFactorDueAt == nil)
        let test = try await TestAuth(
            over: before.storage, secret: #require(before.auth.configuration.secret), clock: before.clock
        ) {
            $0.secondFactor.mode = .required
            $0.secondFactor.grace = 100
        }
        let renewed = try await test.auth.sessions.refresh(tokens.refresh.value, by: home)
        #expect(renewed.secondFactorDueAt == test.clock.now + 100)
        test.clock.advance(by: 100)
        await refused(test) { try await test.auth.sessions.refresh(renewed.refresh.value, by: home) }
    }

    @Test func manySignInsAtOnceBeginOneGrace() async throws {
        let test = try await required()
        let dates = try await withThrowingTaskGroup(of: Date?.self) { group in
            for _ in 0..<10 { group.addTask { try await test.signIn(by: home).secondFactorDueAt } }
            return try await group.reduce(into: Set<Date?>()) { $0.insert($1) }
        }
        #expect(dates == [test.clock.now + Self.week])
    }

    @Test func noGraceIsNoSignInAtAll() async throws {
        let test = try await required { $0.secondFactor.grace = 0 }
        await refused(test) { try await test.signIn(by: home) }
        _ = try await enroll(test)
        await test.expect(.mfaRequired) { try await test.signIn(by: home) }
    }

    @Test func aWrongPasswordBeginsNoGrace() async throws {
        let test = try await required()
        await test.expect(.invalidCredentials) {
            try await test.auth.login.attempt("miguel", password: "x", by: home)
        }
        test.clock.advance(by: 2 * Self.week)
        #expect(try await test.signIn(by: home).secondFactorDueAt == test.clock.now + Self.week)
    }

    // MARK: Roles

    @Test func theRuleIsForItsRolesAlone() async throws {
        let test = try await required {
            $0.secondFactor.roles = ["admin", "auditor"]
            $0.secondFactor.grace = 100
        }
        let users = test.auth.users
        let tokens = try await test.signIn(by: home)
        #expect(tokens.secondFactorDueAt == nil)
        for role in ["staff", "Admin", "admin.x"] { try await users.grant(role, to: 1) }
        test.clock.advance(by: 1000)
        let renewed = try await test.auth.sessions.refresh(tokens.refresh.value, by: home)
        #expect(renewed.secondFactorDueAt == nil)

        // Given later, it counts from then on, whatever the token says that is out.
        try await users.grant("auditor", to: 1)
        let identity = try await test.verify(renewed.access)
        _ = try await test.auth.sessions.token(for: identity, by: home)
        test.clock.advance(by: 99)
        #expect(try await test.signIn(by: home).secondFactorDueAt == test.clock.now + 1)
        test.clock.advance(by: 1)
        await refused(test) { try await test.signIn(by: home) }
        await refused(test) { try await test.auth.sessions.token(for: identity, by: home) }
        await refused(test) { try await test.auth.sessions.refresh(renewed.refresh.value, by: home) }

        // Taken away, nothing is required any more; given again, the grace was used up.
        try await users.revoke("auditor", from: 1)
        #expect(try await test.signIn(by: home).secondFactorDueAt == nil)
        try await users.grant("admin", to: 1)
        await refused(test) { try await test.signIn(by: home) }
    }

    // MARK: Adding the factor

    @Test func whoHasToAddAFactorCanDoNothingElse() async throws {
        let test = try await required { $0.secondFactor.grace = 0 }
        let login = test.auth.login.admittingEnrollment
        let credentials = Credentials.password(username: "miguel", password: "python")
        let user = try #require(try await login.identify(credentials, by: home).user)
        await refused(test) { try await test.auth.sessions.start(for: user, by: home) }
        await refused(test) { try await test.auth.sessions.token(for: user, by: home) }
        for (name, password) in [("miguel", "x"), ("nobody", "python")] {
            await test.expect(.invalidCredentials) {
                try await login.identify(.password(username: name, password: password), by: home)
            }
        }
        let app = try await enroll(test)
        // With a factor, the password alone is good for nothing there, either.
        await test.expect(.mfaRequired) { try await login.identify(credentials, by: home) }
        guard case .continues(let ticket, _) = try await test.auth.login.attempt(credentials, by: home) else {
            Issue.record("it did not go on")
            return
        }
        let identity = try await test.auth.login.answer(.code(app.nextCode()), of: ticket.value, by: home).completed()
        let tokens = try await test.auth.sessions.start(for: identity, by: home)
        #expect(tokens.secondFactorDueAt == nil)
        test.clock.advance(by: 100)
        _ = try await test.auth.sessions.refresh(tokens.refresh.value, by: home)
    }

    @Test func guessesAreCountedWhereAFactorIsAdded() async throws {
        let test = try await required { $0.secondFactor.grace = 0 }
        let login = test.auth.login.admittingEnrollment
        var codes: [AuthError.Code] = []
        while codes.last != .rateLimited, codes.count < 200 {
            let error = await #expect(throws: AuthError.self) {
                try await login.identify(.password(username: "miguel", password: "x"), by: home)
            }
            codes.append(try #require(error?.code))
        }
        #expect(codes.last == .rateLimited && codes.count > 1)
        await test.expect(.rateLimited) { try await test.auth.login.attempt("miguel", password: "python", by: home) }
    }

    /// A right password that is refused tells that it is right, and counts as neither.
    @Test func theRefusalIsNeitherASuccessNorAFailure() async throws {
        let test = try await required { $0.secondFactor.grace = 0 }
        await test.expect(.invalidCredentials) {
            try await test.auth.login.attempt("miguel", password: "x", by: home)
        }
        let before = try await test.storage.throttles(after: nil, limit: 10).map(\.failures)
        #expect(!before.isEmpty)
        await refused(test) { try await test.signIn(by: home) }
        #expect(try await test.storage.throttles(after: nil, limit: 10).map(\.failures) == before)
        let network = try #require(home.network)
        #expect(try await test.storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
    }

    @Test func aSecondStepDoesNotSkipIt() async throws {
        let test = try await required { $0.secondFactor.grace = 0 }
        let app = try await enroll(test)
        guard case .continues(let ticket, _) = try await test.auth.login.attempt("miguel", password: "python", by: home)
        else {
            Issue.record("it did not go on")
            return
        }
        try await test.auth.factors.removeAll(of: 1)
        for code in [app.nextCode(), app.recoveryCodes[0]] {
            await test.expect(.invalidCode) {
                try await test.auth.login.answer(.code(code), of: ticket.value, by: home)
            }
        }
        await refused(test) { try await test.signIn(by: home) }
    }

    // MARK: Removing factors

    @Test func theLastFactorStays() async throws {
        let test = try await required { $0.secondFactor.roles = ["admin"] }
        let factors = test.auth.factors
        let phone = try await test.newApp(of: test.proven(1))
        try await test.auth.users.grant("admin", to: 1)
        await test.expect(.lastWayIn) { try await factors.remove(phone.id, of: test.proven(1)) }
        await test.expect(.insufficientUserAuthentication) {
            try await factors.remove(phone.id, of: test.auth.login.vouch(for: test.auth.users.find(1), at: .now))
        }
        let begun = try await factors.add("begun", of: test.proven(1))
        await test.expect(.lastWayIn) { try await factors.remove(phone.id, of: test.proven(1)) }
        try await factors.remove(begun.id, of: test.proven(1))
        test.clock.advance(by: 30)
        let tablet = try await test.newApp(of: test.proven(1), "tablet")
        try await factors.remove(phone.id, of: test.proven(1))
        await test.expect(.lastWayIn) { try await factors.remove(tablet.id, of: test.proven(1)) }
        #expect(try await factors.list(of: 1).recoveryCodes == 10)
        try await test.auth.users.revoke("admin", from: 1)
        try await factors.remove(tablet.id, of: test.proven(1))
        #expect(try await factors.list(of: 1).recoveryCodes == 0)
    }

    @Test func afterAnOperatorsRemovalTheGraceBeginsAnew() async throws {
        let test = try await required()
        _ = try await test.signIn(by: home)
        _ = try await test.newApp(of: test.proven(1))
        test.clock.advance(by: 2 * Self.week)
        try await test.auth.factors.removeAll(of: 1)
        #expect(try await test.signIn(by: home).secondFactorDueAt == test.clock.now + Self.week)
        test.clock.advance(by: Self.week)
        await refused(test) { try await test.signIn(by: home) }
        // Without a factor there is nothing to remove, and no more grace.
        await test.expect(.factorNotFound) { try await test.auth.factors.removeAll(of: 1) }
        await refused(test) { try await test.signIn(by: home) }
    }

    // MARK: The configuration

    @Test func withoutARuleNothingIsRead() async throws {
        func statements(_ configure: (inout AuthConfiguration) -> Void) async throws -> [Int] {
            let test = try await TestAuth(configure)
            var tokens = try await test.session(by: home)
            let identity = try await test.verify(tokens.access)
            return [
                try await test.storage.countingStatements { tokens = try await test.signIn(by: home) },
                try await test.storage.countingStatements {
                    tokens = try await test.auth.sessions.refresh(tokens.refresh.value, by: home)
                },
                try await test.storage.countingStatements {
                    _ = try await test.auth.sessions.token(for: identity, by: home)
                },
            ]
        }
        let without = try await statements { _ in }
        #expect(try await statements { $0.secondFactor.mode = .off } == without)
        let with = try await statements { $0.secondFactor.mode = .required }
        #expect(zip(without, with).allSatisfy { $0 < $1 })
    }

    @Test(arguments: [-1, 365 * 86400 + 1]) func aGraceOutOfRangeIsRefused(grace: Int) async throws {
        await #expect(throws: AuthError.self) { try await TestAuth { $0.secondFactor.grace = grace } }
    }

    @Test(arguments: [[""], ["a b"], ["admin", "admin"], ["é"], [String(repeating: "a", count: 65)]])
    func whatIsNoRoleIsRefused(roles: [String]) async throws {
        let error = await #expect(throws: AuthError.self) { try await TestAuth { $0.secondFactor.roles = roles } }
        #expect(error?.code == .misconfigured)
    }

    @Test(arguments: ["", "a:b", ":", " a", "a\n", "a\u{202E}b", String(repeating: "a", count: 65)])
    func whatIsNoNameForAppsIsRefused(name: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await TestAuth { $0.totpIssuer = name } }
        #expect(error?.code == .misconfigured)
    }

    @Test(arguments: [0, 3599, 365 * 86400 + 1]) func aTrustOutOfRangeIsRefused(seconds: Int) async throws {
        await #expect(throws: AuthError.self) { try await TestAuth { $0.trustedDeviceLifetime = seconds } }
    }

    @Test(arguments: [
        ("rest-auth", "rest-auth"), ("https://auth.example.com", "auth.example.com"),
        ("https://auth.example.com:8443/auth", "auth.example.com"), ("http://localhost:5000", "localhost"),
    ])
    func appsShowTheHostOfTheIssuer(issuer: String, name: String) async throws {
        let test = try await TestAuth { $0.issuer = issuer }
        _ = try await test.auth.users.register("miguel", password: "python")
        let app = try await test.auth.factors.add("phone", of: test.proven(1))
        #expect(app.uri.hasPrefix("otpauth://totp/\(name):miguel?") && app.uri.hasSuffix("&issuer=\(name)"))
    }
}
