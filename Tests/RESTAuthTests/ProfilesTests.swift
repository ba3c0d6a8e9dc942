import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// The door to profiles and other names.
@Suite struct ProfilesTests {
    let test: TestAuth
    let miguel: UserIdentity

    init() async throws {
        test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        miguel = try await test.auth.login.identify("miguel", password: "python")
    }

    @discardableResult
    private func patch(_ text: String, as identity: UserIdentity? = nil) async throws -> Profile {
        try await test.auth.profiles.patch(text, of: miguel.userID, as: .owner(identity ?? miguel))
    }

    private func operate(_ text: String) async throws -> Profile {
        try await test.auth.profiles.patch(text, of: miguel.userID, as: .operator)
    }

    private func events(_ name: String) async throws -> [StoredEvent] {
        try await test.storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }
    }

    @Test func aProfileIsPatched() async throws {
        #expect(try await test.auth.profiles.profile(of: 1) == Profile())
        let first = try await patch(#"{"name":"Miguel","metadata":{"a":{"b":1,"c":2}},"locale":"es"}"#)
        #expect(first == Profile(name: "Miguel", locale: "es", metadata: #"{"a":{"b":1,"c":2}}"#))
        let second = try await patch(#"{"name":null,"metadata":{"a":{"b":null},"d":[]}}"#)
        #expect(second == Profile(locale: "es", metadata: #"{"a":{"c":2},"d":[]}"#))
        #expect(try await test.auth.profiles.profile(of: 1) == second)
        #expect(try await patch(#"{"metadata":null,"locale":null}"#) == Profile())
    }

    @Test func eventsHaveTheNamesOfFieldsAndNoValues() async throws {
        try await patch(#"{"name":"Secret","metadata":{"x":"Secret"}}"#)
        try await patch(#"{"name":"Secret"}"#)
        try await patch("{}")
        let events = try await events("profile.changed")
        #expect(events.map(\.fields.details) == [#"{"fields":"name,metadata"}"#])
        _ = try await operate(#"{"email":"secret@example.com","email_verified":true}"#)
        #expect(try await self.events("profile.changed").last?.fields.details == #"{"fields":"email,email_verified"}"#)
        #expect(try await self.events("email.verified").map(\.fields.details) == ["{}"])
    }

    @Test(arguments: ["app_metadata", "email_verified", "roles", "id", "username", "created_at", "revoke_sessions"])
    func whatIsNotTheUsersIsRefusedByName(field: String) async throws {
        for value in ["null", "true", "{}", #""x""#] {
            let error = await #expect(throws: AuthError.self) {
                try await patch(#"{"name":"Miguel","\#(field)":\#(value)}"#)
            }
            #expect(error?.code == .validationFailed && error?.field == field)
        }
        #expect(try await test.auth.profiles.profile(of: 1) == Profile())
        #expect(try await events("profile.changed").isEmpty)
    }

    @Test(arguments: ["id", "username", "roles", "created_at", "disabled_at"])
    func whatNoPatchChangesIsRefusedToOperatorsToo(field: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await operate(#"{"\#(field)":null}"#) }
        #expect(error?.field == field)
    }

    @Test(arguments: [
        #"{"nmae":"x"}"#, #"{"Name":"x"}"#, #"{"":1}"#, "[]", "null", "1", "", "{", #"{"name":"a","name":"b"}"#,
        #"{"metadata":[]}"#, #"{"name":"a","email":"b"}"#,
    ])
    func aPatchThatIsNotWhollyUnderstoodIsRefusedWhole(text: String) async throws {
        await test.expect(.validationFailed) { try await patch(text) }
        #expect(try await test.auth.profiles.profile(of: 1) == Profile())
    }

    @Test func aPatchThatNestsTooDeeplyIsRefused() async throws {
        let deep = String(repeating: #"{"a":"#, count: 32) + "1" + String(repeating: "}", count: 32)
        await test.expect(.validationFailed) { try await patch(#"{"metadata":\#(deep)}"#) }
        let most = String(repeating: #"{"a":"#, count: 30) + "1" + String(repeating: "}", count: 30)
        #expect(try await patch(#"{"metadata":\#(most)}"#).metadata == most)
    }

    /// Members that mean something to JavaScript, or to this server elsewhere, are data here.
    @Test(arguments: [
        #"{"__proto__":{"roles":["admin"]}}"#, #"{"constructor":{"prototype":1}}"#, #"{"roles":["admin"],"id":2}"#,
        #"{"":0,"toString":"x"}"#, #"{"n":-9223372036854775808,"m":9223372036854775807}"#,
    ])
    func theUsersDataIsDataOnly(text: String) async throws {
        #expect(try await patch(#"{"metadata":\#(text)}"#).metadata == text)
        let user = try await test.auth.users.find(1)
        #expect(user.roles.isEmpty && user.username == "miguel")
    }

    @Test(arguments: [
        "1e400", "-1e400", "1e999999999999", "01", "+1", "NaN", ".5", "1.", "0x1", "\"\\ud800\"", "\"\u{1}\"",
        #"{"a":1,"a":2}"#, #"{"a":{"b":1,"\u0062":2}}"#, #"{"a":1,"\u0061":null}"#, "{a:1}", "[1,]",
    ])
    func whatTwoReadersCouldReadDifferentlyIsRefused(value: String) async throws {
        await test.expect(.validationFailed) { try await patch(#"{"metadata":{"x":\#(value)}}"#) }
        #expect(try await test.auth.profiles.profile(of: 1) == Profile())
    }

    /// What is not there is not removed, and nothing has happened.
    @Test func aNullOfWhatIsNotThereIsNoChange() async throws {
        let patches = [
            #"{"name":null,"email":null,"locale":null,"zoneinfo":null,"picture":null,"metadata":null}"#,
            #"{"metadata":{"a":null}}"#, #"{"metadata":{}}"#,
        ]
        for text in patches { #expect(try await patch(text) == Profile()) }
        #expect(try await operate(#"{"email_verified":null,"app_metadata":null,"revoke_sessions":null}"#) == Profile())
        #expect(try await events("profile.changed").isEmpty)
        // In what is new it leaves the object around it.
        #expect(try await patch(#"{"metadata":{"a":{"b":null}}}"#).metadata == #"{"a":{}}"#)
    }

    @Test func theLengthIsThatOfTheResult() async throws {
        let half = String(repeating: "x", count: 2000)
        _ = try await patch(#"{"metadata":{"a":"\#(half)","b":"\#(half)"}}"#)
        await test.expect(.validationFailed) { try await patch(#"{"metadata":{"c":"\#(half)"}}"#) }
        // A patch that is longer than what it leaves.
        let nulls = (0..<1000).map { #""n\#($0)":null"# }.joined(separator: ",")
        let left = try await patch(#"{"metadata":{"a":null,\#(nulls),"c":"\#(half)"}}"#)
        #expect(left.metadata == #"{"b":"\#(half)","c":"\#(half)"}"#)
    }

    /// Depth adds up by patches no more than in one.
    @Test func patchesOneAfterAnotherNestNoDeeper() async throws {
        func nested(_ depth: Int, _ inner: String) -> String {
            String(repeating: #"{"a":"#, count: depth) + inner + String(repeating: "}", count: depth)
        }
        _ = try await patch(#"{"metadata":\#(nested(30, "1"))}"#)
        for inner in [#"{"b":1}"#, "[1]", "[]"] {
            await test.expect(.validationFailed) { try await patch(#"{"metadata":\#(nested(31, inner))}"#) }
        }
        #expect(try await test.auth.profiles.profile(of: 1).metadata == nested(30, "1"))
    }

    @Test func ofTwoNewNamesAtOnceBothAreKeptForTheUser() async throws {
        let names = (0..<6).map { "name\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in names { group.addTask { _ = try await test.auth.profiles.rename(1, to: name) } }
            try await group.waitForAll()
        }
        let name = try await test.auth.users.find(1).username
        #expect(names.contains(name))
        for other in names + ["miguel"] where other != name {
            await test.expect(.nameReserved) { try await test.auth.users.register(other, password: "python") }
        }
        let changes = try await events("username.changed").map(\.fields.details)
        #expect(changes.count == names.count && Set(changes).count == names.count)
    }

    /// Another node, which knows the token, hears of it within the revocation bound.
    @Test func whoIsDeletedMeanwhileHasNoProofAnyMore() async throws {
        _ = try await test.storage.deleteUser(id: miguel.userID, at: test.clock.now)
        let auth = test.auth
        await test.expect(.invalidToken) { try await auth.profiles.stored(miguel) }
        await test.expect(.invalidToken) { try await patch(#"{"name":"Miguel"}"#) }
        await test.expect(.userNotFound) { try await operate(#"{"name":"Miguel"}"#) }
        await test.expect(.invalidToken) { try await auth.profiles.rename(miguel, to: "susan") }
        await test.expect(.userNotFound) { try await auth.profiles.rename(miguel.userID, to: "susan") }
        await test.expect(.invalidToken) { try await auth.users.deleteAccount(of: miguel, confirming: nil) }
    }

    @Test func nobodyHasNoProfile() async throws {
        await test.expect(.userNotFound) { try await test.auth.profiles.profile(of: 99) }
        await test.expect(.userNotFound) {
            try await test.auth.profiles.patch(#"{"name":"x"}"#, of: 99, as: .operator)
        }
        await test.expect(.userNotFound) { try await test.auth.profiles.rename(99, to: "x") }
    }

    @Test func patchesAtOnceAreAllApplied() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 { group.addTask { try await patch(#"{"metadata":{"n\#(number)":1}}"#) } }
            try await group.waitForAll()
        }
        let stored = try await test.auth.profiles.profile(of: 1).metadata
        #expect((0..<20).allSatisfy { stored.contains("\"n\($0)\":1") })
    }

    // MARK: The address

    @Test func anotherAddressIsNotVerified() async throws {
        #expect(try await operate(#"{"email":"a@Example.com","email_verified":true}"#).isEmailVerified)
        #expect(try await operate(#"{"email_verified":true}"#).emailVerifiedAt == test.clock.now)
        // The same address, written otherwise.
        #expect(try await patch(#"{"email":"a@EXAMPLE.com"}"#).isEmailVerified)
        #expect(try await !patch(#"{"email":"A@EXAMPLE.com"}"#).isEmailVerified)
        #expect(try await operate(#"{"email_verified":true,"email":"c@d"}"#).isEmailVerified)
        #expect(try await !operate(#"{"email_verified":false}"#).isEmailVerified)
        #expect(try await patch(#"{"email":null}"#) == Profile())
        await test.expect(.validationFailed) { try await operate(#"{"email_verified":true}"#) }
        await test.expect(.validationFailed) { try await operate(#"{"email":null,"email_verified":true}"#) }
    }

    @Test func anAddressIsVerifiedByOne() async throws {
        let susan = try await test.auth.users.register("susan", password: "python")
        _ = try await operate(#"{"email":"x@example.com","email_verified":true}"#)
        _ = try await test.auth.profiles.patch(#"{"email":"x@EXAMPLE.com"}"#, of: susan.id, as: .operator)
        let error = await #expect(throws: AuthError.self) {
            try await test.auth.profiles.patch(#"{"email_verified":true}"#, of: susan.id, as: .operator)
        }
        #expect(error?.code == .emailTaken && error?.field == "email")
        #expect(try await !test.auth.profiles.profile(of: susan.id).isEmailVerified)
    }

    @Test func anotherAddressTakesARecentSignIn() async throws {
        let early = test.clock.now
        test.clock.advance(by: 901)
        let old = test.auth.login.vouch(for: try await test.auth.users.find(1), at: early)
        for text in [#"{"email":"a@b"}"#, #"{"name":"x","email":"a@b"}"#] {
            await test.expect(.insufficientUserAuthentication) { try await patch(text, as: old) }
        }
        #expect(try await test.auth.profiles.profile(of: 1) == Profile())
        #expect(try await patch(#"{"name":"x"}"#, as: old).name == "x")
        _ = try await operate(#"{"email":"a@b"}"#)
        #expect(try await patch(#"{"email":"a@b"}"#, as: old).email == "a@b")
        await test.expect(.insufficientUserAuthentication) { try await patch(#"{"email":null}"#, as: old) }
    }

    // MARK: Names

    @Test func anotherNameSignsIn() async throws {
        let tokens = try await test.signIn()
        let user = try await test.auth.profiles.rename(miguel, to: "Susan")
        #expect(user.username == "Susan" && user.id == 1)
        await test.expect(.invalidCredentials) { try await test.auth.login.identify("miguel", password: "python") }
        #expect(try await test.auth.login.identify("susan", password: "python").userID == 1)
        #expect(try await test.verify(tokens.access).username == "miguel")
        #expect(try await test.verify(test.auth.sessions.refresh(tokens.refresh.value).access).username == "Susan")
        let event = try #require(try await events("username.changed").first)
        #expect(event.fields.details == #"{"earlier_username":"miguel","username":"Susan"}"#)
    }

    @Test(arguments: [
        "", " ", "a:b", "eyJhbGciOiJIUzI1NiJ9.e30.x", "a\u{0}", "😀", "a|b", String(repeating: "a", count: 255),
        String(repeating: "a", count: 10_000), String(repeating: "日", count: 10_000),
    ])
    func whatIsNoNameIsRefused(text: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await test.auth.profiles.rename(miguel, to: text) }
        #expect(error?.code == .validationFailed && error?.field == "username")
    }

    @Test func anotherNameTakesARecentSignIn() async throws {
        let early = test.clock.now
        test.clock.advance(by: 901)
        let old = test.auth.login.vouch(for: try await test.auth.users.find(1), at: early)
        await test.expect(.insufficientUserAuthentication) { try await test.auth.profiles.rename(old, to: "susan") }
        #expect(try await test.auth.users.find(1).username == "miguel")
    }

    @Test func aNameThatWasGivenUpIsKeptForItsTime() async throws {
        _ = try await test.auth.profiles.rename(miguel, to: "susan")
        await test.expect(.nameReserved) { try await test.auth.users.register("Miguel", password: "python") }
        await test.expect(.nameReserved) { try await test.auth.registration.register("miguel", password: "python") }
        test.clock.advance(by: 90 * 86400 - 1)
        await test.expect(.nameReserved) { try await test.auth.users.register("miguel", password: "python") }
        test.clock.advance(by: 1)
        #expect(try await test.auth.users.register("miguel", password: "python").id == 2)
        await test.expect(.userAlreadyExists) { try await test.auth.profiles.rename(1, to: "miguel") }
    }

    /// Whoever reads a token by the name in it, or is told of one, must not take another for its
    /// user.
    @Test func aNameIsKeptAsLongAsATokenWithItMayLive() async throws {
        for (duration, kept) in [(600, 600), (1, 119)] as [(Int, TimeInterval)] {
            let test = try await TestAuth { ($0.usernameReservation, $0.tokenDuration) = (0, duration) }
            let tokens = try await test.session()
            _ = try await test.auth.profiles.rename(test.verify(tokens.access), to: "susan")
            test.clock.advance(by: kept)
            await test.expect(.nameReserved) { try await test.auth.users.register("miguel", password: "python") }
            test.clock.advance(by: 200)
            #expect(try await test.auth.users.register("miguel", password: "python").id == 2)
        }
    }

    @Test func nobodyHasNamesForTheOthersToLack() async throws {
        for number in 0..<Profiles.reservedNames {
            _ = try await test.auth.profiles.rename(miguel, to: "name\(number)")
        }
        await test.expect(.rateLimited) { try await test.auth.profiles.rename(miguel, to: "another") }
        _ = try await test.auth.profiles.rename(miguel, to: "miguel")
        #expect(try await test.auth.profiles.rename(1, to: "another").username == "another")
    }

    @Test func theSameNameIsNoChange() async throws {
        _ = try await test.auth.profiles.rename(miguel, to: "miguel")
        #expect(try await events("username.changed").isEmpty)
        _ = try await test.auth.profiles.rename(miguel, to: "MIGUEL")
        #expect(try await test.auth.users.find(1).username == "MIGUEL")
        #expect(try await test.storage.deleteUsernameReservations(expiredBefore: .distantFuture, limit: 9) == 0)
    }
}

/// Users with a second factor change their address and their name only with it.
@Suite struct ProfilesWithFactorsTests {
    @Test func withoutTheFactorNeitherIsChanged() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.users.register("miguel", password: "python")
        let storage = test.storage
        let app = StoredTOTP(id: "app", userID: user.id, name: "app", sealed: [1], createdAt: test.clock.now)
        #expect(try await storage.insertTOTP(app, limit: 5))
        _ = try await storage.confirmTOTP(
            id: "app", of: user.id, step: 1, at: test.clock.now, addedAfter: test.clock.now, limit: 5,
            recoveryCodes: StoredRecoveryCodes(sealedKey: [1], digests: []),
            recording: Samples.event(.factorAdded, user: user.id), and: Samples.event(.recoveryCodesMade, user: user.id)
        )
        let password = test.auth.login.vouch(for: user, at: test.clock.now)
        let both = test.auth.login.vouch(
            for: user, provenBy: [.password, .oneTimePassword, .multipleFactors], at: test.clock.now)
        await test.expect(.insufficientUserAuthentication) {
            try await test.auth.profiles.patch(#"{"email":"a@b"}"#, of: user.id, as: .owner(password))
        }
        await test.expect(.insufficientUserAuthentication) {
            try await test.auth.profiles.rename(password, to: "susan")
        }
        _ = try await test.auth.profiles.patch(#"{"email":"a@b"}"#, of: user.id, as: .owner(both))
        _ = try await test.auth.profiles.rename(both, to: "susan")
    }
}

/// Signing in with a mail address.
@Suite struct SignInByEmailTests {
    private func newTest(_ isOn: Bool = true) async throws -> TestAuth {
        let test = try await TestAuth { $0.signInByEmail = isOn }
        _ = try await test.auth.users.register("miguel", password: "python")
        _ = try await test.auth.profiles.patch(
            #"{"email":"Miguel@example.com","email_verified":true}"#, of: 1, as: .operator)
        return test
    }

    @Test func aVerifiedAddressSignsInWhereItIsAllowed() async throws {
        let test = try await newTest()
        for name in ["Miguel@example.com", "Miguel@EXAMPLE.com", "miguel", "MIGUEL"] {
            #expect(try await test.auth.login.identify(name, password: "python").userID == 1)
        }
        for name in [
            "miguel@example.com", "Miguel@example.org", "other@example.com", "@", "a@b@c", "Miguel@example.com ",
        ] {
            await test.expect(.invalidCredentials) { try await test.auth.login.identify(name, password: "python") }
        }
        await test.expect(.invalidCredentials) {
            try await test.auth.login.identify("Miguel@example.com", password: "wrong")
        }
        let off = try await newTest(false)
        await off.expect(.invalidCredentials) {
            try await off.auth.login.identify("Miguel@example.com", password: "python")
        }
    }

    @Test func anAddressThatIsNotVerifiedOpensNothing() async throws {
        let test = try await newTest()
        _ = try await test.auth.profiles.patch(#"{"email_verified":false}"#, of: 1, as: .operator)
        await test.expect(.invalidCredentials) {
            try await test.auth.login.identify("Miguel@example.com", password: "python")
        }
        _ = try await test.auth.users.register("susan", password: "monty")
        _ = try await test.auth.profiles.patch(
            #"{"email":"Miguel@example.com","email_verified":true}"#, of: 2, as: .operator)
        await test.expect(.invalidCredentials) {
            try await test.auth.login.identify("Miguel@example.com", password: "python")
        }
        #expect(try await test.auth.login.identify("Miguel@example.com", password: "monty").userID == 2)
    }

    /// Somebody took the address of another for a name before the setting was on.
    @Test func aNameThatLooksLikeAnAddressComesFirst() async throws {
        let test = try await newTest(false)
        _ = try await test.auth.users.register("miguel@example.com", password: "monty")
        let other = try await TestAuth(
            over: test.storage, secret: #require(test.auth.configuration.secret)
        ) { $0.signInByEmail = true }
        _ = try await other.auth.profiles.patch(
            #"{"email":"miguel@example.com","email_verified":true}"#, of: 1, as: .operator)
        await other.expect(.invalidCredentials) {
            try await other.auth.login.identify("miguel@example.com", password: "python")
        }
        #expect(try await other.auth.login.identify("miguel@example.com", password: "monty").userID == 2)
        #expect(try await other.auth.login.identify("miguel", password: "python").userID == 1)
    }

    @Test(arguments: ["a@b", "miguel@example.com", "@a", "a＠b"]) func newNamesHaveNoAt(name: String) async throws {
        let test = try await newTest()
        await test.expect(.validationFailed) { try await test.auth.users.register(name, password: "python") }
        await test.expect(.validationFailed) { try await test.auth.registration.register(name, password: "python") }
        await test.expect(.validationFailed) { try await test.auth.profiles.rename(1, to: name) }
        let off = try await newTest(false)
        #expect(throws: Never.self) { try Username(name) }
        _ = try await off.auth.users.register(name, password: "python")
    }

    @Test func guessesAreCountedByTheAccountWhicheverWasTyped() async throws {
        let test = try await newTest()
        let limit = test.auth.configuration.throttle.accountFailures
        for number in 0..<limit {
            let name = number.isMultiple(of: 2) ? "Miguel@example.com" : "miguel"
            await test.expect(.invalidCredentials) { try await test.auth.login.identify(name, password: "wrong") }
        }
        for name in ["Miguel@example.com", "miguel"] {
            await test.expect(.rateLimited) { try await test.auth.login.identify(name, password: "python") }
        }
    }
}
