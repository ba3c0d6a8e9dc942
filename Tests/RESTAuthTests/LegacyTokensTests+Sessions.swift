import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

extension LegacyTokensTests {
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
}
