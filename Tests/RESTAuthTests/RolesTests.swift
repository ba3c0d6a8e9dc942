import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

@Suite struct RolesTests {
    @Test func aRoleIsInTheNextTokenAndItsRemovalIsARevocation() async throws {
        let test = try await TestAuth()
        let plain = try await test.session()
        try await test.auth.users.grant("admin", to: 1)
        #expect(try await test.verify(plain.access).roles.isEmpty)
        let admin = try await test.auth.sessions.refresh(plain.refresh.value)
        #expect(try await test.verify(admin.access).roles == ["admin"])
        try await test.readFeed()
        _ = try await test.verify(admin.access)
        try await test.auth.users.revoke("admin", from: 1)
        await test.expect(.invalidToken) { try await test.verify(admin.access) }
        // The session continues without the role; a token that never had it is unaffected.
        _ = try await test.verify(plain.access)
        let after = try await test.auth.sessions.refresh(admin.refresh.value)
        #expect(try await test.verify(after.access).roles.isEmpty)
        // A token traded for a token also has the present roles.
        let traded = try await test.auth.sessions.token(for: test.verify(after.access))
        #expect(try await test.verify(traded).roles.isEmpty)
        try await test.auth.users.grant("admin", to: 1)
        _ = try await test.verify(admin.access)
        #expect(try await test.verify(test.auth.sessions.token(for: test.verify(after.access))).roles == ["admin"])
    }

    @Test func aTokenWithARoleThatWasTakenAwayElsewhereIsRefusedByTheDatabaseToo() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        try await test.auth.users.grant("admin", to: 1)
        let tokens = try await test.signIn()
        _ = try await test.verify(tokens.access)
        _ = try await test.storage.revokeRole("admin", user: 1, at: test.clock.now)
        await test.expect(.invalidToken) { try await test.verify(tokens.access) }
    }

    @Test(arguments: ["", " ", "a b", "ä", "a,b", "a\n", String(repeating: "a", count: 65), "a\"b"])
    func whatIsNoWordIsNoRole(role: String) async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        await test.expect(.validationFailed) { try await test.auth.users.grant(role, to: 1) }
        await test.expect(.validationFailed) { try await test.auth.users.revoke(role, from: 1) }
    }

    // MARK: Requirements

    private func identity(roles: Set<String> = [], age: TimeInterval = 0) -> UserIdentity {
        UserIdentity(
            userID: 1, username: "a", roles: roles,
            authentication: Authentication([.password], at: now.addingTimeInterval(-age)),
            presented: .accessToken(Session.ID(at: now)))
    }

    private let now = TestClock().now

    @Test(arguments: [
        (Requirement.anyRole("a", "b"), ["a"], true), (.anyRole("a", "b"), ["c", "b"], true),
        (.anyRole("a", "b"), ["c"], false),
        (.anyRole("a"), [], false), (.anyRole(), ["a"], false), (.allRoles("a", "b"), ["a", "b", "c"], true),
        (.allRoles("a", "b"), ["a"], false), (.allRoles(), [], true), (.signedIn, [], true), (.optional, [], true),
    ])
    func rolesAreRequired(requirement: Requirement, roles: [String], isMet: Bool) {
        if isMet {
            #expect(throws: Never.self) { try requirement.check(identity(roles: Set(roles)), at: now) }
        } else {
            let error = #expect(throws: AuthError.self) { try requirement.check(identity(roles: Set(roles)), at: now) }
            #expect(error?.code == .forbidden)
        }
    }

    @Test func aPasswordMayBeRequiredToBeRecent() {
        let requirement = Requirement.signedIn(within: 300)
        #expect(throws: Never.self) { try requirement.check(identity(age: 300), at: now) }
        let error = #expect(throws: AuthError.self) { try requirement.check(identity(age: 301), at: now) }
        #expect(error?.code == .insufficientUserAuthentication)
        #expect(error?.maxAge == 300)
    }

    @Test(arguments: [Requirement.signedIn, .signedIn(within: 10), .anyRole("a"), .allRoles("a"), .allRoles()])
    func nobodyMeetsARequirement(requirement: Requirement) {
        let error = #expect(throws: AuthError.self) { try requirement.check(nil, at: now) }
        #expect(error?.code == .credentialsRequired)
        #expect(throws: Never.self) { try Requirement.optional.check(nil, at: now) }
    }
}

@Suite struct ClientsTests {
    @Test func onlyTheSecretThatWasShownSignsIn() async throws {
        let test = try await TestAuth()
        let secret = try await test.auth.clients.add("gateway")
        try await test.auth.clients.authenticate("gateway", secret: secret.value)
        #expect(secret.value.count == 43)
        #expect("\(secret)" == "redacted")
        for (id, value) in [
            ("gateway", "x"), ("gateway", ""), ("Gateway", secret.value), ("", ""), ("other", ""),
            ("other", secret.value),
        ] {
            await test.expect(.invalidClient) { try await test.auth.clients.authenticate(id, secret: value) }
        }
        let stored = try #require(await test.storage.clientSecretDigest(id: "gateway"))
        #expect(stored.firstRange(of: Array(secret.value.utf8)) == nil)
        try await test.auth.clients.delete("gateway")
        await test.expect(.invalidClient) { try await test.auth.clients.authenticate("gateway", secret: secret.value) }
        await test.expect(.clientNotFound) { try await test.auth.clients.delete("gateway") }
    }

    @Test(arguments: ["", "a b", "a:b", "ä", String(repeating: "a", count: 65), "a/b", "a\n"])
    func anIdThatIsNoWordIsRefused(id: String) async throws {
        let test = try await TestAuth()
        await test.expect(.validationFailed) { try await test.auth.clients.add(id) }
    }

    @Test func anIdIsTaken() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.clients.add("gateway")
        await test.expect(.clientAlreadyExists) { try await test.auth.clients.add("gateway") }
    }
}
