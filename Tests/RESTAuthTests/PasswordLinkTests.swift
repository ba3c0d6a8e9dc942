import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthTesting
import Testing

/// Links by which users set their passwords.
@Suite struct PasswordLinkTests {
    private let test: TestAuth
    private let user: User

    init() async throws {
        test = try await TestAuth { $0.passwordLinkURL = "https://example.com/password?lang=en" }
        user = try await test.auth.users.add("miguel", password: nil)
    }

    private func reset(_ token: String, _ password: String = "monty", at other: TestAuth? = nil) async throws {
        try await (other ?? test).auth.passwords.reset(
            to: password, with: token, by: Caller(address: "192.0.2.1", userAgent: "curl"))
    }

    @Test func whoHasTheLinkSetsThePasswordOnceAndEveryEarlierLinkIsGone() async throws {
        let (link, other) = (
            try await test.auth.passwords.makeLink(for: user.id), try await test.auth.passwords.makeLink(for: user.id)
        )
        #expect(link.url == "https://example.com/password?lang=en#\(link.token)")
        #expect(link.expiresAt == test.clock.now + 86400)
        #expect(link.token != other.token && link.token.utf8.count == 96)
        #expect("\(link)".contains(link.token) == false)
        await test.expect(.invalidCredentials) { try await test.auth.login.identify("miguel", password: "monty") }
        try await reset(link.token)
        _ = try await test.auth.login.identify("miguel", password: "monty")
        await test.expect(.linkInvalid) { try await reset(link.token, "again") }
        await test.expect(.linkInvalid) { try await reset(other.token, "again") }
        let events = try await test.auth.auditTrail.events(of: user.id, before: nil, limit: 10)
        #expect(events.map(\.name) == [.passwordReset, .passwordLinkMade, .passwordLinkMade, .userRegistered])
        #expect(events.first?.actor == "anonymous" && events.first?.origin.address == "192.0.2.1")
    }

    @Test func allSessionsEndAndTheSeriesOfWrongPasswords() async throws {
        try await reset(test.auth.passwords.makeLink(for: user.id).token, "python")
        let tokens = try await test.signIn()
        try await reset(test.auth.passwords.makeLink(for: user.id).token, "monty")
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
    }

    @Test func theSecondFactorIsStillAskedFor() async throws {
        try await reset(test.auth.passwords.makeLink(for: user.id).token, "python")
        _ = try await test.newApp(of: test.proven(user.id))
        try await reset(test.auth.passwords.makeLink(for: user.id).token)
        await test.expect(.mfaRequired) { try await test.auth.login.identify("miguel", password: "monty") }
    }

    @Test func ofTwoWhoUseALinkAtOnceOneDoes() async throws {
        let link = try await test.auth.passwords.makeLink(for: user.id)
        let count = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<4 { group.addTask { (try? await reset(link.token, "password \(number)")) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 1)
    }

    @Test func aLinkIsOfNoUseAfterADayAnotherPasswordAndForADisabledUser() async throws {
        let links = try await [
            test.auth.passwords.makeLink(for: user.id), test.auth.passwords.makeLink(for: user.id),
        ]
        try await test.auth.users.disable(user.id)
        await test.expect(.linkInvalid) { try await reset(links[0].token) }
        try await test.auth.users.enable(user.id)
        test.clock.advance(by: 86399)
        // A password that is refused uses no link up.
        await test.expect(.validationFailed) { try await reset(links[0].token, "") }
        try await reset(links[0].token, "python")
        let late = try await test.auth.passwords.makeLink(for: user.id)
        test.clock.advance(by: 86400)
        await test.expect(.linkInvalid) { try await reset(late.token) }
        let replaced = try await test.auth.passwords.makeLink(for: user.id)
        try await test.auth.passwords.set("set", for: user)
        await test.expect(.linkInvalid) { try await reset(replaced.token) }
        let deleted = try await test.auth.passwords.makeLink(for: user.id)
        try await test.auth.users.delete(user.id)
        await test.expect(.linkInvalid) { try await reset(deleted.token) }
        await test.expect(.userNotFound) { try await test.auth.passwords.makeLink(for: user.id) }
    }

    /// Who handed it out could not have changed an operator, nor may who was one keep a way in.
    @Test func aLinkIsVoidOnceItsUserIsAnOperatorOrIsOneNoMore() async throws {
        let before = try await test.auth.passwords.makeLink(for: user.id)
        try await test.auth.users.grant(Role.operator, to: user.id)
        await test.expect(.linkInvalid) { try await reset(before.token) }
        let meanwhile = try await test.auth.passwords.makeLink(for: user.id)
        try await test.auth.users.revoke(Role.operator, from: user.id)
        await test.expect(.linkInvalid) { try await reset(meanwhile.token) }
        try await test.auth.users.grant("admin", to: user.id)
        try await reset(before.token)
    }

    @Test func aLinkOfAnotherInstanceIsNone() async throws {
        let foreign = try await TestAuth()
        _ = try await foreign.auth.users.add("miguel", password: nil)
        let link = try await foreign.auth.passwords.makeLink(for: 1)
        #expect(link.url == nil)
        await test.expect(.linkInvalid) { try await reset(link.token) }
        // One with the same secret by mistake, and another name.
        let secret = try #require(foreign.auth.configuration.secret)
        let twin = try await TestAuth(over: foreign.storage, secret: secret) { $0.issuer = "https://twin.example" }
        await test.expect(.linkInvalid) { try await reset(link.token, at: twin) }
        try await reset(link.token, at: foreign)
    }

    @Test func whatIsNoLinkIsRefused() async throws {
        let token = try await test.auth.passwords.makeLink(for: user.id).token
        let bytes = Array(token.utf8)
        var texts = ["", "x", token + "A", token + "=", String(token.dropLast()), String(repeating: "A", count: 96)]
        for index in stride(from: 0, to: bytes.count, by: 7) {
            var altered = bytes
            altered[index] = altered[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            texts.append(String(decoding: altered, as: UTF8.self))
        }
        for (index, text) in texts.enumerated() {
            await test.expect(.linkInvalid) {
                try await test.auth.passwords.reset(
                    to: "monty", with: text, by: Caller(address: "198.51.\(index).1"))
            }
        }
        // A ticket of a sign-in has the same length.
        try await reset(token, "python")
        _ = try await test.newApp(of: test.proven(user.id))
        guard case .continues(let ticket, _) = try await test.auth.login.attempt("miguel", password: "python") else {
            Issue.record("no factor is asked for")
            return
        }
        #expect(ticket.value.utf8.count == token.utf8.count)
        await test.expect(.linkInvalid) { try await reset(ticket.value) }
    }

    @Test func guessesAreCountedByTheNetwork() async throws {
        let link = try await test.auth.passwords.makeLink(for: user.id)
        for _ in 0..<ThrottleConfiguration().networkFailures {
            await test.expect(.linkInvalid) { try await reset("x") }
        }
        await test.expect(.rateLimited) { try await reset(link.token) }
        try await test.auth.passwords.reset(to: "monty", with: link.token, by: Caller(address: "198.51.100.1"))
    }

    @Test(arguments: [
        "http://example.com/", "example.com", "https://", "https://example.com/#x", "javascript:alert(1)", "",
        "https://user@example.com/", "https://example.com/a b", "https://exämple.com/", "ftp://example.com/",
    ])
    func aPageThatWouldTellTheTokenIsNone(url: String) async throws {
        await test.expect(.misconfigured) { try await TestAuth { $0.passwordLinkURL = url } }
    }
}
