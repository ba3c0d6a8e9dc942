import Foundation
import RESTAuth
import Testing

/// A live session is raised, and nothing else.
extension StorageContract {
    private static let proven: [Authentication.Method] = [.password, .oneTimePassword, .multipleFactors]

    /// Stores a session that began with a password.
    private static func begun(
        _ number: Int = 1, of user: User.ID, in storage: any Storage, at now: Date, isRenewable: Bool = true
    ) async throws -> Session {
        let sample = Samples.session(number, of: user, at: now)
        let session = Session(
            id: sample.id, userID: user, createdAt: now, methods: [.password], lastUsedAt: now,
            expiresAt: now.addingTimeInterval(3600), origin: sample.origin, isRenewable: isRenewable,
            tokensExpireAt: now.addingTimeInterval(600))
        _ = try await storage.insertSession(
            session, passwordVersion: nil, refreshDigest: isRenewable ? [1] : nil, limit: 10)
        return session
    }

    private static func raise(
        _ id: Session.ID, of user: User.ID, in storage: any Storage, at now: Date, for seconds: TimeInterval = 600
    ) async throws -> StoredSession? {
        try await storage.raiseSession(
            id: id, of: user, to: Authentication(proven, at: now), until: now.addingTimeInterval(seconds), at: now,
            recording: Samples.event(.sessionRaised, user: user, at: now))
    }

    private static func events(in storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 100).count { $0.fields.name == AuthEvent.Name.sessionRaised.rawValue }
    }

    static let raising = [
        Promise("a session is raised, keeps its end, its refresh token and its id, and the event is recorded") {
            storage async throws in
            let start = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: start).id
            let session = try await begun(of: user, in: storage, at: start)
            let now = start.addingTimeInterval(300)
            let raised = try #require(try await raise(session.id, of: user, in: storage, at: now))
            #expect(raised.session.authentication == Authentication(proven, at: now))
            #expect(raised.session.id == session.id && raised.user.id == user)
            #expect(raised.session.createdAt == start && raised.session.lastUsedAt == now)
            #expect(raised.session.expiresAt == session.expiresAt && raised.session.isRenewable)
            #expect(raised.session.tokensExpireAt == now.addingTimeInterval(600))
            #expect(raised.refresh.digest == [1] && raised.refresh.generation == 0)
            #expect(try await storage.session(id: session.id)?.session == raised.session)
            #expect(try await events(in: storage) == 1)
        },
        Promise("no token of a raised session is remembered for longer than the session, or shorter than before") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let session = try await begun(of: user, in: storage, at: now, isRenewable: false)
            let long = try await raise(session.id, of: user, in: storage, at: now, for: 86400)
            #expect(long?.session.tokensExpireAt == session.expiresAt)
            #expect(long?.session.expiresAt == session.expiresAt && long?.session.isRenewable == false)
            let short = try await raise(session.id, of: user, in: storage, at: now, for: 1)
            #expect(short?.session.tokensExpireAt == session.expiresAt)
        },
        Promise("the time of a proof does not go back") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let session = try await begun(of: user, in: storage, at: now)
            let earlier = try await raise(session.id, of: user, in: storage, at: now.addingTimeInterval(-60))
            #expect(earlier?.session.authentication == Authentication(proven, at: now))
        },
        Promise("a proof from the future is no later than clocks differ once the session is raised") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let session = try await begun(of: user, in: storage, at: now)
            let before = now.addingTimeInterval(-3600)
            let raised = try await raise(session.id, of: user, in: storage, at: before)
            #expect(raised?.session.authentication == Authentication(proven, at: before.addingTimeInterval(60)))
        },
        Promise("nothing is raised of others, of who is disabled, or of a session that has ended or expired") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let other = try await storage.insertUser(Username("b"), passwordHash: "h", at: now).id
            let session = try await begun(of: user, in: storage, at: now)
            let second = try await begun(2, of: user, in: storage, at: now)
            #expect(try await raise(session.id, of: other, in: storage, at: now) == nil)
            #expect(try await raise(session.id, of: other + 1, in: storage, at: now) == nil)
            #expect(try await raise(Samples.session(3, at: now).id, of: user, in: storage, at: now) == nil)
            #expect(try await raise(session.id, of: user, in: storage, at: session.expiresAt) == nil)
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await raise(session.id, of: user, in: storage, at: now) == nil)
            _ = try await storage.enableUser(id: user, at: now)
            _ = try await storage.endSession(id: session.id, of: nil, at: now)
            #expect(try await raise(session.id, of: user, in: storage, at: now) == nil)
            #expect(try await storage.session(id: second.id)?.session == second)
            #expect(try await events(in: storage) == 0)
            #expect(try await raise(second.id, of: user, in: storage, at: now) != nil)
        },
    ]
}
