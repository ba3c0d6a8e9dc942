import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Raising live sessions of the user `miguel`, who signed in with the password and has an
/// authenticator app since.
@Suite struct StepUpTests {
    private let test: TestAuth
    private let app: TestApp
    /// By a token of the session.
    private let miguel: UserIdentity
    private let first: SessionTokens
    private let home = Caller(address: "198.51.100.9")

    private var login: Login { test.auth.login }

    init() async throws {
        test = try await TestAuth()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        let identity = try await test.auth.login.identify("miguel", password: "python", by: home)
        first = try await test.auth.sessions.start(for: identity, by: home)
        miguel = try await test.verify(first.access)
        app = try await test.newApp(of: miguel)
        test.clock.advance(by: 300)
    }

    private func raise(_ code: String? = nil, _ identity: UserIdentity? = nil) async throws -> AccessToken {
        try await login.raise(.code(code ?? app.nextCode()), of: identity ?? miguel, by: home)
    }

    private func methods() async throws -> [Authentication.Method]? {
        try await test.auth.sessions.list(of: 1).first { $0.id == miguel.sessionID }?.authentication.methods
    }

    @Test func aCodeRaisesTheSessionThatThereIs() async throws {
        let token = try await raise()
        let raised = try await test.verify(token)
        #expect(raised.authentication.methods == [.password, .oneTimePassword, .multipleFactors])
        #expect(raised.authentication.contextClass == "aal2")
        #expect(raised.authenticatedAt == test.clock.now)
        #expect(raised.sessionID == miguel.sessionID)
        try Requirement.secondFactor(within: 900).check(raised, at: test.clock.now)
        // Tokens of before keep what they say, and those that come later say the same.
        #expect(try await test.verify(first.access) == miguel)
        let renewed = try await test.auth.sessions.refresh(first.refresh.value)
        #expect(try await test.verify(renewed.access).authentication == raised.authentication)
        #expect(try await test.auth.sessions.list(of: 1).map(\.authentication) == [raised.authentication])
        let event = try #require(
            await test.storage.events(after: 0, limit: 100).first { $0.fields.name == "session.raised" }?.fields)
        #expect(event.userID == 1 && event.actorID == "1" && event.sessionID == miguel.sessionID)
        #expect(event.details == #"{"amr":"pwd otp mfa"}"#)
    }

    @Test func aClockThatWasSetBackMakesNoTokenRecentForEver() async throws {
        _ = try await raise()
        test.clock.advance(by: -86400)
        // The session says that it was raised tomorrow.
        let identity = try await test.verify(test.auth.sessions.refresh(first.refresh.value).access)
        for requirement in [Requirement.signedIn(within: 900), .secondFactor(within: 900)] {
            await test.expect(.insufficientUserAuthentication) { try requirement.check(identity, at: test.clock.now) }
        }
        try Requirement.secondFactor.check(identity, at: test.clock.now)
        let raised = try await test.verify(raise(app.recoveryCodes[0], identity))
        try Requirement.secondFactor(within: 900).check(raised, at: test.clock.now)
    }

    @Test(arguments: [-61, -3600, -86400 * 365])
    func aProofFromTheFutureIsNotRecent(ago: Double) throws {
        let identity = test.auth.login.vouch(
            for: User(id: 1, username: "miguel", createdAt: test.clock.now, disabledAt: nil),
            provenBy: [.password, .oneTimePassword, .multipleFactors], at: test.clock.now.addingTimeInterval(-ago))
        for requirement in [Requirement.signedIn(within: 900), .secondFactor(within: 900)] {
            #expect(throws: AuthError.self) { try requirement.check(identity, at: test.clock.now) }
        }
        let near = test.auth.login.vouch(
            for: User(id: 1, username: "miguel", createdAt: test.clock.now, disabledAt: nil),
            at: test.clock.now.addingTimeInterval(60))
        try Requirement.signedIn(within: 900).check(near, at: test.clock.now)
    }

    @Test func itIsRaisedAgainWithTheNextCode() async throws {
        _ = try await raise()
        test.clock.advance(by: 1000)
        let again = try await test.verify(raise(app.recoveryCodes[0]))
        #expect(again.authentication.methods == [.password, .oneTimePassword, .multipleFactors])
        #expect(again.authenticatedAt == test.clock.now)
    }

    @Test func theTokenEndsWithTheSession() async throws {
        let plain = try await test.auth.sessions.token(
            for: login.identify(.password(username: "miguel", password: "python", code: app.nextCode()), by: home).user
                ?? miguel, by: home)
        let identity = try await test.verify(plain)
        test.clock.advance(by: TimeInterval(plain.duration - 100))
        let token = try await raise(nil, identity)
        #expect(token.duration <= 100)
    }

    @Test func aWrongCodeRaisesNothing() async throws {
        let taken = app.nextCode()
        _ = try await login.identify(.password(username: "miguel", password: "python", code: taken), by: home)
        for code in ["000000", taken, "", "x", "0000000000"] {
            await test.expect(.invalidCode) { try await raise(code) }
        }
        await test.expect(.passkeysDisabled) { try await login.raise(.credential("{}"), of: miguel, by: home) }
        #expect(try await methods() == [.password])
        #expect(try await test.storage.throttles(of: [.oneTimeCode(of: 1)]).first?.failures == 2)
    }

    @Test func aCodeOfAnotherUsersAppRaisesNothing() async throws {
        let susan = try await test.newApp(of: login.identify("susan", password: "python", by: home))
        await test.expect(.invalidCode) { try await raise(susan.nextCode()) }
        await test.expect(.invalidCode) { try await raise(susan.recoveryCodes[0]) }
        #expect(try await methods() == [.password])
    }

    @Test func whoGuessesHasToWait() async throws {
        let train = Caller(address: "192.0.2.7")
        for _ in 0..<5 {
            await test.expect(.invalidCode) { try await login.raise(.code("000000"), of: miguel, by: train) }
        }
        await test.expect(.rateLimited) { try await login.raise(.code(app.code), of: miguel, by: train) }
        test.clock.advance(by: 30)
        _ = try await login.raise(.code(app.nextCode()), of: miguel, by: train)
        // The code says nothing of the password, so the series of the account goes on.
        #expect(
            Set(try await test.storage.throttles(after: nil, limit: 10).map(\.subject.kind)) == [.account, .network])
        #expect(try await test.storage.knownOrigin(#require(train.network), canonicalUsername: "miguel") == nil)
    }

    @Test func ofManyWithOneCodeOneRaises() async throws {
        let code = app.nextCode()
        let raised = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { (try? await raise(code)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(raised == 1)
    }

    @Test func whatIsNoLiveSessionIsNotRaised() async throws {
        let basic = try await login.identify(
            .password(username: "miguel", password: "python", code: app.nextCode()), by: home)
        await test.expect(.credentialsRequired) { try await raise(nil, basic.user) }
        let session = try #require(miguel.sessionID)
        func identity(_ presented: UserIdentity.Presented, _ user: User.ID = 1) -> UserIdentity {
            UserIdentity(
                userID: user, username: "miguel", roles: [], authentication: miguel.authentication,
                presented: presented)
        }
        let flask = identity(.flaskToken(session, expiresAt: test.clock.now.addingTimeInterval(600)))
        await test.expect(.insufficientUserAuthentication) { try await raise(nil, flask) }
        await test.expect(.invalidToken) { try await raise(nil, identity(.accessToken(session), 2)) }
        try await test.auth.users.disable(1)
        await test.expect(.invalidToken) { try await raise() }
        try await test.auth.users.enable(1)
        test.clock.advance(by: 7 * 86400)
        await test.expect(.invalidToken) { try await raise() }
    }

    @Test func aSessionThatHasEndedIsNotRaisedAndUsesUpNoCode() async throws {
        try await test.auth.sessions.end(try #require(miguel.sessionID))
        await test.expect(.invalidToken) { try await raise(app.recoveryCodes[0]) }
        #expect(try await test.auth.factors.list(of: 1).recoveryCodes == 10)
    }

    /// As that of a token of a Flask server that was traded.
    @Test func aSessionThatBeganNobodyKnowsHowIsNotRaised() async throws {
        let now = test.clock.now
        let session = Session(
            id: Samples.session(7, at: now).id, userID: 1, createdAt: now,
            authenticatedAt: Date(timeIntervalSince1970: 0), methods: [], lastUsedAt: now,
            expiresAt: now.addingTimeInterval(600), origin: SessionOrigin(), isRenewable: false)
        _ = try await test.storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 10)
        let identity = UserIdentity(
            userID: 1, username: "miguel", roles: [], authentication: session.authentication,
            presented: .accessToken(session.id))
        await test.expect(.insufficientUserAuthentication) { try await raise(nil, identity) }
        await test.expect(.insufficientUserAuthentication) {
            try await login.raise(password: "python", of: identity, by: home)
        }
    }

    @Test func oneKindOfProofTwiceIsOneFactor() async throws {
        let vouched = login.vouch(
            for: try await test.auth.users.find(1), provenBy: [.oneTimePassword], at: test.clock.now)
        let tokens = try await test.auth.sessions.start(for: vouched)
        let raised = try await test.verify(raise(nil, test.verify(tokens.access)))
        #expect(raised.authentication.methods == [.oneTimePassword])
        #expect(raised.authentication.contextClass == "aal1")
    }

    // MARK: By the password

    @Test func whoHasAFactorIsNotRaisedByThePassword() async throws {
        let refusal = await #expect(throws: AuthError.self) {
            try await login.raise(password: "python", of: miguel, by: home)
        }
        #expect(refusal?.code == .insufficientUserAuthentication && refusal?.contextClass == "aal2")
        #expect(try await methods() == [.password])
    }

    @Test func whoHasNoneIsRaisedByThePasswordToThatAlone() async throws {
        _ = try await raise()
        try await test.auth.factors.removeAll(of: 1)
        await test.expect(.currentPasswordInvalid) { try await login.raise(password: "x", of: miguel, by: home) }
        await test.expect(.invalidCode) { try await raise() }
        test.clock.advance(by: 60)
        let raised = try await test.verify(login.raise(password: "python", of: miguel, by: home))
        #expect(raised.authentication == Authentication([.password], at: test.clock.now))
        #expect(raised.sessionID == miguel.sessionID)
        #expect(throws: AuthError.self) { try Requirement.secondFactor.check(raised, at: test.clock.now) }
    }
}

@Suite struct SecondFactorRequirementTests {
    private let now = TestClock().now

    private func check(
        _ requirement: Requirement, _ methods: [Authentication.Method], age: TimeInterval = 0
    ) throws(AuthError) {
        let identity = UserIdentity(
            userID: 1, username: "miguel", roles: [],
            authentication: Authentication(methods, at: now.addingTimeInterval(-age)), presented: .password)
        try requirement.check(identity, at: now)
    }

    @Test func twoFactorsAreEnoughForAsLongAsIsAsked() throws {
        let both: [Authentication.Method] = [.password, .oneTimePassword, .multipleFactors]
        try check(.secondFactor, both, age: 1e9)
        try check(.secondFactor(within: 900), both, age: 900)
        let late = #expect(throws: AuthError.self) { try check(.secondFactor(within: 900), both, age: 901) }
        #expect(late?.code == .insufficientUserAuthentication)
        #expect(late?.maxAge == 900 && late?.contextClass == "aal2")
    }

    @Test(arguments: [
        [Authentication.Method](), [.password], [.password, .risk], [.password, .oneTimePassword], [.hardwareKey],
    ])
    func oneIsNot(methods: [Authentication.Method]) {
        let refusal = #expect(throws: AuthError.self) { try check(.secondFactor, methods) }
        #expect(refusal?.code == .insufficientUserAuthentication)
        #expect(refusal?.maxAge == nil && refusal?.contextClass == "aal2")
        #expect(throws: AuthError.self) { try check(.secondFactor(within: 900), methods) }
    }

    @Test func nobodyHasNone() {
        #expect(throws: AuthError.credentialsRequired) { try Requirement.secondFactor.check(nil, at: now) }
    }
}
