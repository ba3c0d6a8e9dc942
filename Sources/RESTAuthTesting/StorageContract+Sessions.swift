import Foundation
import RESTAuth
import Testing

extension SessionsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.sessions]
}

extension StorageContract.Chapter {
    /// Sessions, and the rotation of their refresh tokens.
    public static let sessions = Self("sessions", StorageContract.sessions + StorageContract.refreshTokens)
}

extension StorageContract {
    /// Stores a user and returns the id.
    static func user(_ storage: any Storage, name: String = "a", at now: Date) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    static let sessions = [
        Promise("a session comes back unchanged, with its user") { storage async throws in
            let now = TestClock().now
            let session = Samples.session(of: try await user(storage, at: now), at: now)
            #expect(try await storage.session(id: session.id) == nil)
            #expect(
                try await storage.insertSession(session, passwordVersion: nil, refreshDigest: [1], limit: 10)?.isEmpty
                    == true)
            let stored = try #require(await storage.session(id: session.id))
            #expect(stored.session == session)
            #expect(stored.user.username == "a")
            #expect(stored.refresh.digest == [1])
            #expect(stored.refresh.previousDigest == nil)
            #expect(stored.refresh.generation == 0)
        },
        Promise("of sessions with one id one is stored, and none when it has been ended") { storage async throws in
            let now = TestClock().now
            let session = Samples.session(of: try await user(storage, at: now), at: now)
            func insert() async throws -> Bool {
                try await storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 10) != nil
            }
            let stored = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await insert() } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(stored == 1)
            #expect(try await !storage.isSessionRevoked(session.id))
            let line = try #require(await storage.endSession(id: session.id, of: nil, at: now))
            #expect(try await storage.isSessionRevoked(session.id))
            #expect(try await !insert())
            #expect(try await storage.session(id: session.id) == nil)
            while try await storage.deleteRevocations(expiredBefore: line.expiresAt + 1, limit: 10) > 0 {}
            #expect(try await !storage.isSessionRevoked(session.id))
        },
        Promise("a session that ends while many begin it anew has ended") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            for number in 0..<10 {
                let session = Samples.session(number, of: id, at: now)
                _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 100)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<12 {
                        group.addTask {
                            if task == 4 {
                                _ = try await storage.endSession(id: session.id, of: nil, at: now)
                            } else {
                                _ = try await storage.insertSession(
                                    session, passwordVersion: nil, refreshDigest: nil, limit: 100)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await storage.session(id: session.id) == nil)
            }
        },
        Promise("an expired session stays until all tokens of it have expired") { storage async throws in
            let now = TestClock().now
            let sample = Samples.session(of: try await user(storage, at: now), at: now)
            let session = Session(
                id: sample.id, userID: sample.userID, createdAt: now, methods: [.password], lastUsedAt: now,
                expiresAt: now.addingTimeInterval(60), origin: sample.origin, isRenewable: false,
                tokensExpireAt: now.addingTimeInterval(3600))
            _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 10)
            #expect(try await storage.deleteSessions(expiredBefore: now.addingTimeInterval(3600), limit: 10) == 0)
            #expect(try await storage.deleteSessions(expiredBefore: now.addingTimeInterval(3601), limit: 10) == 1)
        },
        Promise("no session is stored for who is gone, disabled, or has another password by now") {
            storage async throws in
            let now = TestClock().now
            func insert(_ number: Int, of user: User.ID, version: Int?) async throws -> Bool {
                try await storage.insertSession(
                    Samples.session(number, of: user, at: now), passwordVersion: version, refreshDigest: nil, limit: 10)
                    != nil
            }
            #expect(try await !insert(1, of: 1, version: nil))
            let id = try await user(storage, at: now)
            let first = try #require(await storage.credentials(user: id)).passwordVersion
            _ = try await storage.setPasswordHash("new", user: id, replacing: nil, beginning: nil, at: now)
            let second = try #require(await storage.credentials(canonicalUsername: "a")).passwordVersion
            #expect(second > first)
            #expect(try await !insert(1, of: id, version: first))
            #expect(try await insert(1, of: id, version: second))
            #expect(try await insert(2, of: id, version: nil))
            _ = try await storage.disableUser(id: id, at: now)
            #expect(try await !insert(3, of: id, version: second))
            _ = try await storage.deleteUser(id: id, at: now)
            #expect(try await !insert(4, of: id, version: nil))
        },
        Promise("a new session is never the one that goes, whatever its id") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            for number in [7, 8] {
                _ = try await storage.insertSession(
                    Samples.session(number, of: id, at: now), passwordVersion: nil, refreshDigest: nil, limit: 2)
            }
            // An id as after a clock was set back.
            let early = Samples.session(1, of: id, at: now)
            let lines = try await storage.insertSession(early, passwordVersion: nil, refreshDigest: nil, limit: 2)
            #expect(lines?.map(\.subject) == [.session(Samples.session(7, at: now).id)])
            #expect(try await storage.session(id: early.id) != nil)
        },
        Promise("beyond the limit the user's oldest sessions end, with an entry each") { storage async throws in
            let now = TestClock().now
            let (id, other) = (try await user(storage, at: now), try await user(storage, name: "b", at: now))
            _ = try await storage.insertSession(
                Samples.session(100, of: other, at: now), passwordVersion: nil, refreshDigest: nil, limit: 3)
            for number in 0..<5 {
                let lines = try await storage.insertSession(
                    Samples.session(number, of: id, at: now), passwordVersion: nil, refreshDigest: nil, limit: 3)
                #expect(
                    lines?.map(\.subject) == (number < 3 ? [] : [.session(Samples.session(number - 3, at: now).id)]))
            }
            #expect(
                try await storage.sessions(of: id, before: nil, limit: 10, at: now).map(\.id)
                    == [4, 3, 2].map { Samples.session($0, at: now).id })
            #expect(try await storage.sessions(of: other, before: nil, limit: 10, at: now).count == 1)
            #expect(try await storage.revocations(after: 0, limit: 10).count == 2)
        },
        Promise("the limit holds also when fifty sign-ins race") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            let ended = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await storage.insertSession(
                            Samples.session(number, of: id, at: now), passwordVersion: nil, refreshDigest: nil, limit: 3
                        )?.count ?? 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(ended == 47)
            #expect(try await storage.sessions(of: id, before: nil, limit: 50, at: now).count == 3)
        },
        Promise("no session of the password before outlives a change that comes while many sign in") {
            storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            for round in 0..<10 {
                let version = try #require(await storage.credentials(user: id)).passwordVersion
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            if number == 10 {
                                _ = try await storage.setPasswordHash(
                                    "h\(round)", user: id, replacing: nil, beginning: nil, at: now)
                            } else {
                                _ = try await storage.insertSession(
                                    Samples.session(round * 100 + number, of: id, at: now), passwordVersion: version,
                                    refreshDigest: nil,
                                    limit: 100)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await storage.sessions(of: id, before: nil, limit: 50, at: now).isEmpty)
            }
        },
        Promise("a user's live sessions are listed newest first, a page at a time") { storage async throws in
            let clock = TestClock()
            let (id, other) = (
                try await user(storage, at: clock.now), try await user(storage, name: "b", at: clock.now)
            )
            for number in 0..<5 {
                let owner = number == 2 ? other : id
                _ = try await storage.insertSession(
                    Samples.session(number, of: owner, at: clock.now), passwordVersion: nil, refreshDigest: [1],
                    limit: 10)
            }
            func page(before number: Int?, at now: Date) async throws -> [Session.ID] {
                let last = number.map { Samples.session($0, at: now).id }
                return try await storage.sessions(of: id, before: last, limit: 2, at: now).map(\.id)
            }
            #expect(try await page(before: nil, at: clock.now) == [4, 3].map { Samples.session($0, at: clock.now).id })
            #expect(try await page(before: 3, at: clock.now) == [1, 0].map { Samples.session($0, at: clock.now).id })
            #expect(try await page(before: 0, at: clock.now).isEmpty)
            clock.advance(by: 7 * 86400)
            #expect(try await page(before: nil, at: clock.now).isEmpty)
        },
        Promise("a session without a refresh token is prolonged, one that has one is not") { storage async throws in
            let clock = TestClock()
            let id = try await user(storage, at: clock.now)
            let (plain, renewable) = (
                Samples.session(1, of: id, at: clock.now, isRenewable: false), Samples.session(2, of: id, at: clock.now)
            )
            _ = try await storage.insertSession(plain, passwordVersion: nil, refreshDigest: nil, limit: 10)
            _ = try await storage.insertSession(renewable, passwordVersion: nil, refreshDigest: [1], limit: 10)
            clock.advance(by: 60)
            let later = plain.expiresAt.addingTimeInterval(60)
            let prolonged = try await storage.prolongSession(id: plain.id, until: later, at: clock.now)
            #expect(prolonged?.session.expiresAt == later)
            #expect(prolonged?.session.lastUsedAt == clock.now)
            #expect(prolonged?.user.username == "a")
            // The expiry is never brought forward.
            #expect(
                try await storage.prolongSession(id: plain.id, until: clock.now, at: clock.now)?.session.expiresAt
                    == later)
            #expect(
                try await storage.prolongSession(id: renewable.id, until: later, at: clock.now)?.session.expiresAt
                    == renewable.expiresAt)
            #expect(
                try await storage.prolongSession(id: Samples.session(3, at: clock.now).id, until: later, at: clock.now)
                    == nil)
        },
        Promise("a session is ended once, by its owner or an operator, with an entry") { storage async throws in
            let now = TestClock().now
            let (id, other) = (try await user(storage, at: now), try await user(storage, name: "b", at: now))
            let session = Samples.session(of: id, at: now)
            _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 10)
            #expect(try await storage.endSession(id: session.id, of: other, at: now) == nil)
            #expect(try await storage.session(id: session.id) != nil)
            let line = try #require(await storage.endSession(id: session.id, of: id, at: now))
            #expect(line.subject == .session(session.id))
            #expect(line.isRefused)
            #expect(try await storage.endSession(id: session.id, of: nil, at: now) == nil)
            #expect(try await storage.revocations(after: 0, limit: 10) == [line])
        },
        Promise("all of a user's sessions end but one, also with another password") { storage async throws in
            let now = TestClock().now
            let (id, other) = (try await user(storage, at: now), try await user(storage, name: "b", at: now))
            for number in 0..<3 {
                _ = try await storage.insertSession(
                    Samples.session(number, of: id, at: now), passwordVersion: nil, refreshDigest: nil, limit: 9)
            }
            _ = try await storage.insertSession(
                Samples.session(9, of: other, at: now), passwordVersion: nil, refreshDigest: nil, limit: 9)
            let kept = Samples.session(1, at: now).id
            #expect(try await storage.endSessions(of: id, except: kept, at: now).count == 2)
            #expect(try await storage.endSessions(of: id, except: kept, at: now).isEmpty)
            let lines = try await storage.setPasswordHash("new", user: id, replacing: "h", beginning: nil, at: now)
            #expect(lines?.map(\.subject) == [.session(kept)])
            #expect(try await storage.sessions(of: other, before: nil, limit: 9, at: now).count == 1)
        },
        Promise("a session begins with another password, or both are as before") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            let old = Samples.session(1, of: id, at: now)
            _ = try await storage.insertSession(old, passwordVersion: nil, refreshDigest: [1], limit: 1)
            let new = Samples.session(2, of: id, at: now)
            func change(_ hash: String, replacing present: String) async throws -> [Revocation]? {
                try await storage.setPasswordHash(
                    hash, user: id, replacing: present, beginning: NewSession(new, refreshDigest: [2]), at: now)
            }
            #expect(try await change("new", replacing: "other") == nil)
            _ = try await storage.disableUser(id: id, at: now)
            #expect(try await change("new", replacing: "h") == nil)
            #expect(try await storage.credentials(user: id)?.passwordHash == "h")
            #expect(try await storage.session(id: old.id) != nil)
            #expect(try await storage.session(id: new.id) == nil)
            _ = try await storage.enableUser(id: id, at: now)
            let lines = try await change("new", replacing: "h")
            #expect(lines?.map(\.subject) == [.session(old.id)])
            #expect(try await storage.sessions(of: id, before: nil, limit: 9, at: now) == [new])
            #expect(try await storage.session(id: new.id)?.refresh.digest == [2])
            #expect(try await storage.credentials(user: id)?.passwordHash == "new")
            // The new session counts towards the limit.
            let third = Samples.session(3, of: id, at: now)
            let ended = try await storage.insertSession(third, passwordVersion: nil, refreshDigest: nil, limit: 1)
            #expect(ended?.map(\.subject) == [.session(new.id)])
        },
        Promise("the session that begins with another password outlives sign-ins that race with it") {
            storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            for round in 0..<10 {
                let version = try #require(await storage.credentials(user: id)).passwordVersion
                let new = Samples.session(round * 100 + 50, of: id, at: now)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            if number == 10 {
                                _ = try await storage.setPasswordHash(
                                    "h\(round)", user: id, replacing: nil,
                                    beginning: NewSession(new, refreshDigest: [1]), at: now)
                            } else {
                                _ = try await storage.insertSession(
                                    Samples.session(round * 100 + number, of: id, at: now), passwordVersion: version,
                                    refreshDigest: nil, limit: 2)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await storage.sessions(of: id, before: nil, limit: 50, at: now) == [new])
            }
        },
        Promise("a deleted user's sessions go with the user") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            let session = Samples.session(of: id, at: now)
            _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: [1], limit: 9)
            _ = try await storage.deleteUser(id: id, at: now)
            #expect(try await storage.session(id: session.id) == nil)
        },
        Promise("expired sessions are deleted in batches, without an entry") { storage async throws in
            let clock = TestClock()
            let id = try await user(storage, at: clock.now)
            for number in 0..<3 {
                _ = try await storage.insertSession(
                    Samples.session(number, of: id, at: clock.now), passwordVersion: nil, refreshDigest: nil, limit: 9)
            }
            clock.advance(by: 7 * 86400)
            #expect(try await storage.deleteSessions(expiredBefore: clock.now, limit: 2) == 0)
            clock.advance(by: 1)
            #expect(try await storage.deleteSessions(expiredBefore: clock.now, limit: 2) == 2)
            #expect(try await storage.deleteSessions(expiredBefore: clock.now, limit: 2) == 1)
            #expect(try await storage.revocations(after: 0, limit: 10).isEmpty)
        },
    ]
}
