import Crypto
import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Synchronization
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

    private init(secret: InstanceSecret) async throws {
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

    private static let pyJWTHeader = #"{"alg":"HS256","typ":"JWT"}"#
    private static let pyJWTPayload = #"{"id":7,"exp":1800000600}"#
    private static let jwsHeader = #"{"alg":"HS512","iat":1799999999,"exp":1800000600}"#
    private static let jwsPayload = #"{"id":7}"#

    private enum Algorithm { case hs256, hs384, hs512 }

    private func signed(
        _ header: some Sequence<UInt8>, _ payload: some Sequence<UInt8>, _ algorithm: Algorithm = .hs256,
        secret: String = secretText
    ) -> [UInt8] {
        signed(encoded: Base64.url.encode(Array(header)), Base64.url.encode(Array(payload)), algorithm, secret: secret)
    }

    private func signed(encoded header: String, _ payload: String, _ algorithm: Algorithm, secret: String = secretText)
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

    private var pyJWT: [UInt8] { signed(Self.pyJWTHeader.utf8, Self.pyJWTPayload.utf8) }
    private var jws: [UInt8] { signed(Self.jwsHeader.utf8, Self.jwsPayload.utf8, .hs512) }

    private func verify(_ token: [UInt8]) async throws -> UserIdentity {
        try await test.auth.accessTokens.verify(token)
    }

    private func expectInvalid(
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

    // MARK: Session of a token

    private func trade(_ token: [UInt8]) async throws -> AccessToken {
        try await test.auth.sessions.token(for: verify(token))
    }

    private func expectEnded(
        _ token: [UInt8], _ fresh: AccessToken, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        await expectInvalid(token, sourceLocation: sourceLocation)
        await expectInvalid(Array(fresh.value.utf8), sourceLocation: sourceLocation)
        #expect(try await test.auth.sessions.list(of: 70).isEmpty, sourceLocation: sourceLocation)
    }

    @Test func howeverOftenItIsTradedItHasOneSession() async throws {
        let own = try await Self(secret: InstanceSecret())
        var identities: Set<Session.ID?> = []
        for token in [own.pyJWT, own.jws, own.pyJWT, own.jws] {
            for _ in 0..<3 { identities.insert(try await own.test.verify(own.trade(token)).sessionID) }
        }
        #expect(identities.count == 2)
        #expect(try await Set(own.test.auth.sessions.list(of: 70).map(\.id)) == identities)
        // The identity is that of its session, also before the token is traded.
        #expect(try await own.verify(own.pyJWT).sessionID == own.test.verify(own.trade(own.pyJWT)).sessionID)
    }

    @Test func ofTwentyTradesAtOnceOneStartsTheSession() async throws {
        let own = try await Self(secret: InstanceSecret())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = try await own.test.verify(own.trade(own.jws)) } }
            try await group.waitForAll()
        }
        #expect(try await own.test.auth.sessions.list(of: 70).count == 1)
    }

    @Test func aSessionThatRanOutIsTheSameAgain() async throws {
        let own = try await Self(secret: InstanceSecret())
        let token = own.signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":1800086400}"#.utf8)
        let first = try await own.test.verify(own.trade(token)).sessionID
        for _ in 0..<2 {
            own.test.clock.advance(by: 4000)
            for service in own.test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
            #expect(try await own.test.auth.sessions.list(of: 70).isEmpty)
            #expect(try await own.test.verify(own.trade(token)).sessionID == first)
        }
    }

    enum Ending: CaseIterable {
        case signingOutWithTheFreshOne
        case signingOutWithItself
        case anotherSession
        case all
        case tooMany
    }

    @Test(arguments: Ending.allCases) func onceItsSessionHasEndedItStartsNoneAndIsRefused(ending: Ending) async throws {
        let own = try await Self(secret: InstanceSecret())
        let sessions = own.test.auth.sessions
        // The token lives for a day, so what refuses it must last as long.
        let token = own.signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":1800086400}"#.utf8)
        let fresh = try await own.trade(token)
        let id = try #require(await own.test.verify(fresh).sessionID)
        switch ending {
        case .signingOutWithTheFreshOne: #expect(try await sessions.end(presenting: fresh.value))
        case .signingOutWithItself:
            #expect(try await sessions.end(presenting: String(decoding: token, as: UTF8.self)))
        case .anotherSession: try await sessions.end(id, of: 70)
        case .all: #expect(try await sessions.endAll(of: 70) == 1)
        case .tooMany:
            let other = Session(
                id: Session.ID(at: own.test.clock.now), userID: 70, createdAt: own.test.clock.now, methods: [.password],
                lastUsedAt: own.test.clock.now, expiresAt: own.test.clock.now.addingTimeInterval(1), origin: .init(),
                isRenewable: false)
            let lines = try await own.test.storage.insertSession(
                other, passwordVersion: nil, refreshDigest: nil, limit: 1)
            #expect(lines?.map(\.subject) == [.session(id)])
            own.test.clock.advance(by: 1)
        }
        await own.expectInvalid(token)
        for seconds in [600, 3600, 82_198] as [TimeInterval] {
            own.test.clock.advance(by: seconds)
            for service in own.test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
            try await own.expectEnded(token, fresh)
        }
        // Other tokens of the same user are still accepted.
        let later = own.signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":1800086401}"#.utf8)
        _ = try await own.trade(later)
    }

    @Test func signingOutWithOneThatWasNeverTradedEndsIt() async throws {
        let own = try await Self(secret: InstanceSecret())
        for token in [own.pyJWT, own.jws] {
            _ = try await own.verify(token)
            #expect(try await own.test.auth.sessions.end(presenting: String(decoding: token, as: UTF8.self)))
            await own.expectInvalid(token)
            #expect(try await !own.test.auth.sessions.end(presenting: String(decoding: token, as: UTF8.self)))
        }
        #expect(try await own.test.auth.sessions.list(of: 70).isEmpty)
    }

    @Test func whatWasEndedByOneProcessIsRefusedByAnotherAtOnce() async throws {
        let own = try await Self(secret: InstanceSecret())
        let other = try await TestAuth(over: own.test.storage, secret: own.secret, clock: own.test.clock) {
            $0.legacySecret = try? LegacySecret(Self.secretText)
        }
        try await other.readFeed()
        let identity = try await other.auth.accessTokens.verify(own.pyJWT)
        try await own.test.auth.sessions.end(presenting: String(decoding: own.pyJWT, as: UTF8.self))
        await other.expect(.invalidToken) { try await other.auth.accessTokens.verify(own.pyJWT) }
        // Also when the token was verified before and is traded after.
        await other.expect(.invalidToken) { try await other.auth.sessions.token(for: identity) }
    }

    @Test func itsSessionIsTheSameWhateverTheSecretOfTheInstance() async throws {
        let (one, other) = (try await Self(secret: InstanceSecret()), try await Self(secret: InstanceSecret()))
        #expect(try await one.verify(one.pyJWT).sessionID == other.verify(other.pyJWT).sessionID)
        #expect(try await one.verify(one.pyJWT).sessionID != one.verify(one.jws).sessionID)
    }

    // MARK: Refused tokens

    /// The longest life: no sign-in outlives `sessionTimebox`, 30 days, and a minute for the other
    /// server's clock.
    @Test(arguments: [
        "1802592061", "1802592060.5", "33400000000", "99999999999999", "9223372036854775807", "1e18", "1e308", "1e400",
        "-1e308", "-9223372036854775808", "-1800000600", "1800000600e400",
    ])
    func anEndThatIsTooFarOffOrNoTimeIsRefused(end: String) async throws {
        await expectInvalid(signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":\#(end)}"#.utf8))
        await expectInvalid(
            signed(#"{"alg":"HS512","iat":1799999999,"exp":\#(end)}"#.utf8, Self.jwsPayload.utf8, .hs512))
    }

    @Test(arguments: [
        "-9223372036854775808", "9223372036854775807", "-1", "0", "1797408599", "1800000061", "1800000600",
        "1800000601",
    ])
    func aBeginThatIsTooFarOffOrAheadIsRefused(begin: String) async throws {
        await expectInvalid(
            signed(#"{"alg":"HS512","iat":\#(begin),"exp":1800000600}"#.utf8, Self.jwsPayload.utf8, .hs512))
    }

    @Test func theLongestLifeIsThatOfASession() async throws {
        for token in [
            signed(Self.pyJWTHeader.utf8, #"{"id":7,"exp":1802592000}"#.utf8),
            signed(#"{"alg":"HS512","iat":1800000060,"exp":1802592060}"#.utf8, Self.jwsPayload.utf8, .hs512),
            signed(#"{"alg":"HS512","iat":1797408600,"exp":1800000600}"#.utf8, Self.jwsPayload.utf8, .hs512),
        ] { #expect(try await verify(token).userID == 70) }
        let short = try await TestAuth(over: test.storage, secret: secret) { configuration in
            configuration.legacySecret = try? LegacySecret(Self.secretText)
            configuration.sessionTimebox = 300
        }
        for token in [pyJWT, jws] {
            await short.expect(.invalidToken) { try await short.auth.accessTokens.verify(token) }
        }
    }

    @Test func withoutASecretNoneIsAccepted() async throws {
        let test = try await TestAuth(over: test.storage, secret: secret)
        for token in [pyJWT, jws] {
            await test.expect(.invalidToken) { try await test.auth.accessTokens.verify(token) }
        }
    }

    @Test(arguments: [
        "", " ", "Zq7-flask-4hVxN2p", "zq7-flask-4hVxN2pL", "Zq7-flask-4hVxN2pL\n", " Zq7-flask-4hVxN2pL",
    ])
    func anotherSecretIsRefused(secret: String) async throws {
        await expectInvalid(signed(Self.pyJWTHeader.utf8, Self.pyJWTPayload.utf8, secret: secret))
        await expectInvalid(signed(Self.jwsHeader.utf8, Self.jwsPayload.utf8, .hs512, secret: secret))
    }

    @Test(arguments: [
        #"{"alg":"none","typ":"JWT"}"#, #"{"alg":"HS512","typ":"JWT"}"#, #"{"alg":"HS384","typ":"JWT"}"#,
        #"{"alg":"hs256","typ":"JWT"}"#,
        #"{"alg":"ES256","typ":"JWT"}"#, #"{"alg":"HS256"}"#, #"{"typ":"JWT"}"#, #"{"alg":"HS256","typ":"jwt"}"#,
        #"{"alg":"HS256","typ":null}"#,
        #"{"alg":"HS256","typ":"at+jwt"}"#, #"{"alg":["HS256"],"typ":"JWT"}"#,
        #"{"alg":"HS256","typ":"JWT","kid":"a"}"#,
        #"{"alg":"HS256","typ":"JWT","kid":null}"#, #"{"alg":"HS256","typ":"JWT","exp":1800000600}"#,
        #"{"alg":"HS256","kid":"JWT"}"#,
        #"{"alg":"HS256","typ":"JWT","crit":[]}"#, #"{"alg":"HS256","typ":"JWT","b64":true}"#,
        #"{"alg":"HS256","alg":"HS256","typ":"JWT"}"#,
        #"{"alg":"HS256","\u0061lg":"HS256"}"#, #"{"alg":"HS256","typ":"JWT"} "#.replacing(" ", with: "x"), "[]",
        "null", "",
        #"{"alg":"HS256","iat":1799999999,"exp":1800000600}"#,
    ])
    func aHeaderThatPyJWTDoesNotWriteIsRefused(header: String) async throws {
        for algorithm in [Algorithm.hs256, .hs384, .hs512] {
            await expectInvalid(signed(header.utf8, Self.pyJWTPayload.utf8, algorithm), header)
        }
        await expectInvalid(
            Array("\(Base64.url.encode(header.utf8)).\(Base64.url.encode(Self.pyJWTPayload.utf8)).".utf8), header)
    }

    @Test(arguments: [
        #"{"id":7}"#, #"{"exp":1800000600}"#, #"{"id":true,"exp":1800000600}"#, #"{"id":"7","exp":1800000600}"#,
        #"{"id":7.0,"exp":1800000600}"#,
        #"{"id":7e0,"exp":1800000600}"#, #"{"id":null,"exp":1800000600}"#, #"{"id":[7],"exp":1800000600}"#,
        #"{"id":-7,"exp":1800000600}"#,
        #"{"id":0,"exp":1800000600}"#, #"{"id":70,"exp":1800000600}"#, #"{"id":8,"exp":1800000600}"#,
        #"{"id":9999999999999999999,"exp":1800000600}"#,
        #"{"id":7,"exp":"1800000600"}"#, #"{"id":7,"exp":true}"#, #"{"id":7,"exp":null}"#,
        #"{"id":7,"exp":1800000000}"#,
        #"{"id":7,"exp":-1}"#,
        #"{"id":7,"exp":1e999}"#, #"{"id":7,"exp":NaN}"#, #"{"id":7,"exp":1800000600,"iat":1799999999}"#,
        #"{"id":7,"exp":1800000600,"nbf":1}"#,
        #"{"id":7,"exp":1800000600,"sub":"7"}"#, #"{"id":7,"exp":1800000600,"aud":"x"}"#,
        #"{"id":7,"id":7,"exp":1800000600}"#,
        #"{"id":80,"id":7,"exp":1800000600}"#, #"{"id":7,"exp":1800000600,"exp":1800000600}"#,
        #"{"id":7,"\u0065xp":1,"exp":1800000600}"#,
        #"{"id":7,"exp":1800000600}x"#, #"[{"id":7,"exp":1800000600}]"#, #"[7,1800000600]"#, "7", "null", "",
        #"{"confirm":7,"exp":1800000600}"#, #"{"user_id":7,"exp":1800000600}"#,
    ])
    func aPayloadThatPyJWTDidNotWriteHereIsRefused(payload: String) async throws {
        await expectInvalid(signed(Self.pyJWTHeader.utf8, payload.utf8), payload)
    }

    @Test(arguments: [
        #"{"alg":"none","iat":1799999999,"exp":1800000600}"#, #"{"alg":"HS384","iat":1799999999,"exp":1800000600}"#,
        #"{"alg":"HS256","iat":1799999999,"exp":1800000600}"#, #"{"iat":1799999999,"exp":1800000600}"#,
        #"{"alg":"HS512","exp":1800000600}"#,
        #"{"alg":"HS512","iat":1799999999}"#, #"{"alg":"HS512"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600,"typ":"JWT"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600,"kid":"a"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600.0}"#,
        #"{"alg":"HS512","iat":1799999999.5,"exp":1800000600}"#,
        #"{"alg":"HS512","iat":"1799999999","exp":1800000600}"#,
        #"{"alg":"HS512","iat":true,"exp":1800000600}"#, #"{"alg":"HS512","iat":1799999999,"exp":"1800000600"}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":null}"#, #"{"alg":"HS512","iat":1799999999,"exp":1800000000}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":-1}"#,
        #"{"alg":"HS512","iat":1799999999,"exp":1800000600,"exp":1800000600}"#,
        #"{"alg":"HS512","typ":"JWT","exp":1800000600}"#, #"{"alg":"HS512","iat":1799999999,"typ":"JWT"}"#, "[]", "",
    ])
    func aHeaderThatItsdangerousDoesNotWriteIsRefused(header: String) async throws {
        await expectInvalid(signed(header.utf8, Self.jwsPayload.utf8, .hs512), header)
    }

    @Test(arguments: [
        #"{"id":7,"exp":1800000600}"#, #"{"id":true}"#, #"{"id":"7"}"#, #"{"id":7.0}"#, #"{"id":null}"#, #"{"id":8}"#,
        #"{"id":0}"#,
        #"{"id":-7}"#,
        #"{"id":7,"id":7}"#, #"{"id":7,"x":1}"#, #"{"confirm":7}"#, #"{"reset":7}"#, "{}", "[7]", "7", "",
        #"{"id":7} {}"#,
    ])
    func aPayloadThatItsdangerousDidNotWriteHereIsRefused(payload: String) async throws {
        await expectInvalid(signed(Self.jwsHeader.utf8, payload.utf8, .hs512), payload)
        await expectInvalid(signed(Self.jwsHeader.replacing("HS512", with: "HS256").utf8, payload.utf8), payload)
    }

    @Test func aSignatureOfAnotherLengthOrAlgorithmIsRefused() async throws {
        for (header, payload, algorithm) in [
            (Self.pyJWTHeader, Self.pyJWTPayload, Algorithm.hs512), (Self.pyJWTHeader, Self.pyJWTPayload, .hs384),
            (Self.jwsHeader, Self.jwsPayload, .hs256), (Self.jwsHeader, Self.jwsPayload, .hs384),
        ] { await expectInvalid(signed(header.utf8, payload.utf8, algorithm)) }
        for token in [pyJWT, jws] {
            let text = String(decoding: token, as: UTF8.self)
            let parts = text.split(separator: ".")
            for signature in ["", "AA", String(parts[2].dropLast(4)), parts[2] + "AAAA", String(parts[2].reversed())] {
                await expectInvalid(Array("\(parts[0]).\(parts[1]).\(signature)".utf8))
            }
        }
    }

    @Test func everyFlippedBitIsRefused() async throws {
        for token in [pyJWT, jws] {
            for index in token.indices {
                for bit in [UInt8(1), 32] {
                    var forged = token
                    forged[index] ^= bit
                    await expectInvalid(forged)
                }
            }
        }
    }

    @Test func anotherSpellingOfTheSameBytesIsRefused() async throws {
        let (header, payload) = (Base64.url.encode(Self.pyJWTHeader.utf8), Base64.url.encode(Self.pyJWTPayload.utf8))
        _ = try await verify(signed(encoded: header, payload, .hs256))
        for mark in ["=", "==", " ", "\n"] {
            await expectInvalid(signed(encoded: header + mark, payload, .hs256))
            await expectInvalid(signed(encoded: header, payload + mark, .hs256))
            await expectInvalid(pyJWT + Array(mark.utf8))
        }
        await expectInvalid(pyJWT + Array(".".utf8))
        await expectInvalid(Array(".".utf8) + pyJWT)
    }

    @Test func aTokenOverTheLimitIsNotLookedAt() async throws {
        let blanks = String(repeating: " ", count: 4000)
        await expectInvalid(signed(Self.pyJWTHeader.utf8, (Self.pyJWTPayload + blanks).utf8))
    }

    /// A token in the form of this server's own, signed with the other server's secret.
    @Test func noTokenOfOursCanBeMadeWithIt() async throws {
        let ours = try await test.auth.sessions.token(for: verify(pyJWT))
        let parts = try #require(CompactJWS(Array(ours.value.utf8)))
        let payload = try #require(parts.payload).bytes
        for header in [Self.pyJWTHeader, Self.jwsHeader, String(decoding: parts.header.bytes, as: UTF8.self)] {
            for algorithm in [Algorithm.hs256, .hs512] { await expectInvalid(signed(header.utf8, payload, algorithm)) }
        }
        // And the other server's tokens are not accepted where this server's own are expected.
        await test.expect(.invalidToken) { try await test.auth.accessTokens.claims(of: pyJWT) }
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
