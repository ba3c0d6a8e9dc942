import Foundation
import RESTAuth
import Testing

extension LoginRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.signingIn]
}

extension StorageContract.Chapter {
    /// The authentication stored with a session, and the digests that a sign-in uses up.
    public static let signingIn = Self("signing in", StorageContract.signingIn)
}

/// A session keeps its authentication as stored, and a digest is spent only once.
extension StorageContract {
    static let signingIn = facts + raising

    private static let facts = [
        Promise("a session comes back with what was proven, by whom and for how much, also once it is renewed") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let facts: [(methods: [Authentication.Method], client: String?, scope: Set<String>?)] = [
                ([], nil, nil), ([.password], nil, []),
                ([.password, .oneTimePassword, .multipleFactors], "app", ["read"]),
                ([.hardwareKey], "app", ["write", "read"]),
            ]
            for (number, fact) in facts.enumerated() {
                let sample = Samples.session(number, of: user, at: now)
                let session = Session(
                    id: sample.id, userID: user, createdAt: now, authenticatedAt: now.addingTimeInterval(-5),
                    methods: fact.methods, clientID: fact.client, scope: fact.scope, lastUsedAt: now,
                    expiresAt: sample.expiresAt, origin: sample.origin, isRenewable: true)
                _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: [1], limit: 10)
                #expect(try await storage.session(id: session.id)?.session == session)
                let prolonged = try await storage.prolongSession(id: session.id, until: now, at: now)?.session
                let outcome = try await storage.rotate(
                    RefreshRotation(
                        sessionID: session.id, generation: 0, digest: [1], successorDigest: { _ in [2] }, now: now,
                        inactivityTimeout: 60, timebox: 600))
                guard case .renewed(let renewed, _, _) = outcome else {
                    Issue.record("not renewed")
                    return
                }
                for other in [prolonged, renewed, try await storage.session(id: session.id)?.session] {
                    #expect(other?.authentication == session.authentication)
                    #expect(other?.clientID == fact.client && other?.scope == fact.scope)
                    #expect(other?.createdAt == now)
                }
            }
            let listed = try await storage.sessions(of: user, before: nil, limit: 10, at: now)
            #expect(listed.reversed().map(\.authentication.methods) == facts.map { $0.methods })
            #expect(listed.reversed().map(\.scope) == facts.map { $0.scope })
        },
        Promise("a user without a password is one, until an operator gives one") { storage async throws in
            let now = TestClock().now
            let bare = ImportableUser(id: nil, name: try Username("a"), passwordHash: nil, createdAt: now)
            #expect(try await storage.importUsers([bare], above: 0, isTrial: false) == [.imported(1)])
            let stored = try #require(await storage.credentials(canonicalUsername: "a"))
            #expect(stored.passwordHash == nil && stored.passwordVersion == 1)
            #expect(try await storage.exportUsers(after: 0, limit: 1).first?.credentials.passwordHash == nil)
            #expect(try await storage.passwordHashes(sampling: 10).isEmpty)
            for guess in ["", "!", "h"] {
                #expect(try await !storage.upgradePasswordHash("new", user: 1, replacing: guess))
                let ended = try await storage.setPasswordHash(
                    "new", user: 1, replacing: guess, beginning: nil, at: now)
                #expect(ended == nil)
            }
            #expect(try await storage.credentials(user: 1)?.passwordHash == nil)
            #expect(
                try await storage.setPasswordHash("new", user: 1, replacing: nil, beginning: nil, at: now)?.isEmpty
                    == true)
            let given = try await storage.credentials(user: 1)
            #expect(given?.passwordHash == "new" && given?.passwordVersion == 2)
        },
        Promise("of what can be spent once, many who spend it at once spend each one once") { storage async throws in
            let end = TestClock().now.addingTimeInterval(60)
            let digests: [[UInt8]] = (0..<5).map { [$0] }
            let spent = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await storage.spendOne(of: digests, until: end) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(spent == 5)
            #expect(try await !storage.spendOne(of: digests, until: end))
            #expect(try await !storage.spendOne(of: [], until: end))
            #expect(try await storage.isChallengeSpent(digest: [4]))
            #expect(try await storage.spendOne(of: [[4], [5]], until: end))
            #expect(try await storage.deleteSpentChallenges(expiredBefore: end, limit: 10) == 0)
            #expect(try await storage.deleteSpentChallenges(expiredBefore: end.addingTimeInterval(1), limit: 10) == 6)
        },
    ]
}
