import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// The doors of second factors, over SQLite in memory. Signing in with them is tested with the
/// login.
@Suite struct FactorsTests {
    private let test: TestAuth
    private let miguel: UserIdentity
    private let home = Caller(address: "192.0.2.7", userAgent: "curl/8")

    private var factors: Factors { test.auth.factors }
    /// The user as after a sign-in with two factors at this moment.
    private var proven: UserIdentity { get async throws { try await test.proven(miguel.userID) } }

    init() async throws {
        test = try await TestAuth { $0.totpIssuer = "Example" }
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        miguel = try await test.auth.login.identify("miguel", password: "python", by: home)
    }

    /// The code that an app shows which has scanned our picture.
    private func code(_ app: Factors.NewTOTP, after seconds: TimeInterval = 0) throws -> String {
        let secret = try #require(Base32.decode(app.secret.utf8).flatMap(TOTPSecret.init))
        return secret.code(for: TOTP.step(at: test.clock.now.addingTimeInterval(seconds))).value
    }

    /// A confirmed app, and the recovery codes that came with it.
    private func newApp(_ name: String = "phone") async throws -> (app: Factors.NewTOTP, codes: [String]?) {
        let miguel = try await proven
        let app = try await factors.add(name, of: miguel)
        return (app, try await factors.confirm(app.id, code: code(app), of: miguel, by: home))
    }

    private func take(_ answer: String, of user: User.ID? = nil) async throws -> FactorDescription? {
        try await factors.take(.code(answer), of: user ?? miguel.userID, by: home)
    }

    private func recorded(_ name: AuthEvent.Name) async throws -> Int {
        try await test.storage.events(after: 0, limit: 100).filter { $0.fields.name == name.rawValue }.count
    }

    // MARK: Adding

    @Test func anAppIsAskedForOnceItsFirstCodeHasCome() async throws {
        let app = try await factors.add("phone", of: miguel)
        #expect(app.uri == "otpauth://totp/Example:miguel?secret=\(app.secret)&issuer=Example")
        #expect("\(app)" == "redacted")
        #expect(try await factors.descriptions(of: miguel.userID).isEmpty)
        #expect(try await take(code(app)) == nil)
        let codes = try #require(try await factors.confirm(app.id, code: code(app), of: miguel, by: home))
        #expect(codes.count == 10 && codes.allSatisfy { RecoveryCode($0) != nil })
        let expected = [FactorDescription.totp(id: app.id, name: "phone"), .recoveryCodes]
        #expect(try await factors.descriptions(of: miguel.userID) == expected)
        for name in [AuthEvent.Name.factorAdded, .recoveryCodesMade] { #expect(try await recorded(name) == 1) }
    }

    @Test func theSecretLiesEncryptedForItsRow() async throws {
        let (app, _) = try await newApp()
        let stored = try #require(try await factors.list(of: miguel.userID).totp.first)
        let secret = try #require(Base32.decode(app.secret.utf8))
        #expect(!stored.sealed.indices.contains { stored.sealed[$0...].starts(with: secret.prefix(4)) })
        #expect(stored.sealed.count == 48)
    }

    @Test func aWrongCodeConfirmsNothing() async throws {
        let app = try await factors.add("phone", of: miguel)
        let other = try await factors.add("tablet", of: test.auth.login.identify("susan", password: "python"))
        for code in try ["", "x", "12345", code(other), code(app, after: 90), code(app, after: -90), " " + code(app)] {
            await test.expect(.invalidCode) { try await factors.confirm(app.id, code: code, of: miguel, by: home) }
        }
        #expect(try await factors.descriptions(of: miguel.userID).isEmpty)
        #expect(try await recorded(.factorAdded) == 0)
    }

    @Test func wrongFirstCodesAreCounted() async throws {
        let app = try await factors.add("phone", of: miguel)
        var count = 0
        func refusal() async throws -> AuthError.Code? {
            do {
                _ = try await factors.confirm(app.id, code: "x", of: miguel, by: home)
                return nil
            } catch let error as AuthError {
                return error.code
            }
        }
        while try await refusal() == .invalidCode, count < 100 { count += 1 }
        #expect((1..<100).contains(count))
        // Also the right one.
        let error = await #expect(throws: AuthError.self) {
            try await factors.confirm(app.id, code: code(app), of: miguel, by: home)
        }
        #expect(error?.code == .rateLimited && error?.detail.contains("too many wrong codes") == true)
    }

    @Test func anAppIsConfirmedByItsUserInAnHour() async throws {
        let susan = try await test.auth.login.identify("susan", password: "python", by: home)
        let app = try await factors.add("phone", of: miguel)
        await test.expect(.factorNotFound) { try await factors.confirm(app.id, code: code(app), of: susan) }
        for id in ["", "x", app.id + "\0", app.id.lowercased()] {
            await test.expect(.factorNotFound) { try await factors.confirm(id, code: code(app), of: miguel) }
        }
        test.clock.advance(by: 3601)
        await test.expect(.factorNotFound) { try await factors.confirm(app.id, code: code(app), of: proven) }
        let next = try await factors.add("phone", of: proven)
        test.clock.advance(by: 3599)
        _ = try await factors.confirm(next.id, code: code(next), of: proven)
        await test.expect(.factorNotFound) { try await factors.confirm(next.id, code: code(next), of: proven) }
    }

    @Test func aUserHasFiveAppsAtMost() async throws {
        for number in 1...Factors.limit { _ = try await newApp("app \(number)") }
        await test.expect(.tooManyFactors) { try await factors.add("another", of: proven) }
        #expect(try await factors.descriptions(of: miguel.userID).count == Factors.limit + 1)
        for name in ["", "a\n", String(repeating: "x", count: 65)] {
            await test.expect(.validationFailed) { try await factors.add(name, of: proven) }
        }
    }

    // MARK: Codes

    @Test func theFirstCodeSignsNobodyInAndEveryOtherOnce() async throws {
        let (app, _) = try await newApp()
        let first = try code(app)
        #expect(try await take(first) == nil)
        test.clock.advance(by: 30)
        #expect(try await take(first) == nil)
        let second = try code(app)
        #expect(try await take(second, of: miguel.userID + 1) == nil)
        #expect(try await take(second)?.id == app.id)
        #expect(try await take(second) == nil)
        #expect(try await take(code(app, after: 30))?.id == app.id)
        #expect(try await take(second) == nil)
    }

    @Test func afterAClockWasSetBackNoCodeIsTakenUntilItIsThereAgain() async throws {
        let (app, _) = try await newApp()
        test.clock.advance(by: -3600)
        for _ in 0..<4 {
            #expect(try await take(code(app)) == nil)
            test.clock.advance(by: 900)
        }
        test.clock.advance(by: 30)
        #expect(try await take(code(app))?.id == app.id)
    }

    @Test func ofTenWhoBringOneCodeAtOnceOneIsLetIn() async throws {
        let (app, codes) = try await newApp()
        test.clock.advance(by: 30)
        for answer in [try code(app), try #require(codes?.first)] {
            let taken = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<10 { group.addTask { (try? await take(answer)) ?? nil != nil } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 1)
        }
    }

    @Test func eachOfSeveralAppsIsKnownByItsCode() async throws {
        let (phone, _) = try await newApp("phone")
        let (tablet, codes) = try await newApp("tablet")
        #expect(codes == nil)
        test.clock.advance(by: 60)
        #expect(try await take(code(tablet))?.name == "tablet")
        #expect(try await take(code(phone))?.name == "phone")
        #expect(try await take(code(tablet)) == nil)
    }

    @Test func aRecoveryCodeIsTakenOnceHoweverItIsTyped() async throws {
        let codes = try #require(try await newApp().codes)
        #expect(try await take(codes[0], of: miguel.userID + 1) == nil)
        #expect(try await take(codes[0].lowercased().replacing("-", with: " ")) == .recoveryCodes)
        #expect(try await take(codes[0]) == nil)
        #expect(try await factors.list(of: miguel.userID).recoveryCodes == 9)
        let next = try await factors.makeRecoveryCodes(of: proven, by: home)
        #expect(try await take(codes[1]) == nil)
        #expect(try await take(next[1]) == .recoveryCodes)
        #expect(try await recorded(.recoveryCodeUsed) == 2)
        for answer in ["", "x", "12345", "0000000000", "U0000-00000"] { #expect(try await take(answer) == nil) }
    }

    @Test func withoutAnAppThereAreNoRecoveryCodes() async throws {
        await test.expect(.factorNotFound) { try await factors.makeRecoveryCodes(of: miguel) }
        _ = try await factors.add("phone", of: miguel)
        await test.expect(.factorNotFound) { try await factors.makeRecoveryCodes(of: miguel) }
    }

    // MARK: Removing

    @Test func anAppIsRemovedByItsUserAndAllByAnOperator() async throws {
        let (app, codes) = try await newApp()
        let susan = try await test.auth.login.identify("susan", password: "python", by: home)
        await test.expect(.factorNotFound) { try await factors.remove(app.id, of: susan) }
        await test.expect(.factorNotFound) { try await factors.remove("x", of: proven) }
        try await factors.remove(app.id, of: proven, by: home)
        await test.expect(.factorNotFound) { try await factors.remove(app.id, of: proven) }
        #expect(try await factors.descriptions(of: miguel.userID).isEmpty)
        #expect(try await take(#require(codes?.first)) == nil)
        await test.expect(.factorNotFound) { try await factors.removeAll(of: miguel.userID) }
        _ = try await newApp()
        try await factors.removeAll(of: miguel.userID)
        #expect(try await factors.descriptions(of: miguel.userID).isEmpty)
        for name in [AuthEvent.Name.factorRemoved, .factorsRemoved] { #expect(try await recorded(name) == 1) }
    }

    // MARK: Trusted devices

    @Test func aDeviceIsTrustedForItsUserUntilThePasswordIsAnother() async throws {
        _ = try await newApp()
        let devices = test.auth.trustedDevices
        let trust = try #require(try await devices.trust(miguel, by: home))
        #expect(trust.duration == 30 * 86400)
        #expect(try await devices.use(trust.token.value, of: miguel.userID))
        #expect(try await devices.find(trust.token.value, of: miguel.userID)?.origin == home.origin)
        #expect(try await !devices.use(trust.token.value, of: miguel.userID + 1))
        for text in ["", "x", trust.token.value + "A", TrustedDeviceToken().value] {
            #expect(try await !devices.use(text, of: miguel.userID))
            #expect(try await devices.find(text, of: miguel.userID) == nil)
        }
        try await test.auth.passwords.set("monty", for: test.auth.users.find(miguel.userID))
        #expect(try await !devices.use(trust.token.value, of: miguel.userID))
        // Who gave the password before comes too late.
        #expect(try await devices.trust(miguel, by: home) == nil)
    }

    @Test func aDeviceIsForgotten() async throws {
        _ = try await newApp()
        let devices = test.auth.trustedDevices
        let trust = try #require(try await devices.trust(miguel, by: home))
        let id = try #require(try await devices.list(of: miguel.userID).first?.id)
        await test.expect(.deviceNotFound) { try await devices.forget("x", of: miguel) }
        try await devices.forget(id, of: miguel, by: home)
        await test.expect(.deviceNotFound) { try await devices.forget(id, of: miguel) }
        try await devices.forget(of: miguel)
        #expect(try await !devices.use(trust.token.value, of: miguel.userID))
    }

    @Test func aTokenAloneIsWorthNothing() async throws {
        // Who came with a token gave no password just now.
        let tokens = try await test.auth.sessions.start(for: miguel)
        let identity = try await test.verify(tokens.access)
        #expect(try await test.auth.trustedDevices.trust(identity, by: home) == nil)
    }
}
