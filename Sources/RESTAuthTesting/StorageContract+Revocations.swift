import Foundation
import RESTAuth
import Testing

extension RevocationsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.revocations]
}

extension StorageContract.Chapter {
    /// The revocation log.
    public static let revocations = Self("revocations", StorageContract.revocations)
}

extension StorageContract {
    /// Reads the log from the last number on, over and over, up to the entry about `subject`.
    private static func log(of storage: any Storage, until subject: Revocation.Subject) async throws -> [Revocation] {
        var lines: [Revocation] = []
        while lines.last?.subject != subject {
            let new = try await storage.revocations(after: lines.last?.number ?? 0, limit: 7)
            // A storage that answers at once does not suspend by itself, and the writing tasks need
            // a turn.
            if new.isEmpty { await Task.yield() }
            lines += new
        }
        return lines
    }

    /// Ends a session and returns the expiry of its revocation log entry.
    private static func end(_ session: Session, in storage: any Storage, at now: Date) async throws -> Date? {
        try await storage.endSession(id: session.id, of: nil, at: now)?.expiresAt
    }

    static let revocations = [
        Promise("what refuses or admits a user is an entry of the log, in the order of commits") {
            storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now)
            let lines = [
                try await storage.disableUser(id: user.id, at: clock.now),
                try await storage.enableUser(id: user.id, at: clock.now),
                try await storage.deleteUser(id: user.id, at: clock.now),
            ].compactMap { $0 }
            #expect(lines.map(\.isRefused) == [true, false, true])
            #expect(lines.map(\.number) == lines.map(\.number).sorted())
            #expect(Set(lines.map(\.number)).count == 3)
            #expect(try await storage.revocations(after: 0, limit: 10) == lines)
        },
        Promise("the log is read from a number on, a page at a time") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now)
            for _ in 0..<3 { _ = try await storage.disableUser(id: user.id, at: now) }
            let all = try await storage.revocations(after: 0, limit: 10)
            #expect(all.count == 3)
            #expect(try await storage.revocations(after: all[0].number, limit: 1) == [all[1]])
            #expect(try await storage.revocations(after: all[2].number, limit: 10).isEmpty)
        },
        Promise("a reader that goes on from the last number misses no entry, however many write at once") {
            storage async throws in
            let now = TestClock().now
            var users: [User.ID] = []
            for number in 0..<8 {
                users.append(try await storage.insertUser(Username("user-\(number)"), passwordHash: "h", at: now).id)
            }
            let last = try await storage.insertUser(Username("last"), passwordHash: "h", at: now).id
            async let read = log(of: storage, until: .user(last))
            let written = try await withThrowingTaskGroup(of: [Revocation].self) { group in
                for user in users {
                    group.addTask {
                        var lines: [Revocation] = []
                        for _ in 0..<25 { lines.append(try #require(await storage.disableUser(id: user, at: now))) }
                        return lines
                    }
                }
                return try await group.reduce([], +)
            }
            let end = try #require(await storage.deleteUser(id: last, at: now))
            #expect(try await read == written.sorted { $0.number < $1.number } + [end])
        },
        Promise("a session's entry expires with the last token that was issued for it") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now).id
            func session(_ number: Int, tokensFor seconds: TimeInterval) async throws -> Session {
                let sample = Samples.session(number, of: user, at: clock.now, isRenewable: number > 2)
                let session = Session(
                    id: sample.id, userID: user, createdAt: clock.now, methods: [.password], lastUsedAt: clock.now,
                    expiresAt: sample.expiresAt, origin: sample.origin, isRenewable: sample.isRenewable,
                    tokensExpireAt: clock.now.addingTimeInterval(seconds))
                _ = try await storage.insertSession(
                    session, passwordVersion: nil, refreshDigest: number > 2 ? Array("0".utf8) : nil, limit: 10)
                return session
            }
            func expiry(after seconds: TimeInterval) -> Date {
                clock.now.addingTimeInterval(seconds + Revocation.slack)
            }
            let ended = try await session(1, tokensFor: 600)
            #expect(try await end(ended, in: storage, at: clock.now) == expiry(after: 600))
            #expect(try await end(session(1, tokensFor: 600), in: storage, at: clock.now) == nil)

            let prolonged = try await session(2, tokensFor: 600)
            for seconds in [900, 5] {
                let stored = try await storage.prolongSession(
                    id: prolonged.id, until: clock.now.addingTimeInterval(TimeInterval(seconds)), at: clock.now)
                #expect(stored?.session.tokensExpireAt == clock.now.addingTimeInterval(900))
            }
            #expect(try await end(prolonged, in: storage, at: clock.now) == expiry(after: 900))

            // Each answer gives a token, a repeated one too, and some tokens expire sooner than
            // earlier ones.
            let renewed = try await session(3, tokensFor: 600)
            for (seconds, expected) in [(700, 700), (60, 700), (800, 800), (90, 800)] as [(TimeInterval, TimeInterval)]
            {
                let outcome = try await storage.rotate(
                    RefreshRotation(
                        sessionID: renewed.id, generation: 0, digest: Array("0".utf8), successorDigest: { _ in [1] },
                        now: clock.now, inactivityTimeout: 86400, timebox: 86400,
                        tokenExpiresAt: clock.now.addingTimeInterval(seconds)))
                switch outcome {
                case .renewed, .repeated: break
                default:
                    Issue.record("\(outcome)")
                    continue
                }
                #expect(
                    try await storage.session(id: renewed.id)?.session.tokensExpireAt
                        == clock.now.addingTimeInterval(expected))
            }
            #expect(try await end(renewed, in: storage, at: clock.now) == expiry(after: 800))

            // After all tokens have expired, only the slack for clocks remains.
            let old = try await session(4, tokensFor: 600)
            clock.advance(by: 3600)
            #expect(try await end(old, in: storage, at: clock.now) == expiry(after: 0))
            #expect(try await storage.revocations(after: 0, limit: 10).count == 4)
        },
        Promise("a deleted user's entry expires with the last token of the user's sessions") { storage async throws in
            let now = TestClock().now
            let slack = Revocation.slack
            for (name, lives) in [("a", [600, 4000, 50]), ("b", [])] as [(String, [TimeInterval])] {
                let user = try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
                for (number, seconds) in lives.enumerated() {
                    let sample = Samples.session(number, of: user, at: now)
                    _ = try await storage.insertSession(
                        Session(
                            id: sample.id, userID: user, createdAt: now, methods: [.password], lastUsedAt: now,
                            expiresAt: sample.expiresAt,
                            origin: sample.origin, isRenewable: true, tokensExpireAt: now.addingTimeInterval(seconds)),
                        passwordVersion: nil, refreshDigest: [1], limit: 10)
                }
                let line = try await storage.deleteUser(id: user, at: now)
                #expect(line?.expiresAt == now.addingTimeInterval((lives.max() ?? 0) + slack))
            }
        },
        Promise("what lifts a refusal expires no sooner than that, whatever the clocks say") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now).id
            let longest = Revocation.expiry(at: clock.now, tokensUntil: nil)
            _ = try await storage.grantRole("admin", user: user, at: clock.now)
            #expect(try await storage.revokeRole("admin", user: user, at: clock.now)?.expiresAt == longest)
            #expect(try await storage.disableUser(id: user, at: clock.now)?.expiresAt == longest)
            // As on a node whose clock is an hour behind.
            clock.advance(by: -3600)
            #expect(try await storage.enableUser(id: user, at: clock.now)?.expiresAt == longest)
            #expect(try await storage.grantRole("admin", user: user, at: clock.now).lifted?.expiresAt == longest)
            clock.advance(by: 7200)
            #expect(
                try await storage.enableUser(id: user, at: clock.now)?.expiresAt
                    == Revocation.expiry(at: clock.now, tokensUntil: nil))
        },
        Promise("what has expired is deleted in batches, and no number is ever given again") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now)
            for _ in 0..<3 { _ = try await storage.disableUser(id: user.id, at: clock.now) }
            let lines = try await storage.revocations(after: 0, limit: 10)
            let last = lines.last?.number ?? 0
            clock.advance(by: try #require(lines.last).expiresAt.timeIntervalSince(clock.now))
            #expect(try await storage.lastRevocationNumber() == last)
            #expect(try await storage.deleteRevocations(expiredBefore: clock.now, limit: 10) == 0)
            clock.advance(by: 1)
            #expect(try await storage.deleteRevocations(expiredBefore: clock.now, limit: 2) == 2)
            #expect(try await storage.deleteRevocations(expiredBefore: clock.now, limit: 2) == 1)
            #expect(try await storage.revocations(after: 0, limit: 10).isEmpty)
            #expect(try await storage.lastRevocationNumber() == last)
            #expect(try #require(await storage.enableUser(id: user.id, at: clock.now)).number > last)
        },
    ]
}
