import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// The tokens that users give to programs: made after a sign-in, verified by one query, refused at
/// once when they are deleted.
@Suite struct PersonalTokensTests {
    private let test: TestAuth
    private let user: UserIdentity

    init() async throws {
        test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        user = try await test.auth.login.identify("miguel", password: "python")
    }

    private var tokens: PersonalTokens { test.auth.personalTokens }

    private func create(
        _ name: String = "ci", scopes: [String] = ["notes:read"], lifetime: ProgramToken.Lifetime = .standard
    ) async throws -> NewProgramToken {
        try await tokens.create(name, scopes: scopes, lifetime: lifetime, for: user)
    }

    private func verify(_ token: NewProgramToken) async throws -> UserIdentity {
        try #require(try await test.auth.programTokens.verify(Array(token.value.utf8)).identity.user)
    }

    /// An access token's identity of `seconds` ago.
    private func signedIn(_ seconds: TimeInterval, methods: [Authentication.Method] = [.password]) async throws
        -> UserIdentity
    {
        test.auth.login.vouch(
            for: try await test.auth.users.find(named: "miguel"), provenBy: methods,
            at: test.clock.now.addingTimeInterval(-seconds))
    }

    @Test func aTokenStandsForItsOwnerWithinItsScope() async throws {
        try await test.auth.users.grant("auditor", to: user.userID)
        let new = try await create("nightly job", scopes: ["notes:write", "profile"])
        #expect(new.token.name == "nightly job" && new.value.hasSuffix(new.token.lastFour))
        let identity = try await verify(new)
        #expect(identity.userID == user.userID && identity.username == "miguel" && identity.roles == ["auditor"])
        #expect(identity.scope == ["notes:write", "profile"] && identity.presented == .personalToken(new.token.id))
        #expect(identity.authentication.methods.isEmpty && identity.sessionID == nil)
        #expect(throws: AuthError.self) {
            try Requirement.signedIn(within: 1_000_000).check(identity, at: test.clock.now)
        }
        #expect(throws: AuthError.self) { try Requirement.secondFactor.check(identity, at: test.clock.now) }
        let verified = try await test.auth.programTokens.verify(Array(new.value.utf8))
        #expect(verified.expiresAt == test.clock.now + 90 * 86400 && verified.checkedAt == test.clock.now)
    }

    @Test func rolesAreThoseOfNow() async throws {
        let new = try await create()
        #expect(try await verify(new).roles.isEmpty)
        try await test.auth.users.grant("auditor", to: user.userID)
        #expect(try await verify(new).roles == ["auditor"])
        try await test.auth.users.revoke("auditor", from: user.userID)
        #expect(try await verify(new).roles.isEmpty)
    }

    // MARK: Refused tokens

    @Test func onlyTokensOfThisInstanceAreVerified() async throws {
        let new = try await create()
        let other = try await TestAuth()
        _ = try await other.auth.users.register("miguel", password: "python")
        let foreign = try await other.auth.personalTokens.create(
            "ci", scopes: ["a"], for: other.auth.login.identify("miguel", password: "python"))
        let bytes = Array(new.value.utf8)
        var refused: [[UInt8]] = [
            Array(foreign.value.utf8), [], Array(bytes.dropLast()), bytes + [0x30], Array(bytes.dropFirst(7)),
            ProgramToken.Form(.personal).bytes, ProgramToken.Form(.service).bytes,
            Array("ra_svc_".utf8) + bytes.dropFirst(7), Array(new.token.id.description.utf8),
        ]
        refused += bytes.indices.map { index in
            var changed = bytes
            changed[index] ^= 2
            return changed
        }
        for token in refused {
            await test.expect(.invalidToken) { try await test.auth.programTokens.verify(token) }
        }
        _ = try await verify(new)
    }

    @Test func anExpiredTokenIsRefusedToTheSecondAndListedForAMonth() async throws {
        let new = try await create(lifetime: .seconds(60))
        test.clock.advance(by: 59.9)
        _ = try await verify(new)
        test.clock.advance(by: 0.1)
        await test.expect(.invalidToken) { try await verify(new) }
        let listed = try #require(try await tokens.list(of: user.userID).first)
        #expect(listed.isExpired(at: test.clock.now))
        test.clock.advance(by: 30 * 86400 - 60)
        try await PersonalTokensRoom.sweep(test.auth)
        #expect(try await tokens.list(of: user.userID).count == 1)
        test.clock.advance(by: 1000)
        try await PersonalTokensRoom.sweep(test.auth)
        #expect(try await tokens.list(of: user.userID).isEmpty)
    }

    @Test func aDeletedTokenAndThatOfADisabledUserAreRefused() async throws {
        let (one, two) = (try await create("one"), try await create("two"))
        try await tokens.delete(one.token.id, of: user.userID)
        await test.expect(.invalidToken) { try await verify(one) }
        await test.expect(.tokenNotFound) { try await tokens.delete(one.token.id, of: user.userID) }
        _ = try await verify(two)
        try await test.auth.users.disable(user.userID)
        await test.expect(.invalidToken) { try await verify(two) }
        try await test.auth.users.enable(user.userID)
        _ = try await verify(two)
        try await test.auth.users.delete(user.userID)
        await test.expect(.invalidToken) { try await verify(two) }
    }

    @Test func aTokenIsTheOwnersAlone() async throws {
        let new = try await create()
        _ = try await test.auth.users.register("susan", password: "python")
        let susan = try await test.auth.login.identify("susan", password: "python")
        await test.expect(.tokenNotFound) { try await tokens.delete(new.token.id, of: susan.userID) }
        await test.expect(.tokenNotFound) { try await tokens.rotate(new.token.id, of: susan) }
        #expect(try await tokens.list(of: susan.userID).isEmpty)
        _ = try await verify(new)
    }

    // MARK: Making

    @Test func makingOneTakesARecentSignIn() async throws {
        for seconds in [901.0, 86400] {
            let late = try await signedIn(seconds)
            await test.expect(.insufficientUserAuthentication) {
                try await tokens.create("ci", scopes: ["a"], for: late)
            }
        }
        _ = try await tokens.create("ci", scopes: ["a"], for: signedIn(899))
    }

    @Test func aUserWithAFactorGivesIt() async throws {
        _ = try await test.newApp(of: test.proven(user.userID))
        let byPassword = try await signedIn(0)
        await test.expect(.insufficientUserAuthentication) {
            try await tokens.create("ci", scopes: ["a"], for: byPassword)
        }
        let proven = try await signedIn(10, methods: [.password, .oneTimePassword, .multipleFactors])
        _ = try await tokens.create("ci", scopes: ["a"], for: proven)
    }

    @Test func aTokenMakesNoOther() async throws {
        let (own, other) = (
            try await create(scopes: ["tokens", "profile"]),
            try await create("wider", scopes: ["tokens", "notes:write"])
        )
        let identity = try await verify(own)
        await test.expect(.forbidden) { try await tokens.create("ci", scopes: ["tokens"], for: identity) }
        await test.expect(.forbidden) { try await tokens.rotate(other.token.id, of: identity) }
        // Nor does the application of a client, which has a scope.
        let scoped = UserIdentity(
            userID: user.userID, username: "miguel", roles: [], authentication: user.authentication,
            presented: .password, scope: ["tokens"])
        await test.expect(.forbidden) { try await tokens.create("ci", scopes: ["tokens"], for: scoped) }
        await test.expect(.forbidden) { try await tokens.rotate(own.token.id, of: scoped) }
        let rotated = try await tokens.rotate(own.token.id, of: identity)
        #expect(rotated.new.token.scopes == own.token.scopes)
        #expect(try await verify(rotated.new).scope == ["tokens", "profile"])
    }

    @Test(arguments: [
        "", " ", " ci", "ci ", String(repeating: "x", count: 65), String(repeating: "x", count: 10_000),
        "a\u{202E}b", "a\nb", "\u{200B}", "\u{2060}\u{200D}", "\u{3164}", "\u{2800}", "\u{FE0F}", "\u{301}", "a\0b",
        "\u{E000}", "\u{AD}\u{AD}", "\u{1B}[31m",
    ])
    func aNameThatCannotBeReadIsRefused(_ name: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await create(name) }
        #expect(error?.code == .validationFailed && error?.field == "name")
        #expect(try await tokens.list(of: user.userID).isEmpty)
    }

    @Test(arguments: ["x", "李小龍 😀", String(repeating: "ü", count: 64), "'; DROP TABLE users; --", "a\u{301}"])
    func aNameIsKeptAsItIs(_ name: String) async throws {
        #expect(try await create(name).token.name == name)
        #expect(try await tokens.list(of: user.userID).map(\.name) == [name])
    }

    @Test(arguments: [
        [], [""], ["a b"], ["a  b"], ["\"a\""], ["a\"b"], ["a\\b"], ["a", "a"], ["ü"], ["a\n"], ["a\0"],
        [String(repeating: "x", count: 65)],
        (0...20).map { "w\($0)" }, ["a", ""], ["a\u{7F}"],
    ])
    func scopesOfAnotherFormAreRefused(_ scopes: [String]) async throws {
        let error = await #expect(throws: AuthError.self) { try await create(scopes: scopes) }
        #expect(error?.code == .validationFailed && error?.field == "scopes")
    }

    @Test func scopesOfOperatorsAreForOperators() async throws {
        // Also words that only look like them: for scopes to come, and where case is ignored.
        for word in ["operator", "operator:read"] {
            await test.expect(.forbidden) { try await create(scopes: ["notes:read", word]) }
        }
        // Nobody gets these, so that none is taken for one of the others.
        for word in ["Operator", "operator:write", "operator:", "OPERATOR:read"] {
            await test.expect(.validationFailed) { try await create(scopes: ["notes:read", word]) }
        }
        _ = try await create(scopes: ["operators", "rest-operator", "notes:operator"])
        try await test.auth.users.grant("rest-auth:operator", to: user.userID)
        let now = try await test.auth.login.identify("miguel", password: "python")
        let new = try await tokens.create("ops", scopes: ["operator"], for: now)
        #expect(try await verify(new).scope == ["operator"])
    }

    @Test func aLifetimeHasItsBounds() async throws {
        for seconds in [0, 59, -1, 365 * 86400 + 1, .max, .min] {
            let error = await #expect(throws: AuthError.self) { try await create(lifetime: .seconds(seconds)) }
            #expect(error?.code == .validationFailed && error?.field == "expires_in")
        }
        await test.expect(.validationFailed) { try await create(lifetime: .unlimited) }
        #expect(try await create(lifetime: .seconds(60)).token.expiresAt == test.clock.now + 60)
        #expect(try await create(lifetime: .seconds(365 * 86400)).token.expiresAt == test.clock.now + 365 * 86400)
        #expect(try await create().token.lifetime == 90 * 86400)
    }

    @Test func theSettingAllowsTokensForEver() async throws {
        let free = try await TestAuth { $0.personalTokenMaximumLifetime = nil }
        _ = try await free.auth.users.register("miguel", password: "python")
        let user = try await free.auth.login.identify("miguel", password: "python")
        let new = try await free.auth.personalTokens.create("ci", scopes: ["a"], lifetime: .unlimited, for: user)
        #expect(new.token.expiresAt == nil)
        await free.expect(.validationFailed) {
            try await free.auth.personalTokens.create("ci", scopes: ["a"], lifetime: .seconds(.max), for: user)
        }
        free.clock.advance(by: 3650 * 86400)
        _ = try await free.auth.programTokens.verify(Array(new.value.utf8))
        for seconds in [59, 3650 * 86400 + 1] {
            await #expect(throws: AuthError.self) { try await TestAuth { $0.personalTokenLifetime = seconds } }
            await #expect(throws: AuthError.self) { try await TestAuth { $0.personalTokenMaximumLifetime = seconds } }
        }
    }

    @Test func aLifetimeBeyondTheMaximumIsRefusedAtTheStart() async throws {
        for (lifetime, maximum) in [(nil, 3600), (3601, 3600), (365 * 86400 + 1, nil)] as [(Int?, Int?)] {
            let error = await #expect(throws: AuthError.self) {
                try await TestAuth {
                    if let lifetime { $0.personalTokenLifetime = lifetime }
                    if let maximum { $0.personalTokenMaximumLifetime = maximum }
                }
            }
            #expect(error?.code == .misconfigured)
            #expect(error?.detail.contains("personal token lifetime") == true)
            #expect(error?.detail.contains("personal token maximum lifetime") == true)
        }
        for maximum in [3600, nil] {
            _ = try await TestAuth { ($0.personalTokenLifetime, $0.personalTokenMaximumLifetime) = (3600, maximum) }
        }
    }

    /// What is refused costs the owner, who signs in by the same allowance, nothing.
    @Test func aRefusedRotationIsNotCounted() async throws {
        let test = try await TestAuth { $0.throttle.sessionsPerHour = 3 }
        _ = try await test.auth.users.register("miguel", password: "python")
        let user = try await test.auth.login.identify("miguel", password: "python")
        let tokens = test.auth.personalTokens
        let old = try await tokens.create("ci", scopes: ["tokens"], lifetime: .seconds(600), for: user)
        let thief = try #require(try await test.auth.programTokens.verify(Array(old.value.utf8)).identity.user)
        let new = try await tokens.rotate(old.token.id, overlap: 300, of: thief).new
        for _ in 0..<5 {
            await test.expect(.validationFailed) { try await tokens.rotate(new.token.id, overlap: 1, of: user) }
            await test.expect(.tokenExpired) { try await tokens.rotate(old.token.id, of: thief) }
            await test.expect(.tokenNotFound) { try await tokens.rotate(ProgramToken.ID(at: test.clock.now), of: user) }
        }
        _ = try await test.auth.sessions.start(for: user)
        await test.expect(.rateLimited) { try await test.auth.sessions.start(for: user) }
    }

    @Test func whoIsGoneMakesNoToken() async throws {
        _ = try await test.storage.deleteUser(id: user.userID, at: test.clock.now)
        await test.expect(.invalidToken) { try await create() }
    }

    /// The longest time that a token may live was made shorter since the token was made.
    @Test func aRotationKeepsToAMaximumThatWasLowered() async throws {
        let (storage, secret) = (try await SQLiteStorage(), InstanceSecret())
        let free = try await TestAuth(over: storage, secret: secret, clock: test.clock) {
            $0.personalTokenMaximumLifetime = nil
        }
        let strict = try await TestAuth(over: storage, secret: secret, clock: test.clock) {
            ($0.personalTokenLifetime, $0.personalTokenMaximumLifetime) = (3600, 7200)
        }
        _ = try await free.auth.users.register("miguel", password: "python")
        let user = try await free.auth.login.identify("miguel", password: "python")
        for lifetime in [ProgramToken.Lifetime.unlimited, .seconds(7201), .seconds(3650 * 86400)] {
            let old = try await free.auth.personalTokens.create("ci", scopes: ["a"], lifetime: lifetime, for: user)
            let rotated = try await strict.auth.personalTokens.rotate(old.token.id, of: user)
            #expect(rotated.new.token.lifetime == 7200)
            #expect(rotated.new.token.expiresAt == test.clock.now + 7200)
            let again = try await free.auth.personalTokens.rotate(rotated.new.token.id, of: user)
            #expect(again.new.token.lifetime == 7200)
        }
        let short = try await free.auth.personalTokens.create("ci", scopes: ["a"], lifetime: .seconds(60), for: user)
        #expect(try await strict.auth.personalTokens.rotate(short.token.id, of: user).new.token.lifetime == 60)
    }

    @Test func fiftyAreEnough() async throws {
        for number in 0..<50 { _ = try await create("\(number)", lifetime: .seconds(number == 0 ? 60 : 3600)) }
        await test.expect(.tooManyTokens) { try await create() }
        let tokens = try await tokens.list(of: user.userID)
        #expect(Set(tokens.map(\.id)).count == 50)
        // Who has as many can rotate nevertheless, and an expired one makes room.
        _ = try await self.tokens.rotate(#require(tokens.last).id, overlap: 120, of: user)
        test.clock.advance(by: 120)
        _ = try await create("51")
        await test.expect(.tooManyTokens) { try await create("52") }
    }

    // MARK: Rotating

    @Test func theOneBeforeLivesOnForAWhile() async throws {
        let new = try await create("ci", scopes: ["b", "a"], lifetime: .seconds(7200))
        test.clock.advance(by: 600)
        let rotated = try await tokens.rotate(new.token.id, overlap: 300, of: user)
        #expect(rotated.new.value != new.value && rotated.new.token.name == "ci")
        #expect(rotated.new.token.scopes == ["a", "b"] && rotated.new.token.lifetime == 7200)
        #expect(rotated.new.token.expiresAt == test.clock.now + 7200)
        #expect(rotated.previousExpiresAt == test.clock.now + 300)
        _ = try await verify(new)
        _ = try await verify(rotated.new)
        test.clock.advance(by: 300)
        await test.expect(.invalidToken) { try await verify(new) }
        await test.expect(.tokenExpired) { try await tokens.rotate(new.token.id, of: user) }
        _ = try await verify(rotated.new)
    }

    /// Whoever has stolen it cannot go on with it.
    @Test func aTokenIsRotatedOnce() async throws {
        let new = try await create()
        _ = try await tokens.rotate(new.token.id, of: user)
        await test.expect(.tokenExpired) { try await tokens.rotate(new.token.id, of: user) }
        _ = try await verify(new)
        #expect(try await tokens.list(of: user.userID).count == 2)
    }

    @Test func aRotationHasItsBounds() async throws {
        let new = try await create()
        for overlap in [-1, 1, 119, 7 * 86400 + 1, .max, .min] {
            let error = await #expect(throws: AuthError.self) {
                try await tokens.rotate(new.token.id, overlap: overlap, of: user)
            }
            #expect(error?.code == .validationFailed && error?.field == "overlap")
        }
        let late = try await signedIn(901)
        await test.expect(.insufficientUserAuthentication) { try await tokens.rotate(new.token.id, of: late) }
        for overlap in [120, 7 * 86400] {
            let other = try await create()
            let end = try await tokens.rotate(other.token.id, overlap: overlap, of: user).previousExpiresAt
            #expect(end == test.clock.now + TimeInterval(overlap))
        }
        let rotated = try await tokens.rotate(new.token.id, overlap: 0, of: user)
        await test.expect(.invalidToken) { try await verify(new) }
        await test.expect(.tokenExpired) { try await tokens.rotate(new.token.id, of: user) }
        let standard = try await tokens.rotate(rotated.new.token.id, of: user)
        #expect(standard.previousExpiresAt == test.clock.now + 86400)
        // An overlap does not put off an expiry.
        let short = try await create("short", lifetime: .seconds(60))
        #expect(
            try await tokens.rotate(short.token.id, overlap: 3600, of: user).previousExpiresAt == test.clock.now + 60)
    }

    // MARK: Use

    @Test func aUseIsNotedOnceAMinuteAndNeverInTheWay() async throws {
        let new = try await create()
        func lastUsedAt() async throws -> Date? { try await tokens.list(of: user.userID).first?.lastUsedAt }
        #expect(try await lastUsedAt() == nil)
        let start = test.clock.now
        _ = try await verify(new)
        #expect(try await lastUsedAt() == start)
        test.clock.advance(by: 59)
        _ = try await verify(new)
        #expect(try await lastUsedAt() == start)
        test.clock.advance(by: 1)
        _ = try await verify(new)
        #expect(try await lastUsedAt() == start + 60)
    }

    @Test func everyChangeIsAnEventThatTheOwnerIsShown() async throws {
        let new = try await create("ci", scopes: ["b", "a"])
        let rotated = try await tokens.rotate(new.token.id, of: user)
        try await tokens.delete(new.token.id, of: user.userID)
        let events = try await test.auth.auditTrail.events(of: user.userID, before: nil, limit: 10)
            .filter { $0.name.rawValue.hasPrefix("token.") }
        #expect(events.map(\.name) == [.tokenDeleted, .tokenRotated, .tokenCreated])
        let (old, fresh) = (new.token.id.description, rotated.new.token.id.description)
        #expect(
            events.map(\.details) == [
                ["token_id": old, "name": "ci"], ["token_id": fresh, "earlier_token_id": old, "name": "ci"],
                ["token_id": old, "name": "ci", "scopes": "a b"],
            ])
        for event in try await test.storage.events(after: 0, limit: 100) {
            for token in [new, rotated.new] { #expect(!event.fields.details.contains(token.value)) }
        }
        for text in ["\(new)", String(reflecting: new), "\(rotated)"] { #expect(!text.contains("ra_pat_")) }
    }
}
