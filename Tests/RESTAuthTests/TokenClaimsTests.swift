import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

@Suite struct TokenClaimsTests {
    @Test(arguments: [
        "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "roles", "roles_key", "sid", "acr",
        "amr",
        "azp", "auth_time", "preferred_username", "username", "active", "token_type", "token_use", "email",
        "email_verified", "name", "groups", "cnf", "act", "nonce", "locale",
    ])
    func aNameWithAMeaningIsRefused(name: String) {
        let error = #expect(throws: AuthError.self) { try TokenClaims.check(["plan", name]) }
        #expect(error?.code == .misconfigured)
    }

    @Test(arguments: [
        [""], [" "], ["a b"], ["a,b"], ["\"plan\""], ["plan", "plan"], ["plän"], ["a\u{0}"],
        [String(repeating: "a", count: 65)], (0..<33).map { "n\($0)" },
    ])
    func aNameThatIsNoneIsRefused(names: [String]) {
        #expect(throws: AuthError.self) { try TokenClaims.check(names) }
    }

    @Test func namesAreTaken() {
        #expect(throws: Never.self) {
            try TokenClaims.check(["plan", "tenant", "https://example.com/plan", "Sub", "a-b.c:d"])
        }
    }

    @Test func onlyNamedMembersAreCarried() throws {
        let claims = TokenClaims(["plan", "tenant"])
        #expect(
            try claims.text(from: #"{"secret":1,"tenant":{"id":7},"plan":"pro"}"#)
                == #"{"plan":"pro","tenant":{"id":7}}"#)
        #expect(try claims.text(from: #"{"secret":1}"#) == nil)
        #expect(try TokenClaims([]).text(from: #"{"plan":"pro"}"#) == nil)
    }

    @Test func theyHaveAKibibyteTogether() throws {
        let claims = TokenClaims(["a", "b"])
        // {"a":"…","b":1}
        let most = String(repeating: "x", count: 1024 - 14)
        #expect(throws: Never.self) { try claims.text(from: #"{"a":"\#(most)","b":1}"#) }
        let error = #expect(throws: AuthError.self) { try claims.text(from: #"{"a":"\#(most)x","b":1}"#) }
        #expect(error?.field == "app_metadata")
    }

    // MARK: In tokens

    private func patch(_ text: String, _ test: TestAuth) async throws {
        _ = try await test.auth.profiles.patch(text, of: 1, as: .operator)
    }

    @Test func aTokenHasThemAsTheyWereWhenItWasGiven() async throws {
        let test = try await TestAuth { $0.tokenClaims = ["plan", "seats", "tenant"] }
        let tokens = try await test.session()
        #expect(try await test.verify(tokens.access).claim("plan", as: String.self) == nil)
        try await patch(#"{"app_metadata":{"plan":"pro","seats":3,"tenant":{"id":"t"},"other":1}}"#, test)
        let renewed = try await test.auth.sessions.refresh(tokens.refresh.value)
        let identity = try await test.verify(renewed.access)
        #expect(identity.claim("plan", as: String.self) == "pro")
        #expect(identity.claim("seats", as: Int.self) == 3)
        #expect(identity.claim("seats", as: String.self) == nil)
        #expect(identity.claim("tenant", as: [String: String].self) == ["id": "t"])
        #expect(identity.claim("other", as: Int.self) == nil)
        #expect(identity.claim("sub", as: String.self) == nil)
        #expect(try await test.verify(tokens.access).claim("plan", as: String.self) == nil)
        // By a password there is no token.
        #expect(try await test.auth.login.identify("miguel", password: "python").claim("plan", as: String.self) == nil)
    }

    @Test func aChangeEndsLiveTokensIfItSaysSo() async throws {
        let test = try await TestAuth { $0.tokenClaims = ["plan"] }
        let tokens = try await test.session()
        try await patch(#"{"app_metadata":{"plan":"free"}}"#, test)
        #expect(throws: Never.self) { try test.auth.configuration.validate() }
        _ = try await test.verify(tokens.access)
        try await patch(#"{"app_metadata":{"plan":"none"},"revoke_sessions":true}"#, test)
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
        await test.expect(.invalidGrant) { try await test.auth.sessions.refresh(tokens.refresh.value) }
        #expect(try await test.verify(test.signIn().access).claim("plan", as: String.self) == "none")
        // Also without a change.
        let again = try await test.signIn()
        try await patch(#"{"revoke_sessions":true}"#, test)
        await test.expect(.invalidToken) { try await test.verify(again.access) }
    }

    @Test func tooLongOnesAreRefusedWhereTheyAreSetAndWhereATokenIsGiven() async throws {
        let storage = try await TestAuth { $0.tokenClaims = ["plan"] }
        let session = try await storage.session()
        let long = String(repeating: "x", count: 1100)
        await storage.expect(.validationFailed) { try await patch(#"{"app_metadata":{"plan":"\#(long)"}}"#, storage) }
        try await patch(#"{"app_metadata":{"other":"\#(long)"}}"#, storage)
        let other = try await TestAuth(
            over: storage.storage, secret: #require(storage.auth.configuration.secret)
        ) { $0.tokenClaims = ["other"] }
        await other.expect(.forbidden) { try await other.signIn() }
        let byPassword = try await other.auth.login.identify("miguel", password: "python")
        await other.expect(.forbidden) { try await other.auth.sessions.token(for: byPassword) }
        #expect(try await other.auth.sessions.list(of: 1).count == 1)
        // Nor is anything lost: the password is the same, and the session goes on.
        let byToken = try await storage.verify(session.access)
        await other.expect(.forbidden) {
            try await other.auth.passwords.change(from: "python", to: "monty-2", for: byToken)
        }
        await other.expect(.forbidden) { try await other.auth.sessions.refresh(session.refresh.value) }
        _ = try await storage.auth.login.identify("miguel", password: "python")
        _ = try await storage.auth.sessions.refresh(session.refresh.value)
    }

    @Test func anImpossibleSettingIsRefusedAtTheStart() async {
        await #expect(throws: AuthError.self) { try await TestAuth { $0.tokenClaims = ["sub"] } }
        await #expect(throws: AuthError.self) { try await TestAuth { $0.usernameReservation = -1 } }
    }
}
