import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// Tokens for programs at the door to tokens: when a use costs a read, and what ends it.
@Suite struct ProgramTokensAtTheDoorTests {
    private let test: TestAuth
    private let owner: User

    init() async throws {
        test = try await TestAuth { $0.throttle.isOn = false }
        owner = try await test.auth.users.register("miguel", password: "python")
        try await test.readFeed()
    }

    private func personal(_ scopes: [String] = ["profile"]) async throws -> (id: Session.ID, bytes: [UInt8]) {
        let user = try await test.auth.login.identify("miguel", password: "python")
        let new = try await test.auth.personalTokens.create("test", scopes: scopes, for: user)
        return (new.token.id, Array(new.value.utf8))
    }

    private func statements(_ token: [UInt8]) async throws -> Int {
        try await test.storage.countingStatements {
            for _ in 0..<100 { _ = try await test.auth.accessTokens.identify(token) }
        }
    }

    @Test func aRepeatReadsNothingFromTheDatabase() async throws {
        let token = try await personal()
        try await test.auth.serviceAccounts.add("backup")
        let service = try await test.auth.serviceAccounts.createToken("test", scopes: ["a"], of: "backup")
        for token in [token.bytes, Array(service.value.utf8)] {
            #expect(try await statements(token) > 0)
            #expect(try await statements(token) == 0)
            test.clock.advance(by: 61)
            #expect(try await statements(token) > 0)
            #expect(try await statements(token) == 0)
            #expect(test.auth.accessTokens.rememberedIdentity(of: token) != nil)
        }
    }

    @Test func aTypingErrorReadsNothing() async throws {
        let token = try await personal().bytes
        let count = try await test.storage.countingStatements {
            for position in 7..<43 {
                var wrong = token
                wrong[position] = wrong[position] == UInt8(ascii: "a") ? UInt8(ascii: "b") : UInt8(ascii: "a")
                await test.expect(.invalidToken) { try await test.auth.accessTokens.identify(wrong) }
            }
            for length in [0, 7, 42] {
                await test.expect(.invalidToken) {
                    try await test.auth.accessTokens.identify(Array(token.prefix(length)))
                }
            }
        }
        #expect(count == 0)
    }

    /// Anybody can compute a checksum: the forgery costs one look-up, is not written down, and
    /// nobody has to wait for it.
    @Test func aForgeryWithARightChecksumCostsOneRead() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        let user = try await test.auth.login.identify("miguel", password: "python")
        let token = Array(try await test.auth.personalTokens.create("test", scopes: ["a"], for: user).value.utf8)
        _ = try await test.auth.programTokens.verify(token)
        // Read anew each time, and not used within the minute.
        let cost = try await test.storage.countingStatements {
            for _ in 0..<100 { _ = try await test.auth.programTokens.verify(token) }
        }
        for kind in ProgramToken.Form.Kind.allCases {
            let forged = (0..<100).map { _ in ProgramToken.Form(kind).bytes }
            let count = try await test.storage.countingStatements {
                for token in forged {
                    await test.expect(.invalidToken) { try await test.auth.accessTokens.identify(token) }
                }
            }
            #expect(count == cost)
        }
        #expect(try await test.auth.throttle.list().isEmpty)
    }

    @Test func itIsNoAccessToken() async throws {
        let token = try await personal(["profile", "sessions"]).bytes
        _ = try await test.auth.accessTokens.identify(token)
        await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(token) }
        #expect(test.auth.accessTokens.remembered(token) == nil)
        await test.expect(.insufficientScope) { try await test.auth.login.attempt(.token(token)) }
        let user = try #require(try await test.auth.login.identify(.token(token)).user)
        #expect(user.sessionID == nil)
        await test.expect(.insufficientScope) { try await test.auth.sessions.start(for: user) }
        await test.expect(.insufficientScope) { try await test.auth.sessions.token(for: user) }
        await test.expect(.insufficientScope) { try await test.auth.login.raise(password: "python", of: user) }
        await test.expect(.insufficientScope) {
            try await test.auth.passwords.change(from: "python", to: "cobra", for: user)
        }
        await test.expect(.insufficientScope) {
            try await test.auth.users.deleteAccount(of: user, confirming: "python")
        }
        #expect(try await test.auth.sessions.list(of: owner.id).isEmpty)
        _ = try await test.auth.login.identify("miguel", password: "python")
    }

    @Test func aServiceIsNoUser() async throws {
        try await test.auth.serviceAccounts.add("backup")
        let new = try await test.auth.serviceAccounts.createToken("test", scopes: ["a"], of: "backup")
        let token = Array(new.value.utf8)
        let identity = try await test.auth.accessTokens.identify(token)
        #expect(identity.user == nil)
        #expect(identity.service?.subject == "service:backup")
        await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(token) }
        await test.expect(.forbidden) { try await test.auth.login.attempt(.token(token)) }
        try await test.auth.serviceAccounts.delete("backup")
        await test.expect(.invalidToken) { try await test.auth.accessTokens.identify(token) }
    }

    @Test func whatEndsIt() async throws {
        let (token, other) = (try await personal(), try await personal())
        for token in [token, other] { _ = try await test.auth.accessTokens.identify(token.bytes) }
        try await test.auth.personalTokens.delete(token.id, of: owner.id)
        await test.expect(.invalidToken) { try await test.auth.accessTokens.identify(token.bytes) }
        _ = try await test.auth.accessTokens.identify(other.bytes)
        try await test.auth.users.disable(owner.id)
        await test.expect(.invalidToken) { try await test.auth.accessTokens.identify(other.bytes) }
        try await test.auth.users.enable(owner.id)
        _ = try await test.auth.accessTokens.identify(other.bytes)
        try await test.auth.users.delete(owner.id)
        await test.expect(.invalidToken) { try await test.auth.accessTokens.identify(other.bytes) }
    }

    @Test func itsRolesAreThoseOfItsOwnerNow() async throws {
        try await test.auth.users.grant("editor", to: owner.id)
        let token = try await personal().bytes
        func roles() async throws -> Set<String>? { try await test.auth.accessTokens.identify(token).user?.roles }
        #expect(try await roles() == ["editor"])
        try await test.auth.users.revoke("editor", from: owner.id)
        #expect(try await roles() == [])
        try await test.auth.users.grant("staff", to: owner.id)
        // What is granted shows within a minute.
        test.clock.advance(by: 60)
        #expect(try await roles() == ["staff"])
    }

    @Test func aTokenOfAnotherInstanceIsForeign() async throws {
        let token = try await personal().bytes
        let other = try await TestAuth()
        await other.expect(.invalidToken) { try await other.auth.accessTokens.identify(token) }
    }
}
