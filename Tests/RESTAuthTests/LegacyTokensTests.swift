import Crypto
import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// Tokens of a Flask server: the two forms that its secret may sign, and other texts under that
/// secret, which are refused.
@Suite struct LegacyTokensTests {
    static let secretText = "Zq7-flask-4hVxN2pL"
    let secret: InstanceSecret
    let test: TestAuth
    let user: User

    /// Shared by all tests that do not change it.
    private static let shared = Task { try await LegacyTokensTests(secret: InstanceSecret()) }

    init() async throws { self = try await Self.shared.value }

    init(secret: InstanceSecret) async throws {
        self.secret = secret
        test = try await TestAuth(over: SQLiteStorage(), secret: secret) { configuration in
            configuration.legacySecret = try? LegacySecret(Self.secretText)
        }
        let users = [
            ImportableUser(
                id: 70, legacyID: 7, name: try Username("Miguel"), passwordHash: Samples.passwordHash,
                createdAt: test.clock.now,
                roles: ["admin"]),
            ImportableUser(
                id: 8, legacyID: 80, name: try Username("susan"), passwordHash: Samples.passwordHash,
                createdAt: test.clock.now),
        ]
        _ = try await test.storage.importUsers(users, above: 0, isTrial: false)
        user = try #require(await test.storage.user(id: 70))
    }

    static let pyJWTHeader = #"{"alg":"HS256","typ":"JWT"}"#
    static let pyJWTPayload = #"{"id":7,"exp":1800000600}"#
    static let jwsHeader = #"{"alg":"HS512","iat":1799999999,"exp":1800000600}"#
    static let jwsPayload = #"{"id":7}"#

    enum Algorithm { case hs256, hs384, hs512 }

    func signed(
        _ header: some Sequence<UInt8>, _ payload: some Sequence<UInt8>, _ algorithm: Algorithm = .hs256,
        secret: String = secretText
    ) -> [UInt8] {
        signed(encoded: Base64.url.encode(Array(header)), Base64.url.encode(Array(payload)), algorithm, secret: secret)
    }

    func signed(encoded header: String, _ payload: String, _ algorithm: Algorithm, secret: String = secretText)
        -> [UInt8]
    {
        let (key, input) = (SymmetricKey(data: Data(secret.utf8)), Data("\(header).\(payload)".utf8))
        let code: [UInt8] =
            switch algorithm {
            case .hs256: Array(HMAC<SHA256>.authenticationCode(for: input, using: key))
            case .hs384: Array(HMAC<SHA384>.authenticationCode(for: input, using: key))
            case .hs512: Array(HMAC<SHA512>.authenticationCode(for: input, using: key))
            }
        return Array("\(header).\(payload).\(Base64.url.encode(code))".utf8)
    }

    var pyJWT: [UInt8] { signed(Self.pyJWTHeader.utf8, Self.pyJWTPayload.utf8) }
    var jws: [UInt8] { signed(Self.jwsHeader.utf8, Self.jwsPayload.utf8, .hs512) }

    func verify(_ token: [UInt8]) async throws -> UserIdentity {
        try await test.auth.accessTokens.verify(token)
    }

    func expectInvalid(
        _ token: [UInt8], _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: AuthError.self, "\(comment)", sourceLocation: sourceLocation) {
            try await verify(token)
        }
        #expect(error?.code == .invalidToken, sourceLocation: sourceLocation)
    }

    // MARK: Accepted tokens

    @Test func bothFormsStandForWhomTheOtherServerKnewByThatId() async throws {
        for token in [
            pyJWT, jws, signed(#"{"typ":"JWT","alg":"HS256"}"#.utf8, #"{"exp":1800000000.5,"id":7}"#.utf8),
            signed(#"{"exp":1800000001,"alg":"HS256","iat":1799000000}"#.utf8, Self.jwsPayload.utf8),
        ] {
            let identity = try await verify(token)
            #expect(identity.userID == 70)
            #expect(identity.username == "Miguel")
            #expect(identity.roles == ["admin"])
            #expect(identity.flaskTokenExpiresAt != nil)
            #expect(identity.sessionID != nil)
            #expect(Username.looksLikeToken(token))
        }
    }

    /// Tokens that PyJWT 2.15 and itsdangerous 2.0 wrote.
    @Test func tokensThatTheLibrariesWroteAreAccepted() async throws {
        for token in try Self.writtenElsewhere() { #expect(try await verify(token).userID == 70) }
    }

    private static func writtenElsewhere() throws -> [[UInt8]] {
        [
            // jwt.encode({"id": 7, "exp": 1800000600.25}, SECRET, algorithm="HS256")
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6NywiZXhwIjoxODAwMDAwNjAwLjI1fQ."
                + "h9UtYc5KbA19uq9VMpPtoZj5ki-NU31A1ad0OPQmwj0",
            // TimedJSONWebSignatureSerializer(SECRET, expires_in=600).dumps({"id": 7}), and with
            // algorithm_name="HS256"
            "eyJhbGciOiJIUzUxMiIsImlhdCI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAwNjAwfQ.eyJpZCI6N30."
                + "v1hy-bGtQxQq0Ijt2xGFKJBvwHnunenKlne6V1_kIzYZto_QEt-4vX9tTHzKOlgDRPqZ9UV1s9NJZxdfwlY3uA",
            "eyJhbGciOiJIUzI1NiIsImlhdCI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAwNjAwfQ.eyJpZCI6N30."
                + "LNOY0oujEt-agkaaiKLpOyhQRbz3mlsZc8JkAV1t9oQ",
        ].map { Array($0.utf8) }
    }

    @Test func theUserIsLookedUpEachTime() async throws {
        for (id, end) in [(Int64(70), "disable"), (70, "password"), (70, "delete")] {
            let test = try await TestAuth { configuration in
                configuration.legacySecret = try? LegacySecret(Self.secretText)
            }
            _ = try await test.storage.importUsers(
                [
                    ImportableUser(
                        id: id, legacyID: 7, name: Username("a"), passwordHash: "h", createdAt: test.clock.now)
                ], above: 0,
                isTrial: false)
            for token in [pyJWT, jws] { _ = try await test.auth.accessTokens.verify(token) }
            switch end {
            case "disable": try await test.auth.users.disable(id)
            case "password": try await test.auth.passwords.set("monty", for: test.auth.users.find(id))
            default: try await test.auth.users.delete(id)
            }
            for token in [pyJWT, jws] {
                await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(token) }
            }
            #expect(test.auth.accessTokens.remembered(pyJWT) == nil)
        }
    }

    @Test func aTokenDiesAtItsEnd() async throws {
        let own = try await Self(secret: InstanceSecret())
        own.test.clock.advance(by: 599.9)
        for token in [pyJWT, jws] { _ = try await own.verify(token) }
        own.test.clock.advance(by: 0.1)
        for token in [pyJWT, jws] { await own.expectInvalid(token) }
    }

    // MARK: Rights of a token

    @Test func itIsNeverRecentEnough() async throws {
        let identity = try await verify(pyJWT)
        for seconds in [1, 86400, 50 * 365 * 86400] {
            #expect(throws: AuthError.self) {
                try Requirement.signedIn(within: seconds).check(identity, at: test.clock.now)
            }
        }
        try Requirement.allRoles("admin").check(identity, at: test.clock.now)
        await test.expect(.insufficientUserAuthentication) { try await test.auth.sessions.start(for: identity) }
    }

    @Test func anotherPasswordEndsItAndGivesOneOfOurs() async throws {
        let own = try await Self(secret: InstanceSecret())
        // A hash of a known password.
        _ = try await own.test.auth.users.register("david", password: "python")
        let known = try #require(await own.test.storage.credentials(canonicalUsername: "david")?.passwordHash)
        _ = try await own.test.storage.upgradePasswordHash(known, user: 70, replacing: Samples.passwordHash)
        let identity = try await own.verify(jws)
        let new = try #require(
            await own.test.auth.passwords.change(from: "python", to: "monty", for: identity))
        #expect(new.refresh == nil)
        let fresh = try await own.test.verify(new.access)
        #expect(fresh.userID == identity.userID)
        #expect(fresh.authenticatedAt == own.test.clock.now)
        for token in [pyJWT, jws] { await own.expectInvalid(token) }
    }

    @Test func itStartsNoSessionForWhoHasAnotherFactor() async throws {
        let test = try await TestAuth { $0.legacySecret = try? LegacySecret(Self.secretText) }
        let known = try await test.auth.users.register("david", password: "python")
        let hash = try #require(await test.storage.credentials(user: known.id)?.passwordHash)
        let user = ImportableUser(
            id: 70, legacyID: 7, name: try Username("Miguel"), passwordHash: hash, createdAt: test.clock.now)
        _ = try await test.storage.importUsers([user], above: 1, isTrial: false)
        let identity = try await test.auth.accessTokens.verify(pyJWT)
        _ = try await test.newApp(of: identity)
        await test.expect(.mfaRequired) { try await test.auth.sessions.token(for: identity) }
        await test.expect(.insufficientUserAuthentication) {
            try await test.auth.passwords.change(from: "python", to: "monty", for: identity)
        }
        #expect(try await test.auth.sessions.list(of: 70).isEmpty)
        #expect(try await test.storage.credentials(user: 70)?.passwordVersion == 1)
        try await test.auth.factors.removeAll(of: 70)
        _ = try await test.auth.sessions.token(for: identity)
    }

    @Test func itStartsAndRenewsNoSessionOnceAFactorIsRequired() async throws {
        let test = try await TestAuth {
            $0.legacySecret = try? LegacySecret(Self.secretText)
            $0.secondFactor.mode = .required
            $0.secondFactor.grace = 60
        }
        let known = try await test.auth.users.register("david", password: "python")
        let hash = try #require(await test.storage.credentials(user: known.id)?.passwordHash)
        let user = ImportableUser(
            id: 70, legacyID: 7, name: try Username("Miguel"), passwordHash: hash, createdAt: test.clock.now)
        _ = try await test.storage.importUsers([user], above: 1, isTrial: false)
        let identity = try await test.auth.accessTokens.verify(pyJWT)
        let ours = try await test.verify(test.auth.sessions.token(for: identity))
        test.clock.advance(by: 60)
        for identity in [identity, ours] {
            await test.expect(.mfaEnrollmentRequired) { try await test.auth.sessions.token(for: identity) }
            await test.expect(.mfaEnrollmentRequired) {
                try await test.auth.passwords.change(from: "python", to: "monty", for: identity)
            }
            // It is too old to add one by, too.
            await test.expect(.insufficientUserAuthentication) {
                try await test.auth.factors.add("phone", of: identity)
            }
        }
        #expect(try await test.storage.credentials(user: 70)?.passwordVersion == 1)
    }

    @Test func itGivesOneOfOurTokensWhichIsNoMoreRecentThanItself() async throws {
        let test = try await Self(secret: InstanceSecret()).test
        let token = try await test.auth.sessions.token(for: test.auth.accessTokens.verify(jws))
        #expect(token.duration == 600)
        let fresh = try await test.verify(token)
        #expect(fresh.userID == 70)
        #expect(fresh.sessionID != nil)
        let again = try await test.verify(test.auth.sessions.token(for: fresh))
        for identity in [fresh, again] {
            #expect(throws: AuthError.self) {
                try Requirement.signedIn(within: 86400).check(identity, at: test.clock.now)
            }
        }
        #expect(try await test.auth.sessions.list(of: 70).count == 1)
    }

    @Test(arguments: [TokenRenewal.until(86400), .until(366 * 86400), .never])
    func itGivesNoneWhereAPasswordIsAskedFor(renewal: TokenRenewal) async throws {
        let test = try await TestAuth(over: test.storage, secret: secret) { configuration in
            configuration.legacySecret = try? LegacySecret(Self.secretText)
            configuration.tokenRenewal = renewal
        }
        let identity = try await test.auth.accessTokens.verify(pyJWT)
        await test.expect(.insufficientUserAuthentication) { try await test.auth.sessions.token(for: identity) }
    }

    @Test func aPasswordThatIsChangedMeanwhileEndsTheTrade() async throws {
        let own = try await Self(secret: InstanceSecret())
        let identity = try await own.verify(pyJWT)
        try await own.test.auth.passwords.set("monty", for: own.user)
        await own.test.expect(.invalidToken) { try await own.test.auth.sessions.token(for: identity) }
    }

    // MARK: The secret

    @Test(arguments: [
        "", "short", "1234567", "aaaaaaaaaaaaaaaa", "abababababababab", "the quick brown fox jumps over the lazy dog",
        "The Quick Brown Fox Jumps Over The Lazy Dog", "hard to guess string", "you-will-never-guess", "my-secret-key",
        "SECRET_KEY",
        "changeme", "change-me-please", "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "development",
        "_5#y2L\"F4Q8z\n\u{EC}]/", "letmein1", "hunter22", "P@ssw0rd123", "qwerty1234", "Summer2024!", "flask-secret",
        "monkey12", "iloveyou2", "abcdefgh", "87654321", "a1b2c3d4e5", "trustno1trustno1",
    ])
    func aSecretThatOthersKnowIsRefused(text: String) {
        let error = #expect(throws: AuthError.self) { try LegacySecret(text) }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("sign in again") == true)
        #expect(text.isEmpty || error?.detail.contains(text) == false || text == "short")
    }

    @Test func theSecretNeverPrintsItself() throws {
        let secret = try LegacySecret(Self.secretText)
        var dumped = ""
        dump(secret, to: &dumped)
        #expect("\(secret) \(String(reflecting: secret))" == "redacted redacted")
        #expect(!dumped.contains("Zq7"))
    }
}
