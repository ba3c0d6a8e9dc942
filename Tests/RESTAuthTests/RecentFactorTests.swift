import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Changes of how an account is protected, which need a factor given lately: of `miguel`, who has
/// an app, and of `susan`, who has none.
@Suite struct RecentFactorTests {
    private let test: TestAuth
    private let app: TestApp

    private var factors: Factors { test.auth.factors }

    init() async throws {
        test = try await TestAuth()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        app = try await test.newApp(of: test.proven(1))
    }

    /// A change, with its refusal when nothing else is wrong with it.
    private struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let run: @Sendable (TestAuth, UserIdentity) async throws -> Void

        static let adding = [
            Change("add") { _ = try await $0.auth.factors.add("tablet", of: $1) },
            Change("confirm") { _ = try await $0.auth.factors.confirm("x", code: "000000", of: $1) },
        ]
        static let others = [
            Change("remove") { try await $0.auth.factors.remove("x", of: $1) },
            Change("recovery codes") { _ = try await $0.auth.factors.makeRecoveryCodes(of: $1) },
            Change("password") { try await $0.auth.passwords.change(from: "python", to: "monty", for: $1) },
            Change("account") { try await $0.auth.users.deleteAccount(of: $1, confirming: "python") },
        ]
        static let all = adding + others

        init(_ name: String, _ run: @escaping @Sendable (TestAuth, UserIdentity) async throws -> Void) {
            (testDescription, self.run) = (name, run)
        }
    }

    private func identity(
        _ user: User.ID, _ methods: [Authentication.Method], ago seconds: TimeInterval = 0
    ) async throws -> UserIdentity {
        test.auth.login.vouch(
            for: try await test.auth.users.find(user), provenBy: methods, at: test.clock.now - seconds)
    }

    private static let twoFactors: [Authentication.Method] = [.password, .oneTimePassword, .multipleFactors]

    private func expectRefusal(_ change: Change, by identity: UserIdentity, contextClass: String?) async throws {
        let error = await #expect(throws: AuthError.self, "\(change.testDescription)") {
            try await change.run(test, identity)
        }
        #expect(error?.code == .insufficientUserAuthentication, "\(change.testDescription)")
        #expect(error?.maxAge == 900 && error?.contextClass == contextClass)
        #expect(try await factors.list(of: 1).totp.map(\.id) == [app.id])
        #expect(try await factors.list(of: 1).recoveryCodes == 10)
        #expect(try await factors.list(of: 2).totp.isEmpty)
        for user in [User.ID(1), 2] { #expect(try await test.storage.credentials(user: user)?.passwordVersion == 1) }
    }

    private static func methods(_ names: String) -> [Authentication.Method] {
        names.split(separator: " ").compactMap { Authentication.Method(rawValue: String($0)) }
    }

    @Test(arguments: Change.all, ["pwd", "pwd rba", "pwd otp", "hwk", ""])
    private func aSignInWithoutTheFactorChangesNothing(change: Change, names: String) async throws {
        try await expectRefusal(change, by: identity(1, Self.methods(names)), contextClass: "aal2")
    }

    @Test(arguments: Change.all, [901, 86400])
    private func aFactorThatWasGivenLongAgoChangesNothing(change: Change, seconds: TimeInterval) async throws {
        try await expectRefusal(change, by: identity(1, Self.twoFactors, ago: seconds), contextClass: "aal2")
    }

    @Test(arguments: Change.adding, [901, 86400])
    private func aPasswordThatWasGivenLongAgoAddsNoFirstFactor(change: Change, seconds: TimeInterval) async throws {
        for names in ["pwd", "", "pwd otp mfa"] {
            try await expectRefusal(
                change, by: identity(2, Self.methods(names), ago: seconds), contextClass: nil)
        }
    }

    /// What is refused for another reason was not refused for this one.
    @Test(arguments: Change.all)
    private func aFactorGivenLatelyChangesEverything(change: Change) async throws {
        let identity = try await identity(1, Self.twoFactors, ago: 900)
        do {
            try await change.run(test, identity)
        } catch let error as AuthError {
            #expect(error.code == .factorNotFound)
        }
    }

    @Test(arguments: Change.others)
    private func whoHasNoFactorNeedsNone(change: Change) async throws {
        let identity = try await identity(2, [.password], ago: 86400)
        do {
            try await change.run(test, identity)
        } catch let error as AuthError {
            #expect(error.code == .factorNotFound)
        }
    }

    @Test func theFirstFactorIsAddedByAPasswordGivenLately() async throws {
        let new = try await factors.add("phone", of: identity(2, [.password], ago: 900))
        let secret = try #require(Base32.decode(new.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: test.clock.now)).value
        let susan = try await identity(2, [.password], ago: 900)
        #expect(try await factors.confirm(new.id, code: code, of: susan)?.count == 10)
        // From then on it takes the factor.
        await test.expect(.insufficientUserAuthentication) { try await factors.add("tablet", of: susan) }
    }

    @Test func aSessionBeforeTheFactorChangesNothing() async throws {
        let tokens = try await test.signIn("susan")
        let identity = try await test.verify(tokens.access)
        _ = try await test.newApp(of: identity)
        for change in Change.all {
            await test.expect(.insufficientUserAuthentication) { try await change.run(test, identity) }
        }
    }

    /// A missing factor is told before a password is compared, or a guess counted.
    @Test func aWrongPasswordIsNotComparedWithoutTheFactor() async throws {
        let identity = try await identity(1, [.password])
        for password in ["python", "x", ""] {
            await test.expect(.insufficientUserAuthentication) {
                try await test.auth.passwords.change(from: password, to: "monty", for: identity)
            }
            await test.expect(.insufficientUserAuthentication) {
                try await test.auth.users.deleteAccount(of: identity, confirming: password)
            }
        }
        #expect(try await test.storage.throttles(after: nil, limit: 10).isEmpty)
    }

    @Test func aPasswordBesideACodeIsRecent() async throws {
        let credentials = Credentials.password(username: "miguel", password: "python", code: app.nextCode())
        let identity = try #require(try await test.auth.login.identify(credentials).user)
        #expect(try await factors.makeRecoveryCodes(of: identity).count == 10)
        _ = try await test.auth.passwords.change(from: "python", to: "monty", for: identity)
    }
}

/// Where no factor can be added.
@Suite struct NoFactorsTests {
    @Test func nothingIsAddedAndWhatIsThereIsAskedFor() async throws {
        let before = try await TestAuth()
        for name in ["miguel", "susan"] { _ = try await before.auth.users.register(name, password: "python") }
        let app = try await before.newApp(of: before.proven(1))
        let begun = try await before.auth.factors.add("phone", of: before.proven(2))
        let secret = try #require(Base32.decode(begun.secret.utf8).flatMap(TOTPSecret.init))

        let test = try await TestAuth(
            over: before.storage, secret: #require(before.auth.configuration.secret), clock: before.clock
        ) { $0.secondFactor.mode = .off }
        let factors = test.auth.factors
        for user in [User.ID(1), 2] {
            await test.expect(.forbidden) { try await factors.add("tablet", of: test.proven(user)) }
        }
        let code = secret.code(for: TOTP.step(at: test.clock.now)).value
        await test.expect(.forbidden) { try await factors.confirm(begun.id, code: code, of: test.proven(2)) }
        await test.expect(.mfaRequired) { try await test.auth.login.identify("miguel", password: "python") }
        guard case .continues(let ticket, _) = try await test.auth.login.attempt("miguel", password: "python") else {
            Issue.record("it did not go on")
            return
        }
        _ = try await test.auth.login.answer(.code(app.nextCode()), of: ticket.value)
        #expect(try await factors.makeRecoveryCodes(of: test.proven(1)).count == 10)
        try await factors.remove(app.id, of: test.proven(1))
        #expect(try await test.auth.login.identify("miguel", password: "python").userID == 1)
    }
}
