import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Signing in on a device that the user `miguel` trusts, who has an authenticator app.
@Suite struct TrustedDeviceSignInTests {
    private let test: TestAuth
    private let miguel: UserIdentity
    private let app: TestApp
    private let home = Caller(address: "198.51.100.9")
    private let train = Caller(address: "192.0.2.7")

    init() async throws {
        test = try await TestAuth()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        miguel = try await test.auth.login.identify("miguel", password: "python", by: home)
        app = try await test.newApp(of: miguel)
    }

    /// The token of a device on which both steps were given.
    private func newDevice() async throws -> String {
        guard
            case .continues(let ticket, _) = try await test.auth.login.attempt("miguel", password: "python", by: home)
        else { throw AuthError(.misconfigured, "it did not go on") }
        let identity = try await test.auth.login.answer(.code(app.nextCode()), of: ticket.value, by: home).completed()
        return try #require(await test.auth.trustedDevices.trust(identity, by: home)).token.value
    }

    private func attempt(
        _ device: String?, as name: String = "miguel", password: String = "python", by caller: Caller? = nil
    ) async throws -> SignIn {
        try await test.auth.login.attempt(name, password: password, device: device, by: caller ?? train)
    }

    private func isAskedForMore(_ device: String?) async throws -> Bool {
        if case .continues = try await attempt(device) { true } else { false }
    }

    @Test func thePasswordIsEnoughThere() async throws {
        let identity = try await attempt(newDevice()).completed()
        #expect(identity.authentication.methods == [.password, .risk])
        #expect(identity.authentication.contextClass == "aal1")
        #expect(throws: AuthError.self) { try Requirement.secondFactor.check(identity, at: test.clock.now) }
        let tokens = try await test.auth.sessions.start(for: identity, by: train)
        #expect(try await test.verify(tokens.access).authentication.methods == [.password, .risk])
    }

    @Test func whatIsNoTokenOfTheUsersDevicesIsAsGoodAsNone() async throws {
        let device = try await newDevice()
        for text in ["", "x", device + "A", String(device.dropLast()), TrustedDeviceToken().value, "é"] {
            #expect(try await isAskedForMore(text))
        }
        #expect(try await isAskedForMore(nil))
        let susan = try await test.auth.login.identify("susan", password: "python", by: home)
        let hers = try #require(await test.auth.trustedDevices.trust(susan, by: home)).token.value
        #expect(try await isAskedForMore(hers))
        // A device does not stand for the password, and not for another user.
        await test.expect(.invalidCredentials) { try await attempt(device, password: "monty") }
        await test.expect(.invalidCredentials) { try await attempt(device, as: "nobody") }
        #expect(try await attempt(device, as: "susan").completed().authentication.methods == [.password])
    }

    @Test func theTrustEnds() async throws {
        let forgotten = try await newDevice()
        try await test.auth.trustedDevices.forget(of: miguel)
        #expect(try await isAskedForMore(forgotten))
        let old = try await newDevice()
        test.clock.advance(by: 30 * 86400)
        #expect(try await isAskedForMore(old))
        let before = try await newDevice()
        try await test.auth.passwords.set("python", for: test.auth.users.find(1))
        #expect(try await isAskedForMore(before))
    }

    @Test func whoIsDisabledHasNoDevice() async throws {
        let device = try await newDevice()
        try await test.auth.users.disable(1)
        await test.expect(.invalidCredentials) { try await attempt(device) }
        // It was counted as any other guess.
        let network = try #require(train.network)
        #expect(
            Set(try await test.storage.throttles(after: nil, limit: 10).map(\.subject))
                == [.account(canonicalUsername: "miguel"), .network(network)])
    }

    @Test func withoutAFactorADeviceIsNothing() async throws {
        let device = try await newDevice()
        try await test.auth.factors.remove(app.id, of: test.proven(miguel.userID))
        #expect(try await attempt(device).completed().authentication.methods == [.password])
    }

    // MARK: Guesses

    @Test func guessesFromElsewhereNeverHoldItUp() async throws {
        let device = try await newDevice()
        for number in 0..<100 {
            let caller = Caller(address: "203.0.\(number).1")
            _ = try? await attempt(nil, password: "x", by: caller)
            test.clock.advance(by: 3600)
        }
        // As many from the same network, and for all that hashing may cost.
        let limits = ThrottleConfiguration()
        for (subject, limit) in [
            (ThrottleSubject.network(try #require(train.network)), limits.network), (.hashing, limits.hashing),
            (.oneTimeCode(of: 1), limits.factor),
        ] {
            _ = try await test.storage.countFailure(
                100_000, of: subject, other: nil, limit: limit, at: test.clock.now)
        }
        try await test.auth.throttle.budget.settle()
        await test.expect(.rateLimited) { try await attempt(nil) }
        #expect(try await attempt(device).completed().authentication.methods == [.password, .risk])
    }

    @Test func guessesOnADeviceAreCountedThereAndNowhereElse() async throws {
        let device = try await newDevice()
        for _ in 0..<10 { await test.expect(.invalidCredentials) { try await attempt(device, password: "x") } }
        #expect(try await test.storage.throttles(after: nil, limit: 10).map(\.subject) == [.device(of: 1)])
        #expect(try await isAskedForMore(nil))
        test.clock.advance(by: 30)
        #expect(try await attempt(device).completed().userID == 1)
        #expect(try await test.storage.throttles(after: nil, limit: 10).isEmpty)
    }

    @Test func aDeviceThatWasGuessedOnTooOftenIsAsGoodAsNone() async throws {
        let device = try await newDevice()
        _ = try await test.storage.countFailure(
            100, of: .device(of: 1), other: nil, limit: ThrottleConfiguration().account, at: test.clock.now)
        // The owner goes on as without it, with a second factor.
        #expect(try await isAskedForMore(device))
        // Whoever has the token is counted as anybody else, and held up there.
        for _ in 0..<10 { await test.expect(.invalidCredentials) { try await attempt(device, password: "x") } }
        let refusal = await #expect(throws: AuthError.self) { try await attempt(device) }
        #expect(refusal?.code == .rateLimited && refusal?.policy?.name == "account")
        #expect(try await test.auth.login.attempt("miguel", password: "python", device: device, by: home).isContinued)
        // Years later it is still not trusted, until an operator lifts it.
        test.clock.advance(by: 20 * 86400)
        #expect(try await isAskedForMore(device))
        try await test.auth.throttle.clear(.device(of: 1))
        #expect(try await attempt(device).completed().authentication.methods == [.password, .risk])
    }

    @Test func aNameThatNobodyHasCostsAsManyQueriesAsOneThatSomebodyHas() async throws {
        let device = try await newDevice()
        func cost(_ name: String, _ device: String?) async throws -> Int {
            try await test.storage.countingStatements {
                await test.expect(.invalidCredentials) { try await attempt(device, as: name, password: "x") }
            }
        }
        // The first ones store rows that the next ones change.
        for name in ["susan", "nobody"] { _ = try await cost(name, device) }
        let (susan, nobody) = try await (cost("susan", device), cost("nobody", device))
        #expect(susan - (try await cost("susan", nil)) == nobody - (try await cost("nobody", nil)))
        #expect(susan == nobody)
    }

    @Test func whoIsTrustedIsRecordedAsTheUser() async throws {
        _ = try await newDevice()
        let events = try await test.storage.events(after: 0, limit: 100).filter { $0.fields.name == "device.trusted" }
        #expect(events.map(\.fields.userID) == [1])
        #expect(events.map(\.fields.actorID) == ["1"])
    }
}

extension SignIn {
    fileprivate var isContinued: Bool { if case .continues = self { true } else { false } }
}
