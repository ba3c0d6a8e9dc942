import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// An authenticator app of a user, which shows the codes of the test's clock.
struct TestApp {
    let id: FactorDescription.ID
    let secret: TOTPSecret
    let clock: TestClock
    let recoveryCodes: [String]

    /// The code that was never shown before: the clock goes on by a step, since no code is taken
    /// twice.
    func nextCode() -> String {
        clock.advance(by: TimeInterval(TOTP.period))
        return code
    }

    /// The code that is shown now.
    var code: String { secret.code(for: TOTP.step(at: clock.now)).value }
}

extension TestAuth {
    /// The user as after a sign-in with two factors at this moment.
    func proven(_ id: User.ID) async throws -> UserIdentity {
        auth.login.vouch(
            for: try await auth.users.find(id), provenBy: [.password, .oneTimePassword, .multipleFactors],
            at: clock.now)
    }

    /// Adds a confirmed app to a user.
    func newApp(of user: UserIdentity, _ name: String = "phone") async throws -> TestApp {
        let user = try await proven(user.userID)
        let new = try await auth.factors.add(name, of: user)
        let secret = try #require(Base32.decode(new.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: clock.now)).value
        let codes = try await auth.factors.confirm(new.id, code: code, of: user)
        return TestApp(id: new.id, secret: secret, clock: clock, recoveryCodes: codes ?? [])
    }
}
