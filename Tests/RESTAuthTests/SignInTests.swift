import Foundation
import Metrics
import MetricsTestKit
import RESTAuth
import RESTAuthTesting
import Synchronization
import Testing

/// Signing in with a password and an authenticator app, which the user `miguel` has.
@Suite struct SignInTests {
    private let test: TestAuth
    private let miguel: UserIdentity
    private let app: TestApp
    private let home = Caller(address: "192.0.2.7")

    init() async throws {
        test = try await TestAuth()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        miguel = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: "198.51.100.9"))
        app = try await test.newApp(of: miguel)
    }

    private func ticket(by caller: Caller? = nil) async throws -> String {
        let signIn = try await test.auth.login.attempt("miguel", password: "python", by: caller ?? home)
        guard case .continues(let ticket, let factors) = signIn else {
            Issue.record("it did not go on")
            return ""
        }
        #expect(factors == [.totp(id: app.id, name: "phone"), .recoveryCodes])
        return ticket.value
    }

    private func answer(_ ticket: String, _ code: String? = nil, by caller: Caller? = nil) async throws -> SignIn {
        try await test.auth.login.answer(.code(code ?? app.nextCode()), of: ticket, by: caller ?? home)
    }

    private func removeApp() async throws { try await test.auth.factors.removeAll(of: miguel.userID) }

    @Test func bothTogetherAreASignInOfTwoFactors() async throws {
        let identity = try await answer(ticket()).completed()
        #expect(identity.authentication.methods == [.password, .oneTimePassword, .multipleFactors])
        #expect(identity.authentication.contextClass == "aal2")
        let tokens = try await test.auth.sessions.start(for: identity, by: home)
        let renewed = try await test.auth.sessions.refresh(tokens.refresh.value)
        for token in [tokens.access, renewed.access] {
            #expect(try await test.verify(token).authentication.methods == identity.authentication.methods)
        }
    }

    @Test func ofTwoRecoveryCodesForOneTicketOneStays() async throws {
        let ticket = try await ticket()
        let codes = app.recoveryCodes.prefix(4)
        let signedIn = await withTaskGroup(of: Bool.self) { group in
            for code in codes { group.addTask { (try? await answer(ticket, code).completed()) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(signedIn == 1)
        #expect(try await test.auth.factors.list(of: miguel.userID).recoveryCodes == 9)
    }

    @Test func whoHasNoFactorIsDoneWithThePassword() async throws {
        let identity = try await test.auth.login.attempt("susan", password: "python", by: home).completed()
        #expect(identity.authentication.methods == [.password])
    }

    @Test(arguments: [0, 3, 9])
    func aRecoveryCodeStandsForTheApp(index: Int) async throws {
        let code = app.recoveryCodes[index]
        let identity = try await answer(ticket(), code).completed()
        #expect(identity.authentication.methods == [.password, .oneTimePassword, .multipleFactors])
        let next = try await ticket()
        await test.expect(.invalidCode) { try await answer(next, code) }
        _ = try await answer(next, app.recoveryCodes[(index + 1) % 10])
    }

    @Test func whoUsesARecoveryCodeIsTheUser() async throws {
        _ = try await answer(ticket(), app.recoveryCodes[0]).completed()
        let identity = try await test.auth.login.identify(
            .password(username: "miguel", password: "python", code: app.recoveryCodes[1]), by: home)
        let session = try await test.auth.sessions.start(for: #require(identity.user), by: home)
        let user = try await test.verify(session.access)
        _ = try await test.auth.login.raise(.code(app.recoveryCodes[2]), of: user, by: home)
        await test.expect(.invalidCode) { try await answer(ticket(), app.recoveryCodes[0]) }
        let uses = try await test.storage.events(after: 0, limit: 1000).map(\.fields)
            .filter { $0.name == AuthEvent.Name.recoveryCodeUsed.rawValue }
        #expect(uses.map(\.actorKind) == ["user", "user", "user"])
        #expect(uses.map(\.actorID) == ["1", "1", "1"])
    }

    @Test func aCodeBesideThePasswordIsBothSteps() async throws {
        let login = test.auth.login
        func identify(_ code: String?) async throws -> UserIdentity? {
            try await login.identify(.password(username: "miguel", password: "python", code: code), by: home).user
        }
        let code = app.nextCode()
        #expect(try await identify(code)?.authentication.contextClass == "aal2")
        for wrong in [code, "000000", "", "x"] { await test.expect(.invalidCode) { try await identify(wrong) } }
        await test.expect(.mfaRequired) { try await identify(nil) }
        await test.expect(.invalidCredentials) {
            try await login.identify(.password(username: "miguel", password: "x", code: app.nextCode()), by: home)
        }
        let susan = Credentials.password(username: "susan", password: "python", code: "000000")
        #expect(try await login.identify(susan, by: home).user?.authentication.methods == [.password])
    }

    @Test func thePasswordAloneIdentifiesNobodyWhoHasAFactor() async throws {
        let login = test.auth.login
        await test.expect(.mfaRequired) { try await login.identify("miguel", password: "python", by: home) }
        await test.expect(.mfaRequired) {
            try await login.identify(.password(username: "miguel", password: "python"), by: home)
        }
        await test.expect(.mfaRequired) {
            try await login.attempt("miguel", password: "python", by: home).completed()
        }
        await test.expect(.invalidCredentials) { try await login.attempt("miguel", password: "Python", by: home) }
    }

    @Test func aTicketIsGoodForOneSignIn() async throws {
        let ticket = try await ticket()
        _ = try await answer(ticket)
        for code in [app.nextCode(), "000000"] { await test.expect(.ticketExpired) { try await answer(ticket, code) } }
    }

    @Test func ofManyWhoAnswerAtOnceOneSignsIn() async throws {
        let ticket = try await ticket()
        let completed = await withTaskGroup(of: Bool.self) { group in
            for code in app.recoveryCodes { group.addTask { (try? await answer(ticket, code).completed()) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(completed == 1)
        let left = try await test.auth.factors.list(of: miguel.userID).recoveryCodes
        #expect(left >= 10 - SignInTicket.tries)
    }

    @Test func aTicketIsGoodForFiveAnswers() async throws {
        let ticket = try await ticket()
        for _ in 1..<SignInTicket.tries { await test.expect(.invalidCode) { try await answer(ticket, "000000") } }
        _ = try await answer(ticket)
        let next = try await self.ticket()
        for _ in 0..<SignInTicket.tries { await test.expect(.invalidCode) { try await answer(next, "000000") } }
        await test.expect(.ticketExpired) { try await answer(next) }
    }

    @Test func aTicketIsGoodForTenMinutes() async throws {
        let ticket = try await ticket()
        test.clock.advance(by: 599)
        _ = try await answer(ticket, app.code)
        let late = try await self.ticket()
        test.clock.advance(by: 600)
        await test.expect(.ticketExpired) { try await answer(late) }
    }

    @Test func aTicketIsNoGoodFromAnotherNetwork() async throws {
        let ticket = try await ticket()
        for caller in [Caller(address: "198.51.100.1"), Caller(address: "2001:db8::1"), .application] {
            await test.expect(.ticketExpired) { try await answer(ticket, by: caller) }
        }
        _ = try await answer(ticket)
        let nowhere = try await self.ticket(by: .application)
        await test.expect(.ticketExpired) { try await answer(nowhere) }
    }

    @Test func aTicketEndsWithThePasswordAndWithTheUser() async throws {
        let user = try await test.auth.users.find(1)
        let first = try await ticket()
        try await test.auth.passwords.set("python", for: user)
        await test.expect(.ticketExpired) { try await answer(first) }
        let second = try await ticket()
        try await test.auth.users.disable(1)
        await test.expect(.ticketExpired) { try await answer(second) }
        try await test.auth.users.delete(1)
        await test.expect(.ticketExpired) { try await answer(second) }
    }

    @Test func whatIsNoTicketOfOursIsRefused() async throws {
        let ticket = try await ticket()
        let bytes = try #require(Base64.url.decode(ticket.utf8))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            await test.expect(.ticketExpired) { try await answer(Base64.url.encode(changed)) }
        }
        let elsewhere = try await TestAuth()
        _ = try await elsewhere.auth.users.register("miguel", password: "python")
        await elsewhere.expect(.ticketExpired) {
            try await elsewhere.auth.login.answer(.code(app.nextCode()), of: ticket, by: home)
        }
        for text in ["", "x", ticket + "A", String(ticket.dropLast()), String(repeating: "A", count: 96), "é"] {
            await test.expect(.ticketExpired) { try await answer(text) }
        }
    }

    @Test func aTicketOfAFactorThatIsGoneTakesNoCode() async throws {
        let ticket = try await ticket()
        try await removeApp()
        await test.expect(.invalidCode) { try await answer(ticket) }
        await test.expect(.invalidCode) { try await answer(ticket, app.recoveryCodes[0]) }
    }

    @Test func theFirstStepIsNeitherASuccessNorAFailure() async throws {
        let network = try #require(home.network)
        func wrong() async { await test.expect(.invalidCredentials) { try await guess() } }
        func guess() async throws -> SignIn {
            try await test.auth.login.attempt("miguel", password: "x", by: home)
        }
        func failures() async throws -> [Int] {
            try await test.storage.throttles(after: nil, limit: 10).map(\.failures)
        }
        await wrong()
        let before = try await failures()
        #expect(!before.isEmpty)
        let ticket = try await ticket()
        #expect(try await failures() == before)
        #expect(try await test.storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
        _ = try await answer(ticket)
        #expect(try await test.storage.knownOrigin(network, canonicalUsername: "miguel") != nil)
        #expect(try await failures().count < before.count)
    }

    @Test func wrongCodesAreCountedAsWrongPasswordsAre() async throws {
        func refusal() async throws -> AuthError.Code? {
            do {
                _ = try await answer(ticket(), "000000")
                return nil
            } catch let error as AuthError {
                return error.code
            }
        }
        var count = 0
        while try await refusal() == .invalidCode, count < 100 { count += 1 }
        #expect((1..<100).contains(count))
        #expect(try await refusal() == .rateLimited)
    }

    // MARK: Changing the password

    /// Starts a session with both factors and returns its identity.
    private func session() async throws -> UserIdentity {
        let tokens = try await test.auth.sessions.start(for: answer(ticket()).completed(), by: home)
        return try await test.verify(tokens.access)
    }

    private func change(_ identity: UserIdentity) async throws -> UserIdentity {
        let tokens = try #require(
            await test.auth.passwords.change(from: "python", to: "monty", for: identity, by: home))
        if let refresh = tokens.refresh {
            let renewed = try await test.auth.sessions.refresh(refresh.value)
            #expect(try await test.verify(renewed.access).authentication == test.verify(tokens.access).authentication)
        }
        return try await test.verify(tokens.access)
    }

    @Test func anotherPasswordMakesASignInOfTwoFactorsNeitherYoungerNorLess() async throws {
        let identity = try await session()
        test.clock.advance(by: 300)
        let changed = try await change(identity)
        #expect(changed.sessionID != identity.sessionID)
        #expect(changed.authentication == identity.authentication)
        #expect(changed.authentication.contextClass == "aal2")
        #expect(throws: AuthError.self) { try Requirement.signedIn(within: 60).check(changed, at: test.clock.now) }
    }

    /// A thief may have both the token and the password, but not the factor.
    @Test func aTokenAndThePasswordChangeNothingForWhoHasAFactor() async throws {
        try await removeApp()
        let tokens = try await test.auth.sessions.start(
            for: test.auth.login.attempt("miguel", password: "python", by: home).completed(), by: home)
        let identity = try await test.verify(tokens.access)
        _ = try await test.newApp(of: identity)
        await test.expect(.insufficientUserAuthentication) { try await change(identity) }
    }

    @Test func aSignInOfTwoFactorsStaysOneWhenTheFactorIsGone() async throws {
        let identity = try await session()
        try await removeApp()
        test.clock.advance(by: 300)
        #expect(try await change(identity).authentication == identity.authentication)
    }

    @Test func whoHasOnlyThePasswordHasGivenItNow() async throws {
        try await removeApp()
        let identity = try await test.verify(
            test.auth.sessions.token(for: test.auth.login.identify("miguel", password: "python", by: home), by: home))
        test.clock.advance(by: 300)
        let changed = try await change(identity)
        #expect(changed.authentication == Authentication([.password], at: test.clock.now))
    }

    @Test func aRightPasswordThatStopsAtTheFactorIsCountedAndHasNoRow() async throws {
        let metrics = TestMetrics()
        let before = try await test.storage.events(after: 0, limit: 100)
        try await withMetricsFactory(metrics) {
            _ = try await ticket()
            await test.expect(.mfaRequired) {
                try await test.auth.login.identify("miguel", password: "python", by: home)
            }
            await test.expect(.invalidCredentials) {
                try await test.auth.login.identify("miguel", password: "x", by: home)
            }
        }
        let counter = try metrics.expectCounter("rest_auth_events_total", [("event", "login.continued")])
        #expect(counter.totalValue == 2)
        #expect(try await test.storage.events(after: 0, limit: 100) == before)
    }

    @Test func aTicketIsNotPrinted() async throws {
        guard case .continues(let ticket, _) = try await test.auth.login.attempt("miguel", password: "python", by: home)
        else {
            Issue.record("it did not go on")
            return
        }
        for text in ["\(ticket)", String(reflecting: ticket), "\([ticket])"] { #expect(!text.contains(ticket.value)) }
    }
}

/// No password is accepted for a user without one.
@Suite struct NoPasswordTests {
    @Test(arguments: ["", "!", "python", "x"])
    func noPasswordFits(password: String) async throws {
        let test = try await TestAuth()
        let bare = ImportableUser(id: nil, name: try Username("bare"), passwordHash: nil, createdAt: test.clock.now)
        _ = try await test.storage.importUsers([bare], above: 0, isTrial: false)
        let user = try await test.auth.users.find(named: "bare")
        let error = await #expect(throws: AuthError.self) {
            try await test.auth.login.attempt("bare", password: password)
        }
        #expect(error == AuthError(.invalidCredentials, "Unauthorized Access"))
        let identity = test.auth.login.vouch(for: user, provenBy: [.hardwareKey], at: test.clock.now)
        await test.expect(.currentPasswordInvalid) {
            try await test.auth.passwords.confirm(password, for: identity)
        }
        await test.expect(.currentPasswordInvalid) {
            try await test.auth.passwords.change(from: password, to: "monty", for: identity)
        }
        // The user can do everything else, and can be given a password.
        let tokens = try await test.auth.sessions.start(for: identity)
        #expect(try await test.verify(tokens.access).authentication.methods == [.hardwareKey])
        try await test.auth.passwords.set("monty", for: user)
        _ = try await test.auth.login.identify("bare", password: "monty")
    }

    @Test func whatIsNoMethodIsNone() {
        for name in ["", "a b", "é", "a\n", String(repeating: "x", count: 33)] {
            #expect(Authentication.Method(rawValue: name) == nil)
        }
    }
}
