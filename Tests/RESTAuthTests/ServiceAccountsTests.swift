import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Accounts of programs that act for themselves: made by operators, with tokens that nobody can
/// take for a user's.
@Suite struct ServiceAccountsTests {
    private let test: TestAuth

    init() async throws { test = try await TestAuth() }

    private var services: ServiceAccounts { test.auth.serviceAccounts }

    private func identity(_ token: NewProgramToken) async throws -> Identity {
        try await test.auth.programTokens.verify(Array(token.value.utf8)).identity
    }

    private func user(_ name: String, roles: Set<String> = [], scope: Set<String>? = nil) async throws -> Caller {
        let user = UserIdentity(
            userID: 1, username: name, roles: roles, authentication: Authentication([.password], at: test.clock.now),
            presented: .password, scope: scope)
        return Caller(address: "192.0.2.1").identified(as: .user(user))
    }

    @Test func aServiceIsNoUser() async throws {
        try await services.add("ci", note: "nightly build")
        let new = try await services.createToken("first", scopes: ["operator:read", "notes:write"], of: "ci")
        #expect(new.value.hasPrefix("ra_svc_"))
        let identity = try await identity(new)
        let service = try #require(identity.service)
        #expect(identity.user == nil && service.id == "ci" && service.subject == "service:ci")
        #expect(service.scope == ["operator:read", "notes:write"] && service.tokenID == new.token.id)
        #expect(try await services.find("ci").note == "nightly build")
    }

    @Test(arguments: [
        "", "a b", "ü", "a:b", "a/b", "a\0", String(repeating: "x", count: 65), "a\n", "service:ci", "\u{200B}", ".",
        "..",
    ])
    func anIDOfAnotherFormIsRefused(_ id: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await services.add(id) }
        #expect(error?.code == .validationFailed && error?.field == "id")
        await test.expect(.serviceAccountNotFound) { try await services.find(id) }
        await test.expect(.serviceAccountNotFound) { try await services.delete(id) }
        await test.expect(.serviceAccountNotFound) { try await services.listTokens(of: id) }
        await test.expect(.serviceAccountNotFound) { try await services.createToken("x", scopes: ["a"], of: id) }
    }

    @Test(arguments: ["", " ", "\u{200B}", "a\u{202E}", "a\nb", String(repeating: "x", count: 257)])
    func aNoteThatCannotBeReadIsRefused(_ note: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await services.add("ci", note: note) }
        #expect(error?.code == .validationFailed && error?.field == "note")
    }

    @Test func anIDIsTakenAndAnOwnerIsAUser() async throws {
        try await services.add("ci")
        await test.expect(.serviceAccountAlreadyExists) { try await services.add("ci") }
        await test.expect(.validationFailed) { try await services.add("other", owner: 7) }
        for wrong in [Int64.max, .min, 0, -1] {
            await test.expect(.validationFailed) { try await services.add("other", owner: wrong) }
        }
        let owner = try await test.auth.users.register("miguel", password: "python").id
        #expect(try await services.add("other", owner: owner).ownerID == owner)
        #expect(try await services.list(limit: 10).map(\.id) == ["ci", "other"])
    }

    @Test func anAccountOutlivesItsOwner() async throws {
        let owner = try await test.auth.users.register("miguel", password: "python").id
        try await services.add("ci", owner: owner)
        let new = try await services.createToken("first", scopes: ["a"], of: "ci")
        try await test.auth.users.disable(owner)
        _ = try await identity(new)
        try await test.auth.users.delete(owner)
        _ = try await identity(new)
        #expect(try await services.find("ci").ownerID == nil)
    }

    @Test func aRemovedAccountIsRefusedWithItsTokens() async throws {
        try await services.add("ci")
        let tokens = [
            try await services.createToken("one", scopes: ["a"], of: "ci"),
            try await services.createToken("two", scopes: ["a"], of: "ci"),
        ]
        try await services.deleteToken(tokens[0].token.id, of: "ci")
        await test.expect(.invalidToken) { try await identity(tokens[0]) }
        await test.expect(.tokenNotFound) { try await services.deleteToken(tokens[0].token.id, of: "ci") }
        _ = try await identity(tokens[1])
        try await services.delete("ci")
        await test.expect(.invalidToken) { try await identity(tokens[1]) }
        await test.expect(.serviceAccountNotFound) { try await services.delete("ci") }
        // A new account of the same name has none of them.
        try await services.add("ci")
        #expect(try await services.listTokens(of: "ci").isEmpty)
        await test.expect(.invalidToken) { try await identity(tokens[1]) }
    }

    @Test func aTokenIsOneAccounts() async throws {
        for id in ["ci", "other"] { try await services.add(id) }
        let new = try await services.createToken("one", scopes: ["a"], of: "ci")
        await test.expect(.tokenNotFound) { try await services.deleteToken(new.token.id, of: "other") }
        await test.expect(.tokenNotFound) { try await services.rotateToken(new.token.id, of: "other") }
        await test.expect(.serviceAccountNotFound) { try await services.deleteToken(new.token.id, of: "third") }
        _ = try await test.auth.users.register("miguel", password: "python")
        await test.expect(.tokenNotFound) { try await test.auth.personalTokens.delete(new.token.id, of: 1) }
        _ = try await identity(new)
    }

    @Test func tenTokensAreEnoughAndLifetimesHaveBounds() async throws {
        try await services.add("ci")
        for seconds in [0, 59, -1, 3650 * 86400 + 1, .max] {
            let error = await #expect(throws: AuthError.self) {
                try await services.createToken("x", scopes: ["a"], lifetime: .seconds(seconds), of: "ci")
            }
            #expect(error?.code == .validationFailed && error?.field == "expires_in")
        }
        #expect(try await services.createToken("x", scopes: ["a"], of: "ci").token.lifetime == 365 * 86400)
        for _ in 1..<10 { _ = try await services.createToken("x", scopes: ["a"], lifetime: .unlimited, of: "ci") }
        await test.expect(.tooManyTokens) { try await services.createToken("x", scopes: ["a"], of: "ci") }
        #expect(try await services.listTokens(of: "ci").count == 10)
    }

    // MARK: Giving scopes

    @Test func nobodyGivesAScopeOfOperatorsWithoutHoldingIt() async throws {
        try await services.add("ci")
        let reading = ServiceIdentity(id: "r", scope: ["operator:read"], tokenID: ProgramToken.ID(at: test.clock.now))
        let adopters = ServiceIdentity(id: "x", scope: ["notes"], tokenID: ProgramToken.ID(at: test.clock.now))
        let anyone = Caller(address: "192.0.2.1")
        let without: [(Caller, [String])] = [
            (anyone, ["operator", "operator:read"]),
            (try await user("susan"), ["operator", "operator:read"]),
            (try await user("ops", roles: ["rest-auth:operator"], scope: ["operator:read"]), ["operator"]),
            (try await user("ops", roles: ["rest-auth:operator"], scope: ["notes"]), ["operator", "operator:read"]),
            (try await user("ops", roles: ["REST-AUTH:operator", "operator"]), ["operator", "operator:read"]),
            (anyone.identified(as: .service(reading)), ["operator"]),
            (anyone.identified(as: .service(adopters)), ["operator", "operator:read"]),
        ]
        for (caller, words) in without {
            for word in words {
                await test.expect(.forbidden) {
                    try await services.createToken("x", scopes: ["notes", word], of: "ci", by: caller)
                }
            }
            // A program gives what it has, and nothing else.
            if case .service(let service)? = caller.identity, !service.scope.contains("notes") {
                await test.expect(.forbidden) {
                    try await services.createToken("x", scopes: ["notes"], of: "ci", by: caller)
                }
                continue
            }
            let harmless = try await services.createToken("x", scopes: ["notes"], of: "ci", by: caller)
            try await services.deleteToken(harmless.token.id, of: "ci")
        }
        let wide = try await services.createToken("wide", scopes: ["operator"], of: "ci")
        for (caller, words) in without where words.contains("operator") {
            await test.expect(.forbidden) { try await services.rotateToken(wide.token.id, of: "ci", by: caller) }
        }
        #expect(try await services.listTokens(of: "ci").count == 1)
    }

    @Test func whoHoldsAScopeGivesIt() async throws {
        try await services.add("ci")
        let writing = ServiceIdentity(id: "w", scope: ["operator"], tokenID: ProgramToken.ID(at: test.clock.now))
        let reading = ServiceIdentity(id: "r", scope: ["operator:read"], tokenID: ProgramToken.ID(at: test.clock.now))
        let anyone = Caller(address: "192.0.2.1")
        let holding: [(Caller, [String])] = [
            (.application, ["operator", "operator:read"]),
            (try await user("ops", roles: ["rest-auth:operator"]), ["operator", "operator:read"]),
            (anyone.identified(as: .service(writing)), ["operator", "operator:read"]),
            (anyone.identified(as: .service(reading)), ["operator:read"]),
        ]
        for (caller, words) in holding {
            let new = try await services.createToken("x", scopes: words, of: "ci", by: caller)
            let rotated = try await services.rotateToken(new.token.id, overlap: 0, of: "ci", by: caller)
            #expect(try await identity(rotated.new).service?.scope == Set(words))
            try await services.deleteToken(rotated.new.token.id, of: "ci", by: caller)
        }
    }

    @Test func whatAServiceDoesIsRecordedAsItsOwn() async throws {
        let writing = ServiceIdentity(id: "w", scope: ["operator"], tokenID: ProgramToken.ID(at: test.clock.now))
        try await services.add("ci", by: Caller(address: "192.0.2.1").identified(as: .service(writing)))
        let event = try #require(
            try await test.storage.events(after: 0, limit: 10).last { $0.fields.name == "service_account.added" })
        #expect(event.fields.actorKind == "client" && event.fields.actorID == "service:w")
        #expect(event.fields.actor.kind == "service" && event.fields.actor.id == "w")
        #expect(event.json["actor"]?["kind"]?.string == "service" && event.json["actor"]?["id"]?.string == "w")
        #expect(event.fields.details == #"{"by_token":"\#(writing.tokenID)","service_id":"ci"}"#)
    }
}
