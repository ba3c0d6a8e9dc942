import Foundation
import Metrics
import MetricsTestKit
import RESTAuth
import RESTAuthTesting
import Synchronization
import Testing

/// A sign-in with a second factor, made for the test: some users have a code, which is right each
/// time.
@Suite struct SignInTests {
    private static let code = "123456"

    /// Users with the factor, and the number of answers that were checked.
    private final class Codes: Sendable {
        let owners = Mutex<Set<User.ID>>([1])
        let looks = Mutex(0)

        var factor: Factor {
            Factor(name: "code", method: .oneTimePassword) { user in
                self.owners.withLock { $0.contains(user) }
            } isRight: { answer, _ in
                self.looks.withLock { $0 += 1 }
                return answer == SignInTests.code
            }
        }
    }

    private let codes = Codes()
    private let test: TestAuth
    private let home = Caller(address: "192.0.2.7")

    init() async throws {
        let codes = self.codes
        test = try await TestAuth { $0.factors = [codes.factor] }
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
    }

    private func ticket(by caller: Caller? = nil) async throws -> String {
        let signIn = try await test.auth.login.attempt("miguel", password: "python", by: caller ?? home)
        guard case .continues(let ticket, let factors) = signIn else {
            Issue.record("it did not go on")
            return ""
        }
        #expect(factors.map(\.name) == ["code"] && factors.map(\.method) == [.oneTimePassword])
        return ticket.value
    }

    private func answer(_ ticket: String, _ code: String = SignInTests.code, by caller: Caller? = nil) async throws
        -> SignIn
    {
        try await test.auth.login.answer(code, to: "code", of: ticket, by: caller ?? home)
    }

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

    @Test func whoHasNoFactorIsDoneWithThePassword() async throws {
        let identity = try await test.auth.login.attempt("susan", password: "python", by: home).completed()
        #expect(identity.authentication.methods == [.password])
        #expect(codes.looks.withLock { $0 } == 0)
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
        for code in [Self.code, "000000"] { await test.expect(.ticketExpired) { try await answer(ticket, code) } }
        #expect(codes.looks.withLock { $0 } == 1)
    }

    @Test func ofManyWhoAnswerAtOnceOneSignsIn() async throws {
        let ticket = try await ticket()
        let completed = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<10 { group.addTask { (try? await answer(ticket).completed()) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(completed == 1)
        #expect(codes.looks.withLock { $0 } <= SignInTicket.tries)
    }

    @Test func aTicketIsGoodForFiveAnswers() async throws {
        let ticket = try await ticket()
        for _ in 1..<SignInTicket.tries { await test.expect(.invalidCode) { try await answer(ticket, "000000") } }
        _ = try await answer(ticket)
        let next = try await self.ticket()
        for _ in 0..<SignInTicket.tries { await test.expect(.invalidCode) { try await answer(next, "000000") } }
        await test.expect(.ticketExpired) { try await answer(next) }
        #expect(codes.looks.withLock { $0 } == 2 * SignInTicket.tries)
    }

    @Test func aTicketIsGoodForTenMinutes() async throws {
        let ticket = try await ticket()
        test.clock.advance(by: 599)
        _ = try await answer(ticket)
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
        #expect(codes.looks.withLock { $0 } == 0)
    }

    @Test func whatIsNoTicketOfOursIsRefused() async throws {
        let ticket = try await ticket()
        let bytes = try #require(Base64.url.decode(ticket.utf8))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            await test.expect(.ticketExpired) { try await answer(Base64.url.encode(changed)) }
        }
        let elsewhere = try await TestAuth { $0.factors = [codes.factor] }
        _ = try await elsewhere.auth.users.register("miguel", password: "python")
        await elsewhere.expect(.ticketExpired) {
            try await elsewhere.auth.login.answer(Self.code, to: "code", of: ticket, by: home)
        }
        for text in ["", "x", ticket + "A", String(ticket.dropLast()), String(repeating: "A", count: 96), "é"] {
            await test.expect(.ticketExpired) { try await answer(text) }
        }
        #expect(codes.looks.withLock { $0 } == 0)
    }

    @Test(arguments: ["", "Code", "otp", "code\0"])
    func aFactorThatTheUserHasNotIsNotFound(name: String) async throws {
        let ticket = try await ticket()
        await test.expect(.factorNotFound) {
            try await test.auth.login.answer(Self.code, to: name, of: ticket, by: home)
        }
        codes.owners.withLock { $0 = [] }
        await test.expect(.factorNotFound) { try await answer(ticket) }
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
    @Test func aTokenAndThePasswordAreNoFreshSignInForWhoHasAFactor() async throws {
        codes.owners.withLock { $0 = [] }
        let tokens = try await test.auth.sessions.start(
            for: test.auth.login.attempt("miguel", password: "python", by: home).completed(), by: home)
        let identity = try await test.verify(tokens.access)
        codes.owners.withLock { $0 = [1] }
        test.clock.advance(by: 300)
        let changed = try await change(identity)
        #expect(changed.authentication == identity.authentication)
        #expect(throws: AuthError.self) { try Requirement.signedIn(within: 60).check(changed, at: test.clock.now) }
    }

    @Test func aSignInOfTwoFactorsStaysOneWhenTheFactorIsGone() async throws {
        let identity = try await session()
        codes.owners.withLock { $0 = [] }
        test.clock.advance(by: 300)
        #expect(try await change(identity).authentication == identity.authentication)
    }

    @Test func whoHasOnlyThePasswordHasGivenItNow() async throws {
        codes.owners.withLock { $0 = [] }
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
