import Authenticators
import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthTesting
import Testing

/// Signing in with a passkey, by itself and after a password, which the user `miguel` has.
@Suite struct PasskeySignInTests {
    private let test: TestAuth
    private let miguel: UserIdentity
    private let susan: UserIdentity
    private let key: SoftAuthenticator
    private let home = Caller(address: "192.0.2.7")

    private var passkeys: Passkeys { test.auth.passkeys }

    init() async throws {
        test = try await TestAuth.withPasskeys()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        miguel = try await test.proven(test.auth.users.find(named: "miguel").id)
        susan = try await test.proven(test.auth.users.find(named: "susan").id)
        key = try await test.newPasskey(of: miguel).authenticator
    }

    /// A user whose app took the place of the passkey between two looks has a factor all along.
    @Test func passkeysThatAreGoneMeanwhileAreNoReasonToAskForNothing() async throws {
        let passkeys = try await passkeys.list(of: miguel.userID)
        let factors = StoredFactors(totp: [], recoveryCodes: 0, passkeys: 1)
        #expect(try factors.descriptions(with: passkeys).map(\.kind) == [.passkey])
        let error = #expect(throws: AuthError.self) { try factors.descriptions(with: []) }
        #expect(error?.code == .storageUnavailable && error?.retryAfter == 1)
        #expect(try StoredFactors(totp: [], recoveryCodes: 0).descriptions(with: []).isEmpty)
    }

    /// An answer to options for signing in.
    private func answer(
        named name: String? = nil, _ authenticator: SoftAuthenticator? = nil,
        _ alter: (inout SoftAuthenticator) -> Void = { _ in }
    ) async throws -> String {
        var answering = try await (authenticator ?? key).answering(passkeys.signInOptions(named: name).json)
        alter(&answering)
        return try answering.gotText
    }

    private func signIn(_ answer: String, by caller: Caller? = nil) async throws -> UserIdentity {
        try await test.auth.login.attempt(passkey: answer, by: caller ?? home).completed()
    }

    private func ticket(_ name: String = "miguel") async throws -> String {
        let signIn = try await test.auth.login.attempt(name, password: "python", by: home)
        guard case .continues(let ticket, _) = signIn else {
            Issue.record("it did not go on")
            return ""
        }
        return ticket.value
    }

    private func second(_ ticket: String, _ answer: String) async throws -> UserIdentity {
        try await test.auth.login.answer(.credential(answer), of: ticket, by: home).completed()
    }

    // MARK: By itself

    @Test(arguments: [nil, "miguel", "MIGUEL"])
    func aPasskeyIsASignInOfTwoFactors(name: String?) async throws {
        let identity = try await signIn(answer(named: name))
        #expect(identity.userID == miguel.userID)
        #expect(identity.authentication.methods == [.hardwareKey, .userPresence, .multipleFactors])
        #expect(identity.authentication.contextClass == "aal2")
        let tokens = try await test.auth.sessions.start(for: identity, by: home)
        #expect(try await test.verify(tokens.access).authentication.methods == identity.authentication.methods)
        let stored = try await passkeys.list(of: miguel.userID)
        #expect(stored.first?.lastUsedAt == test.clock.now && stored.first?.signCount == key.signCount)
    }

    @Test func onethatCanBeCopiedIsASoftwareKey() async throws {
        let copied = try await test.newPasskey(of: susan, flags: 0x1D).authenticator
        let identity = try await signIn(answer(named: nil, copied))
        #expect(identity.authentication.methods == [.softwareKey, .userPresence, .multipleFactors])
    }

    @Test func aUserWithoutAPasswordSignsIn() async throws {
        let bare = try await test.userWithoutPassword("bare")
        let own = try await test.newPasskey(of: bare).authenticator
        let identity = try await signIn(answer(named: nil, own))
        #expect(identity.userID == bare.userID)
        _ = try await test.auth.sessions.start(for: identity, by: home)
    }

    @Test func theListedPasskeysAreThoseOfTheName() async throws {
        let options = try await passkeys.signInOptions(named: "miguel").json
        let own = JSON.string(Base64.url.encode(key.credentialID))
        #expect(
            options["allowCredentials"]
                == [["type": "public-key", "id": own, "transports": ["internal", "hybrid"]]])
        #expect(options["userVerification"] == "required" && options["rpId"] == "example.org")
        #expect(try await passkeys.signInOptions().json["allowCredentials"] == [])
    }

    /// Nobody learns from options who has a passkey, or an account.
    @Test(arguments: ["susan", "nobody", "no body", "", String(repeating: "x", count: 1000)])
    func whoHasNoneIsGivenOne(name: String) async throws {
        let (one, other) = try await (passkeys.signInOptions(named: name), passkeys.signInOptions(named: name))
        #expect(one.json["allowCredentials"] == other.json["allowCredentials"])
        guard case .array(let listed)? = one.json["allowCredentials"] else {
            Issue.record("nothing is listed")
            return
        }
        #expect(listed.count == 1)
    }

    /// All of these are one answer.
    @Test func whatIsNotRightIsRefused() async throws {
        let stranger = try await test.newAuthenticator(for: susan)
        var other = key
        other.key = stranger.key
        let susans = try await test.newPasskey(of: susan).authenticator
        let registration = try await key.answering(passkeys.registrationOptions(for: miguel).json).gotText
        var answers = [
            "", "{}", "[]", registration,
            // Not known; known and signed by another key; of a user who has another name.
            try await answer(named: nil, stranger), try await answer(named: "miguel", stranger),
            try await answer(named: "nobody", stranger), try await answer(named: nil, other),
            try await answer(named: "nobody"), try await answer(named: "susan"),
            try await answer(named: "miguel", susans),
        ]
        let alterations: [(inout SoftAuthenticator) -> Void] = [
            { $0.flags = 0x01 }, { $0.flags = 0x04 }, { $0.flags = 0x0D }, { $0.relyingPartyID = "example.com" },
            { $0.set("origin", #""https://example.com""#) }, { $0.set("type", #""webauthn.create""#) },
            { $0.set("crossOrigin", "true") }, { $0.userHandle = susans.userHandle },
            { $0.alterSignature = { $0.dropLast() + [($0.last ?? 0) ^ 1] } },
            { $0.set("challenge", #""\#(Base64.url.encode(Random.bytes(32)))""#) },
        ]
        for alter in alterations { answers.append(try await answer(named: nil, key, alter)) }
        for (number, answer) in answers.enumerated() {
            let error = await #expect(throws: AuthError.self, "\(number)") { try await signIn(answer) }
            #expect(error == AuthError(.invalidCredentials, "Unauthorized Access"), "\(number)")
        }
        let unused = try await passkeys.list(of: miguel.userID).first
        #expect(unused?.lastUsedAt == nil)
        _ = try await signIn(answer())
    }

    /// Whoever sends what no options asked for is not told by the time whether the passkey is
    /// known: the signature comes first in each case.
    @Test func aSignatureIsVerifiedWhateverTheChallenge() async throws {
        let stranger = try await test.newAuthenticator(for: susan)
        let challenge = #""\#(Base64.url.encode(Random.bytes(32)))""#
        func reasons(_ authenticator: SoftAuthenticator, _ alter: @Sendable @escaping ([UInt8]) -> [UInt8]) async throws
            -> [String]
        {
            let answer = try await answer(named: nil, authenticator) {
                $0.set("challenge", challenge)
                $0.alterSignature = alter
            }
            let lines = LogLines(level: .debug)
            await lines.take { await test.expect(.invalidCredentials) { try await signIn(answer) } }
            return lines.reasons
        }
        let broken: @Sendable ([UInt8]) -> [UInt8] = { $0.dropLast() + [($0.last ?? 0) ^ 1] }
        #expect(try await reasons(key, broken) == ["signature"])
        #expect(try await reasons(stranger, broken) == ["unknown_credential"])
        #expect(try await reasons(key) { $0 } == ["challenge"])
    }

    @Test func anAnswerIsGoodOnceAndForFiveMinutes() async throws {
        let answers = try await [answer(), answer(named: "miguel")]
        for answer in answers {
            _ = try await signIn(answer)
            await test.expect(.invalidCredentials) { try await signIn(answer) }
        }
        let (late, last) = try await (answer(), answer())
        test.clock.advance(by: 299)
        _ = try await signIn(last)
        test.clock.advance(by: 1)
        await test.expect(.invalidCredentials) { try await signIn(late) }
    }

    @Test func ofTwentyAtOnceOneSignsIn() async throws {
        let answer = try await answer()
        let count = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { (try? await signIn(answer)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 1)
    }

    @Test func aDisabledUserAndADeletedPasskeySignNobodyIn() async throws {
        let (one, other) = try await (answer(), answer())
        try await test.auth.users.disable(miguel.userID)
        await test.expect(.invalidCredentials) { try await signIn(one) }
        try await test.auth.users.enable(miguel.userID)
        _ = try await signIn(one)
        let id = try #require(try await passkeys.list(of: miguel.userID).first?.id)
        try await passkeys.delete(id, of: miguel)
        await test.expect(.invalidCredentials) { try await signIn(other) }
    }

    /// Whoever finds a key without a PIN can give it one.
    @Test func oneThatNeverVerifiedItsUserDoesNotSignInByItself() async throws {
        let bare = try await test.newPasskey(of: susan, flags: 0x01).authenticator
        func verifying(_ authenticator: inout SoftAuthenticator) { authenticator.flags = 0x05 }
        let early = try await answer(named: nil, bare, verifying)
        await test.expect(.invalidCredentials) { try await signIn(early) }
        let ticket = try await ticket("susan")
        let options = try await test.auth.login.passkeyOptions(for: ticket, by: home)
        var second = bare.answering(options.json)
        second.flags = 0x05
        _ = try await self.second(ticket, second.gotText)
        _ = try await signIn(answer(named: nil, bare, verifying))
    }

    @Test func aCounterThatWentBackIsAnEventAndNoRefusal() async throws {
        _ = try await signIn(answer(named: nil, key) { $0.signCount = 100 })
        #expect(try await test.recorded(.passkeyCounterWentBack) == 0)
        for _ in 0..<2 { _ = try await signIn(answer(named: nil, key) { $0.signCount = 50 }) }
        _ = try await signIn(answer(named: nil, key) { $0.signCount = 51 })
        #expect(try await test.recorded(.passkeyCounterWentBack) == 2)
        let event = try await test.storage.events(after: 0, limit: 1000).first {
            $0.fields.name == "passkey.counter_went_back"
        }
        #expect(event?.fields.details.contains(#""from":"100""#) == true)
    }

    @Test func guessesFromElsewhereDoNotHoldItUp() async throws {
        for number in 0..<30 {
            let guess = Caller(address: "198.51.100.\(number)")
            _ = try? await test.auth.login.attempt("miguel", password: "x", by: guess)
        }
        await test.expect(.rateLimited) { try await test.auth.login.attempt("miguel", password: "python", by: home) }
        _ = try await signIn(answer())
        // Wrong answers are not counted.
        for _ in 0..<30 { await test.expect(.invalidCredentials) { try await signIn("{}") } }
        _ = try await signIn(answer())
    }

    // MARK: After a password

    @Test func afterAPasswordItIsTheSecondFactor() async throws {
        let ticket = try await ticket()
        let options = try await test.auth.login.passkeyOptions(for: ticket, by: home)
        #expect(options.json["userVerification"] == "preferred")
        var present = key.answering(options.json)
        present.flags = 0x01
        let identity = try await second(ticket, present.gotText)
        #expect(identity.userID == miguel.userID)
        #expect(identity.authentication.methods == [.password, .hardwareKey, .multipleFactors])
    }

    @Test func aTicketTakesItsOwnPasskeyOnce() async throws {
        let susans = try await test.newPasskey(of: susan).authenticator
        let (ticket, other) = try await (ticket(), self.ticket())
        let options = try await test.auth.login.passkeyOptions(for: ticket, by: home)
        let good = try key.answering(options.json).gotText
        // For another ticket, without one, of another user, for another one's ticket.
        await test.expect(.invalidCode) { try await second(other, good) }
        await test.expect(.invalidCredentials) { try await signIn(good) }
        let foreign = try susans.answering(options.json).gotText
        let own = try await answer()
        let registration = try await key.answering(passkeys.registrationOptions(for: miguel).json).gotText
        for wrong in [foreign, own, registration] {
            await test.expect(.invalidCode) { try await second(ticket, wrong) }
        }
        _ = try await second(ticket, good)
        await test.expect(.ticketExpired) { try await second(ticket, good) }
        await test.expect(.ticketExpired) {
            try await test.auth.login.passkeyOptions(for: ticket, by: Caller(address: "192.0.2.7"))
        }
    }

    @Test func aTicketTakesFiveAnswers() async throws {
        let ticket = try await ticket()
        let good = try await key.answering(test.auth.login.passkeyOptions(for: ticket, by: home).json).gotText
        for _ in 0..<5 { await test.expect(.invalidCode) { try await second(ticket, "{}") } }
        await test.expect(.ticketExpired) { try await second(ticket, good) }
    }

    @Test func aTicketIsForItsNetworkAndForWhoHasAPasskey() async throws {
        let ticket = try await ticket()
        await test.expect(.ticketExpired) {
            try await test.auth.login.passkeyOptions(for: ticket, by: Caller(address: "198.51.100.1"))
        }
        await test.expect(.ticketExpired) { try await test.auth.login.passkeyOptions(for: "x", by: home) }
        _ = try await test.newApp(of: susan)
        let susans = try await self.ticket("susan")
        await test.expect(.factorNotFound) { try await test.auth.login.passkeyOptions(for: susans, by: home) }
    }

    // MARK: In a session

    @Test func aSessionIsRaisedByAnAnswerForItself() async throws {
        func session() async throws -> UserIdentity {
            try await test.verify(test.auth.sessions.start(for: miguel, by: home).access)
        }
        let (user, other) = try await (session(), session())
        let id = try #require(user.sessionID)
        let good = try await key.answering(passkeys.stepUpOptions(for: user).json).gotText
        func take(_ answer: String, of user: UserIdentity, _ session: Session.ID?) async throws -> FactorDescription? {
            try await passkeys.take(answer, of: user.userID, for: .stepUp(#require(session)), by: home)
        }
        #expect(try await take(good, of: other, other.sessionID) == nil)
        #expect(try await take(good, of: susan, id) == nil)
        #expect(try await take(answer(), of: user, id) == nil)
        await test.expect(.invalidCredentials) { try await signIn(good) }
        let factor = try await take(good, of: user, id)
        #expect(factor?.kind == .passkey && factor?.method == .hardwareKey)
        #expect(try await take(good, of: user, id) == nil)
        await test.expect(.insufficientUserAuthentication) { try await passkeys.stepUpOptions(for: miguel) }
    }
}
