import Foundation
import RESTAuth
import Testing

/// Secret values never reveal themselves, in any form of output.
@Suite struct RedactedTests {
    private static let secret = "0f3c9d71a8b24e6f95c07d1be8a63f42"

    /// Everything that a value shows: as text, in the debugger, reflected and dumped.
    private func shown(_ value: any Redacted) -> String {
        var dumped = ""
        dump(value, to: &dumped)
        let children = value.customMirror.children.map { "\($0)" }.joined()
        return "\(value) \(String(reflecting: value)) \(String(describing: Optional(value))) \(children) \(dumped)"
    }

    @Test func whatIsGivenShowsNothing() throws {
        let secret = Self.secret
        let values: [any Redacted] = [
            try Password(secret), try InstanceSecret(secret), try LegacySecret(secret), try GivenText(secret.utf8),
            Credentials.password(username: "miguel", password: secret), Credentials.token(Array(secret.utf8)),
            FactorResponse.code(secret), FactorResponse.credential(secret),
            RegistrationProof(invitation: secret, challenge: secret, nonce: secret),
            ForeignUser(place: .line(3), username: "miguel", passwordHash: secret),
            try ImportableUser(id: 1, name: Username("miguel"), passwordHash: secret, createdAt: .now),
            StoredCredentials(
                user: User(id: 1, username: "miguel", createdAt: .now, disabledAt: nil), passwordHash: secret,
                passwordVersion: 1),
        ]
        for value in values {
            #expect(!shown(value).contains(secret), "\(type(of: value))")
            #expect(value.customMirror.children.isEmpty, "\(type(of: value))")
        }
        #expect(values.map { "\($0)" } == values.map { $0 is ForeignUser ? "line 3" : "redacted" })
    }

    @Test func whatIsMadeShowsNothing() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session()
        let client = try await test.auth.clients.add("gateway")
        let (_, code) = try await test.auth.registration.invite()
        let values: [(any Redacted, String)] = [
            (tokens.access, tokens.access.value), (tokens.refresh, tokens.refresh.value), (client, client.value),
            (code, code.value),
        ]
        for (value, secret) in values {
            #expect(!shown(value).contains(secret))
            #expect("\(value)" == "redacted")
        }
        #expect(!"\(tokens)".contains(tokens.refresh.value))
    }

    /// Secrets of factors, each with the texts that must not show.
    @Test func factorsShowNothing() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        let miguel = try await test.auth.login.identify("miguel", password: "python")
        let new = try await test.auth.factors.add("phone", of: miguel)
        let app = try await test.newApp(of: miguel)
        guard case .continues(let ticket, _) = try await test.auth.login.attempt("miguel", password: "python") else {
            Issue.record("no second factor was asked for")
            return
        }
        let trust = try #require(try await test.auth.trustedDevices.trust(miguel, by: .application))
        let (typed, recoveryCode) = ("492039", app.recoveryCodes[0])
        let key = RecoveryKey()
        let digest = key.digest(of: try #require(RecoveryCode(recoveryCode)))
        let values: [(any Redacted, [String])] = [
            (new, [new.secret, new.uri]), (app.secret, [app.secret.base32, "SymmetricKey"]),
            (OTPAuthURI(issuer: "example.com", account: "miguel", secret: app.secret), [app.secret.base32, "example"]),
            (try #require(OneTimeCode(typed)), [typed, "[52"]),
            (try #require(RecoveryCode(recoveryCode)), [recoveryCode, "characters"]),
            (try #require(FactorAnswer(typed)), [typed, "oneTimeCode"]),
            (try #require(FactorAnswer(recoveryCode)), [recoveryCode, "recoveryCode"]),
            (key, ["\(digest)", "SymmetricKey"]), (ticket, [ticket.value]), (trust.token, [trust.token.value]),
            (Credentials.password(username: "miguel", password: "python", code: typed), ["python", typed]),
        ]
        for (value, secrets) in values {
            for secret in secrets { #expect(!shown(value).contains(secret), "\(type(of: value))") }
            #expect("\(value)" == "redacted" && value.customMirror.children.isEmpty, "\(type(of: value))")
        }
    }
}
