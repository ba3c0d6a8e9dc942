import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Who may change the accounts of operators, and give the server's own roles, whichever door they
/// come to.
@Suite struct OperatorRulesTests {
    private let test: TestAuth
    /// Users 1 and 2 are operators, 3 and 4 are not.
    private let first: User.ID = 1
    private let second: User.ID = 2
    private let susan: User.ID = 3
    private let david: User.ID = 4

    init() async throws {
        test = try await TestAuth()
        for name in ["first", "second"] {
            _ = try await test.auth.users.add(name, password: "python", roles: [Role.operator])
        }
        for name in ["susan", "david"] { _ = try await test.auth.users.register(name, password: "python") }
    }

    private func caller(_ id: User.ID) async throws -> Caller {
        Caller(address: "192.0.2.1").identified(as: .user(try await test.proven(id)))
    }

    private func service() -> Caller {
        let identity = ServiceIdentity(
            id: "backup", scope: [Scope.operator], tokenID: ProgramToken.ID(at: test.clock.now))
        return Caller(address: "192.0.2.1").identified(as: .service(identity))
    }

    /// Every door that changes another user's account, or ends what is going on there.
    private func changes(
        of id: User.ID, by caller: Caller
    ) async throws -> [(String, @Sendable () async throws -> Void)] {
        let (auth, token) = (test.auth, ProgramToken.ID(at: test.clock.now))
        let name = try await auth.users.find(id).username
        let session = try await auth.sessions.start(for: test.proven(id)).access
        let sessionID = try #require(try await test.verify(session).sessionID)
        return [
            ("session", { try await auth.sessions.end(sessionID, by: caller) }),
            ("session of the user", { try await auth.sessions.end(sessionID, of: id, by: caller) }),
            ("sessions", { try await auth.sessions.endAll(of: id, by: caller) }),
            ("token", { try await auth.personalTokens.delete(token, of: id, by: caller) }),
            ("tokens", { try await auth.personalTokens.deleteAll(of: id, by: caller) }),
            ("counters", { try await auth.throttle.clear(Username(name), by: caller) }),
            ("counters and id", { try await auth.throttle.clear(Username("nobody"), user: id, by: caller) }),
            ("counters by name", { _ = try await auth.throttle.clear(username: name, in: auth.users, by: caller) }),
            ("counter of a name", { try await auth.throttle.clear(.account(Username(name)), by: caller) }),
            ("counter of an id", { try await auth.throttle.clear(.confirmation(by: id), by: caller) }),
            ("password", { try await auth.passwords.set("another", for: auth.users.find(id), by: caller) }),
            ("link", { _ = try await auth.passwords.makeLink(for: id, by: caller) }),
            ("factors", { try await auth.factors.removeAll(of: id, by: caller) }),
            ("factor", { try await auth.factors.remove("x", ofUser: id, by: caller) }),
            ("passkey", { try await auth.passkeys.delete("x", ofUser: id, by: caller) }),
            ("devices", { try await auth.trustedDevices.forget(nil, ofUser: id, by: caller) }),
            ("device", { try await auth.trustedDevices.forget("x", ofUser: id, by: caller) }),
            ("grant", { try await auth.users.grant("admin", to: id, by: caller) }),
            ("revoke", { try await auth.users.revoke("admin", from: id, by: caller) }),
            ("disable", { try await auth.users.disable(id, by: caller) }),
            ("enable", { try await auth.users.enable(id, by: caller) }),
            ("delete", { try await auth.users.delete(id, by: caller) }),
        ]
    }

    @Test func nobodyButAnOperatorChangesAnOperator() async throws {
        var callers = [try await caller(susan), Caller(address: "192.0.2.1"), service()]
        // One who was an operator a moment ago, and one who is disabled.
        let (was, disabled) = (try await caller(second), try await caller(david))
        _ = try await test.storage.revokeRole(Role.operator, user: second, at: test.clock.now)
        try await test.auth.users.grant(Role.operator, to: david)
        callers += [was, disabled]
        _ = try await test.storage.disableUser(id: david, at: test.clock.now)
        for caller in callers {
            for (name, change) in try await changes(of: first, by: caller) {
                let error = await #expect(throws: AuthError.self, "\(name)") { try await change() }
                #expect(error?.code == .forbidden, "\(name)")
            }
        }
        #expect(try await test.auth.users.find(first).roles == [Role.operator])
    }

    /// What is answered about an entry that is not there, to who may change it.
    private static let absent: Set<AuthError.Code> = [
        .factorNotFound, .passkeyNotFound, .deviceNotFound, .tokenNotFound, .sessionNotFound,
    ]

    private func expectAdmission(_ by: Caller, to id: User.ID, except left: String? = nil) async throws {
        for (name, change) in try await changes(of: id, by: by) where name != left {
            do { try await change() } catch {
                #expect((error as? AuthError).map { Self.absent.contains($0.code) } == true, "\(name): \(error)")
            }
        }
    }

    @Test func aServiceChangesWhoIsNoOperator() async throws {
        try await expectAdmission(service(), to: david)
        await test.expect(.userNotFound) { try await test.auth.users.find(david) }
    }

    @Test func whatIsCountedForManyIsForgottenByOperators() async throws {
        let network = try #require(ClientNetwork("192.0.2.9"))
        let throttle = test.auth.throttle
        let anyone = Caller(address: "192.0.2.1")
        for subject in [ThrottleSubject.network(network), .registrations(from: network), .hashing] {
            for by in [service(), anyone, try await caller(susan)] {
                await test.expect(.forbidden) { try await throttle.clear(subject, by: by) }
            }
            #expect(try await !throttle.clear(subject, by: caller(first)))
            #expect(try await !throttle.clear(subject))
        }
        for networks in [nil, network.blocks] {
            for by in [service(), anyone, try await caller(susan)] {
                await test.expect(.forbidden) { try await throttle.clear(from: networks, by: by) }
            }
            #expect(try await throttle.clear(from: networks, by: caller(first)) == 0)
        }
        // A name that nobody has is nobody's.
        #expect(try await throttle.clear(Username("nobody"), by: service()).isEmpty)
    }

    @Test func aUsersOwnRequestCostsNoReadForTheRules() async throws {
        let own = try await caller(first)
        func count(by caller: Caller) async throws -> Int {
            try await test.storage.countingStatements {
                try await test.auth.sessions.endAll(of: first, by: caller)
                try await test.auth.personalTokens.deleteAll(of: first, by: caller)
                try? await test.auth.sessions.end(Session.ID(at: .now), of: first, by: caller)
            }
        }
        let least = try await count(by: .application)
        #expect(try await count(by: own) == least)
        #expect(try await count(by: caller(second)) > least)
    }

    @Test func anOperatorAndACommandChangeOne() async throws {
        for by in [try await caller(second), Caller(OperatorIdentity(account: "root")), .application] {
            try await expectAdmission(by, to: first, except: "delete")
            await test.expect(.factorNotFound) { try await test.auth.factors.removeAll(of: first, by: by) }
            await test.expect(.factorNotFound) { try await test.auth.factors.remove("x", ofUser: first, by: by) }
            await test.expect(.passkeyNotFound) { try await test.auth.passkeys.delete("x", ofUser: first, by: by) }
        }
    }

    /// The rules are about operators only: an application has its own for all others.
    @Test func otherUsersAreChangedByWhomTheApplicationSays() async throws {
        try await test.auth.users.disable(david, by: caller(susan))
        try await test.auth.users.enable(david, by: caller(susan))
        try await test.auth.users.grant("admin", to: david, by: caller(susan))
    }

    @Test(arguments: [Role.operator, "rest-auth:x", "rest-auth:"])
    func aRoleOfTheServersOwnIsGivenByWhoHasIt(role: String) async throws {
        await test.expect(.forbidden) { try await test.auth.users.grant(role, to: david, by: caller(susan)) }
        await test.expect(.forbidden) { try await test.auth.users.revoke(role, from: david, by: caller(susan)) }
        await test.expect(.forbidden) { try await test.auth.users.grant(role, to: susan, by: caller(susan)) }
        await test.expect(.forbidden) {
            try await test.auth.users.add("eve", password: "python", roles: ["a", role], by: caller(susan))
        }
        await test.expect(.userNotFound) { try await test.auth.users.find(named: "eve") }
        guard role != Role.operator else { return }
        await test.expect(.forbidden) { try await test.auth.users.grant(role, to: david, by: caller(first)) }
        try await test.auth.users.grant(role, to: first)
        try await test.auth.users.grant(role, to: david, by: caller(first))
    }

    @Test func nobodyIsAddedWithRolesThatCannotBe() async throws {
        let long = (0..<9).map { "\($0)" + String(repeating: "x", count: 62) }
        for roles in [["a b"], [""], long] {
            await test.expect(.validationFailed) {
                try await test.auth.users.add("eve", password: nil, roles: Set(roles), by: caller(first))
            }
            await test.expect(.userNotFound) { try await test.auth.users.find(named: "eve") }
        }
    }

    @Test func theLastOperatorIsKeptAgainstAllButCommands() async throws {
        try await test.auth.users.disable(second, by: caller(first))
        await test.expect(.lastOperator) { try await test.auth.users.disable(first, by: caller(first)) }
        await test.expect(.lastOperator) {
            try await test.auth.users.revoke(Role.operator, from: first, by: caller(first))
        }
        await test.expect(.lastOperator) { try await test.auth.users.delete(first, by: caller(first)) }
        let identity = try await test.auth.login.identify("first", password: "python")
        let own = Caller(address: "192.0.2.1").identified(as: .user(identity))
        await test.expect(.lastOperator) {
            try await test.auth.users.deleteAccount(of: identity, confirming: "python", by: own)
        }
        try await test.auth.users.disable(first, by: Caller(OperatorIdentity(account: "root")))
        #expect(try await test.auth.users.find(first).isDisabled)
    }
}
