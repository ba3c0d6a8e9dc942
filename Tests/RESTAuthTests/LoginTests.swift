import RESTAuth
import Testing

@Suite struct LoginTests {
    @Test func theRightPasswordSignsIn() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.users.register("Miguel", password: "python")
        let identity = try await test.auth.login.identify("miguel", password: "python")
        #expect((identity.userID, identity.username, identity.presented) == (user.id, "Miguel", .password))
        #expect(identity.authenticatedAt == test.clock.now)
        #expect(identity.sessionID == nil)
    }

    @Test func everyOtherAttemptGetsTheSameRefusal() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        let disabled = try await test.auth.users.register("disabled", password: "python")
        try await test.auth.users.disable(disabled.id)
        let long = String(repeating: "x", count: 5000)
        for (username, password) in [
            ("miguel", "Python"), ("miguel", ""), ("miguel", "python\0"), ("nobody", "python"), ("", "python"),
            ("", ""),
            ("a\0b", "python"), ("disabled", "python"), ("miguel", long), (long, "python"),
        ] {
            let error = await #expect(throws: AuthError.self, "\(username) with \(password)") {
                try await test.auth.login.identify(username, password: password)
            }
            let refusal = AuthError(.invalidCredentials, "Unauthorized Access")
            #expect(error == refusal, "\(username) with \(password)")
        }
    }

    /// Names that were registered before a rule that now forbids them.
    @Test(arguments: ["R&D", "a|b", "a  b", "سـلام", "\u{301}a", "$(x)"])
    func whoHasANameThatIsOlderThanARuleKeepsIt(text: String) async throws {
        let test = try await TestAuth()
        await test.expect(.validationFailed) { try await test.auth.users.register(text, password: "python") }
        _ = try await test.auth.users.register("a", password: "python")
        let hash = try #require(await test.storage.credentials(canonicalUsername: "a")?.passwordHash)
        let user = try await test.storage.insertUser(Username(whoever: text), passwordHash: hash, at: test.clock.now)
        #expect(try await test.auth.login.identify(text, password: "python").userID == user.id)
        await test.expect(.invalidCredentials) { try await test.auth.login.identify(text, password: "x") }
        #expect(try await test.auth.users.find(named: text).id == user.id)
        try await test.auth.passwords.set("monty", for: user)
        let identity = try await test.auth.login.identify(text, password: "monty")
        try await test.auth.passwords.change(from: "monty", to: "python", for: identity)
        await test.expect(.validationFailed) { try await test.auth.registration.register(text, password: "python") }
        try await test.auth.users.delete(user.id)
        await test.expect(.invalidCredentials) { try await test.auth.login.identify(text, password: "python") }
    }

    @Test func anotherPasswordReplacesTheFirst() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.users.register("miguel", password: "python")
        try await test.auth.passwords.set("monty", for: user)
        _ = try await test.auth.login.identify("miguel", password: "monty")
        await #expect(throws: AuthError.self) { try await test.auth.login.identify("miguel", password: "python") }
    }

    @Test func theHashIsStoredAndThePasswordIsNot() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "correct-horse")
        let hash = try #require(await test.storage.credentials(canonicalUsername: "miguel")?.passwordHash)
        #expect(hash.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        #expect(!hash.contains("correct-horse"))
    }

    @Test func anEnabledUserSignsInAgain() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.users.register("miguel", password: "python")
        try await test.auth.users.disable(user.id)
        try await test.auth.users.enable(user.id)
        _ = try await test.auth.login.identify("miguel", password: "python")
    }

    @Test(arguments: [1, 99, -1, 0])
    func whoDoesNotExistCannotBeChanged(id: User.ID) async throws {
        let test = try await TestAuth()
        for change in [test.auth.users.disable, test.auth.users.enable, test.auth.users.delete] {
            let error = await #expect(throws: AuthError.self) { try await change(id, .application) }
            #expect(error?.code == .userNotFound)
        }
    }
}
