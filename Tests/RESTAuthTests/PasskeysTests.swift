import Authenticators
import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthTesting
import Testing

/// Adding, listing, renaming and deleting passkeys. Signing in with them has a suite of its own.
@Suite struct PasskeysTests {
    private let test: TestAuth
    private let miguel: UserIdentity
    private let susan: UserIdentity
    private let home = Caller(address: "192.0.2.7", userAgent: "curl/8")

    private var passkeys: Passkeys { test.auth.passkeys }

    init() async throws {
        test = try await TestAuth.withPasskeys()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        miguel = try await test.proven(test.auth.users.find(named: "miguel").id)
        susan = try await test.proven(test.auth.users.find(named: "susan").id)
    }

    private func add(
        _ authenticator: SoftAuthenticator, named name: String = "phone", for user: UserIdentity? = nil
    ) async throws -> Passkeys.Added {
        try await passkeys.add(authenticator.createdText, named: name, for: user ?? miguel, by: home)
    }

    @Test(arguments: PasskeyAlgorithm.allCases)
    func aPasskeyIsAddedAndAskedFor(algorithm: PasskeyAlgorithm) async throws {
        var authenticator = try await test.newAuthenticator(for: miguel, algorithm)
        authenticator.flags = 0x1D
        let added = try await add(authenticator, named: "my phone")
        #expect(added.recoveryCodes?.count == 10)
        let passkey = added.passkey
        #expect(passkey.credentialID == authenticator.credentialID && passkey.name == "my phone")
        #expect(passkey.isBackupEligible && passkey.isBackedUp && passkey.isUserVerified)
        #expect(passkey.transports == ["internal", "hybrid"] && passkey.createdAt == test.clock.now)
        #expect(try await passkeys.list(of: miguel.userID) == [passkey])
        #expect(try await passkeys.list(of: susan.userID).isEmpty)
        let factors = try await test.auth.factors.descriptions(of: miguel.userID)
        #expect(factors.map(\.kind) == [.passkey, .recoveryCodes])
        #expect(factors.first?.name == "my phone" && factors.first?.method == .softwareKey)
        for name in [AuthEvent.Name.passkeyAdded, .recoveryCodesMade] { #expect(try await test.recorded(name) == 1) }
        await test.expect(.mfaRequired) { try await test.auth.login.identify("miguel", password: "python", by: home) }
    }

    @Test func theOptionsAreThoseOfTheUser() async throws {
        let (authenticator, _) = try await test.newPasskey(of: miguel)
        let (one, other) = try await (
            passkeys.registrationOptions(for: miguel), passkeys.registrationOptions(for: miguel)
        )
        #expect(one.json["challenge"] != other.json["challenge"])
        #expect(one.json["user"] == other.json["user"] && one.json["user"]?["name"] == "miguel")
        #expect(one.json["rp"] == ["id": "example.org", "name": "example.org"])
        #expect(one.json["authenticatorSelection"]?["userVerification"] == "preferred")
        let excluded = try #require(one.json["excludeCredentials"])
        #expect(
            excluded == [
                [
                    "type": "public-key", "id": .string(Base64.url.encode(authenticator.credentialID)),
                    "transports": ["internal", "hybrid"],
                ]
            ])
        // The handle does not tell the id.
        let handle = try #require(one.json["user"]?["id"]?.string.flatMap { Base64.url.decode($0.utf8) })
        #expect(handle.count == 64)
    }

    @Test func onlyTheFirstFactorBringsRecoveryCodes() async throws {
        #expect(try await test.newPasskey(of: miguel).added.recoveryCodes?.count == 10)
        #expect(try await test.newPasskey(of: miguel).added.recoveryCodes == nil)
        _ = try await test.newApp(of: susan)
        #expect(try await test.newPasskey(of: susan).added.recoveryCodes == nil)
    }

    @Test func anAnswerIsGoodOnceForItsUserAndItsTime() async throws {
        let authenticator = try await test.newAuthenticator(for: miguel)
        await test.expect(.challengeInvalid) { try await add(authenticator, for: susan) }
        var other = authenticator
        other.credentialID = Random.bytes(16)
        _ = try await add(authenticator)
        for answer in [authenticator, other] { await test.expect(.challengeInvalid) { try await add(answer) } }
        let late = try await test.newAuthenticator(for: miguel)
        test.clock.advance(by: 300)
        await test.expect(.challengeInvalid) { try await add(late) }
        // Options for signing in are none for adding.
        for options in [
            try await passkeys.signInOptions(), try await passkeys.signInOptions(named: "miguel"),
        ] {
            let answer = other.answering(options.json)
            await test.expect(.challengeInvalid) { try await add(answer) }
        }
        #expect(try await passkeys.list(of: miguel.userID).count == 1)
    }

    @Test func anAnswerThatIsNotRightAddsNothing() async throws {
        var elsewhere = try await test.newAuthenticator(for: miguel)
        elsewhere.set("origin", #""https://example.com""#)
        var framed = try await test.newAuthenticator(for: miguel)
        framed.set("crossOrigin", "true")
        var untouched = try await test.newAuthenticator(for: miguel)
        untouched.flags = 0
        var attested = try await test.newAuthenticator(for: miguel)
        attested.format = "fido-u2f"
        for authenticator in [elsewhere, framed, untouched, attested] {
            await test.expect(.validationFailed) { try await add(authenticator) }
        }
        let good = try await test.newAuthenticator(for: miguel)
        let used = good.json(try good.got()).text
        let long = good.json(try good.created(), ["id": .string(String(repeating: "A", count: 60_000))]).text
        for text in ["", "x", "[]", "{}", "null", used, long] {
            await test.expect(.validationFailed) { try await passkeys.add(text, named: "phone", for: miguel) }
        }
        for name in ["", " ", String(repeating: "x", count: 65), "a\u{202E}b", "a\n"] {
            await test.expect(.validationFailed) { try await add(good, named: name) }
        }
        // Nothing of that used the challenge up.
        _ = try await add(good)
    }

    @Test func aPasskeyIsOneUsers() async throws {
        let (first, _) = try await test.newPasskey(of: miguel)
        var same = try await test.newAuthenticator(for: susan)
        same.credentialID = first.credentialID
        await test.expect(.passkeyAlreadyExists) { try await add(same, for: susan) }
        var again = try await test.newAuthenticator(for: miguel)
        again.credentialID = first.credentialID
        await test.expect(.passkeyAlreadyExists) { try await add(again) }
        #expect(try await passkeys.list(of: susan.userID).isEmpty)
    }

    @Test func thereAreTwentyAtMost() async throws {
        for _ in 0..<20 { _ = try await test.newPasskey(of: miguel) }
        let authenticator = try await test.newAuthenticator(for: miguel)
        await test.expect(.tooManyFactors) { try await add(authenticator) }
        let last = try #require(try await passkeys.list(of: miguel.userID).last)
        try await passkeys.delete(last.id, of: miguel)
        let next = try await test.newAuthenticator(for: miguel)
        _ = try await add(next)
    }

    @Test func aDisabledUserAddsNone() async throws {
        let authenticator = try await test.newAuthenticator(for: miguel)
        try await test.auth.users.disable(miguel.userID)
        await test.expect(.invalidToken) { try await add(authenticator) }
    }

    @Test func aUserWithoutAPasswordNeedsOneThatVerifies() async throws {
        let bare = try await test.userWithoutPassword("bare")
        let options = try await passkeys.registrationOptions(for: bare)
        #expect(options.json["authenticatorSelection"]?["residentKey"] == "required")
        #expect(options.json["authenticatorSelection"]?["userVerification"] == "required")
        var authenticator = try await test.newAuthenticator(for: bare)
        authenticator.flags = 0x01
        await test.expect(.validationFailed) { try await add(authenticator, for: bare) }
        authenticator.flags = 0x05
        #expect(try await add(authenticator, for: bare).recoveryCodes == nil)
    }

    // MARK: Changing

    @Test func aPasskeyIsRenamedByItsUser() async throws {
        let id = try await test.newPasskey(of: miguel).added.passkey.id
        #expect(try await passkeys.rename(id, to: "key", of: miguel, by: home).name == "key")
        for name in ["", String(repeating: "x", count: 65)] {
            await test.expect(.validationFailed) { try await passkeys.rename(id, to: name, of: miguel) }
        }
        for wrong in ["", "x", id + " ", id.lowercased(), id + "\0"] {
            await test.expect(.passkeyNotFound) { try await passkeys.rename(wrong, to: "key", of: miguel) }
        }
        await test.expect(.passkeyNotFound) { try await passkeys.rename(id, to: "key", of: susan) }
        #expect(try await test.recorded(.passkeyRenamed) == 1)
    }

    @Test func withTheLastFactorNothingIsAskedForAnyMore() async throws {
        let (first, second) = try await (
            test.newPasskey(of: miguel).added.passkey, test.newPasskey(of: miguel).added.passkey
        )
        await test.expect(.passkeyNotFound) { try await passkeys.delete(first.id, of: susan) }
        try await passkeys.delete(first.id, of: miguel, by: home)
        await test.expect(.passkeyNotFound) { try await passkeys.delete(first.id, of: miguel) }
        #expect(try await test.auth.factors.descriptions(of: miguel.userID).count == 2)
        try await passkeys.delete(second.id, of: miguel, by: home)
        #expect(try await test.auth.factors.descriptions(of: miguel.userID).isEmpty)
        _ = try await test.auth.login.identify("miguel", password: "python", by: home)
        #expect(try await test.recorded(.passkeyDeleted) == 2)
    }

    @Test func theLastWayInStays() async throws {
        let bare = try await test.userWithoutPassword("bare")
        let (first, second) = try await (
            test.newPasskey(of: bare).added.passkey, test.newPasskey(of: bare).added.passkey
        )
        try await passkeys.delete(first.id, of: bare)
        await test.expect(.lastWayIn) { try await passkeys.delete(second.id, of: bare) }
        #expect(try await passkeys.list(of: bare.userID) == [second])
        // A password is another way.
        try await test.auth.passwords.set("python", for: test.auth.users.find(named: "bare"))
        try await passkeys.delete(second.id, of: bare)
    }

    @Test func theSignalsNameWhatIsGood() async throws {
        #expect(try await passkeys.acceptedCredentials(of: susan.userID) == nil)
        let (authenticator, added) = try await test.newPasskey(of: miguel)
        func accepted() async throws -> JSON? { try await passkeys.acceptedCredentials(of: miguel.userID) }
        let handle = JSON.string(Base64.url.encode(authenticator.userHandle))
        let id = JSON.string(Base64.url.encode(authenticator.credentialID))
        #expect(
            try await accepted()
                == ["rpId": "example.org", "userId": handle, "allAcceptedCredentialIds": .array([id])])
        try await passkeys.delete(added.passkey.id, of: miguel)
        #expect(
            try await accepted() == ["rpId": "example.org", "userId": handle, "allAcceptedCredentialIds": []])
    }

    // MARK: Configuration

    @Test func anotherDomainIsRefusedAsLongAsThereArePasskeys() async throws {
        let id = try await test.newPasskey(of: miguel).added.passkey.id
        let storage = test.storage
        let known = try #require(test.auth.configuration.secret)
        func restart(_ url: String?) async throws -> TestAuth {
            let party = try url.map { try RelyingParty(publicURL: $0) }
            return try await TestAuth(over: storage, secret: known, clock: test.clock) { $0.relyingParty = party }
        }
        let error = await #expect(throws: AuthError.self) { try await restart("https://example.com") }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("set webauthn_rp_id to example.org") == true)
        _ = try await restart("https://example.org:8443")
        _ = try await restart(nil)
        try await passkeys.delete(id, of: miguel)
        _ = try await restart("https://example.com")
    }

    @Test func withoutADomainThereAreNone() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        let user = try await test.auth.login.identify("miguel", password: "python")
        let (passkeys, login) = (test.auth.passkeys, test.auth.login)
        await test.expect(.passkeysDisabled) { try await passkeys.registrationOptions(for: user) }
        await test.expect(.passkeysDisabled) { try await passkeys.add("{}", named: "a", for: user) }
        await test.expect(.passkeysDisabled) { try await passkeys.signInOptions() }
        await test.expect(.passkeysDisabled) { try await passkeys.signInOptions(named: "miguel") }
        await test.expect(.passkeysDisabled) { try await login.attempt(passkey: "{}") }
        #expect(try await passkeys.list(of: user.userID).isEmpty)
    }
}
