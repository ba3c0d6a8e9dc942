import Foundation
import RESTAuth
import Testing

extension SessionsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.sessions]
}

extension StorageContract.Chapter {
    /// Sessions, and the rotation of their refresh tokens.
    public static let sessions = Self("sessions", StorageContract.sessions)
}

extension StorageContract {
    /// Stores a user and returns the id.
    private static func user(_ storage: any Storage, name: String = "a", at now: Date) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    private static func rotation(
        _ session: Session, _ generation: Int, _ digest: String, to successor: String, at now: Date,
        timeout: TimeInterval = 7 * 86400
    ) -> RefreshRotation {
        RefreshRotation(
            sessionID: session.id, generation: generation, digest: Array(digest.utf8),
            successorDigest: { $0 == 0 ? Array(successor.utf8) : [UInt8(ascii: "a") + UInt8($0)] }, now: now,
            inactivityTimeout: timeout, timebox: 30 * 86400)
    }

    private static func isRenewed(_ outcome: RefreshOutcome) -> Bool {
        switch outcome {
        case .renewed, .repeated: true
        default: false
        }
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
        Promise("a refresh token is traded once, and again until a successor is used") { storage async throws in
            let clock = TestClock()
            let session = Samples.session(of: try await user(storage, at: clock.now), at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            clock.advance(by: 60)
            guard
                case .renewed(let renewed, let user, _) = try await storage.rotate(
                    rotation(session, 0, "0", to: "1", at: clock.now))
            else { throw Unexpected() }
            #expect(renewed.lastUsedAt == clock.now)
            #expect(renewed.expiresAt == clock.now.addingTimeInterval(7 * 86400))
            #expect(user.username == "a")
            // The first successor within a minute, then the next; each repeated answer is a use,
            // and prolongs nothing.
            for (number, index) in [0, 1, 1, 2, 2].enumerated() {
                clock.advance(by: 40)
                guard
                    case .repeated(let repeated, _, index, _) = try await storage.rotate(
                        rotation(session, 0, "0", to: "1", at: clock.now))
                else { throw Unexpected() }
                #expect(repeated.lastUsedAt == clock.now)
                #expect(repeated.expiresAt == renewed.expiresAt)
                let stored = try #require(await storage.session(id: session.id))
                #expect(stored.session == repeated)
                #expect(stored.refresh.repeats == number + 1)
            }
            // Any one of the successors can be used.
            #expect(isRenewed(try await storage.rotate(rotation(session, 1, "b", to: "2", at: clock.now))))
            let state = try #require(await storage.session(id: session.id)).refresh
            #expect(state.generation == 2)
            #expect(state.digest == Array("2".utf8))
            #expect(state.siblingDigests.isEmpty)
            #expect(state.previousDigest == Array("b".utf8))
            #expect(state.givenAt == clock.now)
            #expect(state.repeats == 0)
        },
        Promise("the second of two successors that are used ends the session") { storage async throws in
            let clock = TestClock()
            let id = try await user(storage, at: clock.now)
            for (number, (first, second)) in [("1", "b"), ("b", "1"), ("c", "b")].enumerated() {
                let session = Samples.session(number, of: id, at: clock.now)
                _ = try await storage.insertSession(
                    session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
                for _ in 0..<3 {
                    #expect(isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now))))
                    clock.advance(by: 61)
                }
                #expect(isRenewed(try await storage.rotate(rotation(session, 1, first, to: "2", at: clock.now))))
                guard
                    case .reused(id, let line) = try await storage.rotate(
                        rotation(session, 1, second, to: "3", at: clock.now))
                else { throw Unexpected() }
                #expect(line.subject == .session(session.id))
                #expect(try await storage.session(id: session.id) == nil)
            }
        },
        Promise("a successor that was never given is refused") { storage async throws in
            let clock = TestClock()
            let session = Samples.session(of: try await user(storage, at: clock.now), at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            #expect(isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now))))
            for digest in ["b", "", "1b", "0"] {
                guard case .refused = try await storage.rotate(rotation(session, 1, digest, to: "2", at: clock.now))
                else { throw Unexpected() }
            }
            #expect(isRenewed(try await storage.rotate(rotation(session, 1, "1", to: "2", at: clock.now))))
        },
        Promise("of many that are late at once all get one successor, and none more than the limit") {
            storage async throws in
            let clock = TestClock()
            let session = Samples.session(of: try await user(storage, at: clock.now), at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            #expect(isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now))))
            clock.advance(by: 3600)
            let now = clock.now
            let (given, exhausted) = try await withThrowingTaskGroup(of: Int?.self) { group in
                for _ in 0..<RefreshRotation.repeatLimit + 20 {
                    group.addTask {
                        switch try await storage.rotate(rotation(session, 0, "0", to: "1", at: now)) {
                        case .repeated(_, _, let index, _): index
                        case .exhausted: nil
                        default: throw Unexpected()
                        }
                    }
                }
                return try await group.reduce(into: ([Int](), 0)) { result, index in
                    if let index { result.0.append(index) } else { result.1 += 1 }
                }
            }
            #expect(given == [Int](repeating: 1, count: RefreshRotation.repeatLimit))
            #expect(exhausted == 20)
            #expect(try await storage.session(id: session.id)?.refresh.repeats == RefreshRotation.repeatLimit)
            #expect(isRenewed(try await storage.rotate(rotation(session, 1, "1", to: "2", at: now))))
        },
        Promise("a token whose successor was used ends the session, with an entry") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            let session = Samples.session(of: id, at: now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            _ = try await storage.rotate(rotation(session, 0, "0", to: "1", at: now))
            _ = try await storage.rotate(rotation(session, 1, "1", to: "2", at: now))
            guard case .reused(id, let line) = try await storage.rotate(rotation(session, 0, "0", to: "1", at: now))
            else {
                throw Unexpected()
            }
            #expect(try await storage.revocations(after: 0, limit: 10) == [line])
            #expect(line.subject == .session(session.id))
            #expect(try await storage.session(id: session.id) == nil)
            guard case .refused = try await storage.rotate(rotation(session, 2, "2", to: "3", at: now)) else {
                throw Unexpected()
            }
        },
        Promise("of fifty racing rotations one advances, all are answered") { storage async throws in
            let now = TestClock().now
            let session = Samples.session(of: try await user(storage, at: now), at: now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            let renewed = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<50 {
                    group.addTask { isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: now))) }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(renewed == 50)
            #expect(try await storage.session(id: session.id)?.refresh.generation == 1)
        },
        Promise("an unknown token, an expired session and a disabled user are refused and change nothing") {
            storage async throws in
            let clock = TestClock()
            let id = try await user(storage, at: clock.now)
            let session = Samples.session(of: id, at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            guard case .refused = try await storage.rotate(rotation(session, 5, "x", to: "y", at: clock.now)) else {
                throw Unexpected()
            }
            _ = try await storage.disableUser(id: id, at: clock.now)
            guard case .refused = try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now)) else {
                throw Unexpected()
            }
            _ = try await storage.enableUser(id: id, at: clock.now)
            clock.advance(by: 7 * 86400)
            guard case .expired = try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now)) else {
                throw Unexpected()
            }
            #expect(try await storage.session(id: session.id)?.refresh.digest == Array("0".utf8))
        },
        Promise("no renewal goes beyond the timebox") { storage async throws in
            let clock = TestClock()
            let start = clock.now
            let session = Samples.session(of: try await user(storage, at: start), at: start)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            for number in 0..<5 {
                clock.advance(by: 6 * 86400)
                let outcome = try await storage.rotate(
                    rotation(session, number, "\(number)", to: "\(number + 1)", at: clock.now))
                if number < 4 {
                    guard case .renewed(let renewed, _, _) = outcome else { throw Unexpected() }
                    #expect(
                        renewed.expiresAt
                            == min(clock.now.addingTimeInterval(7 * 86400), start.addingTimeInterval(30 * 86400)))
                } else {
                    guard case .expired = outcome else { throw Unexpected() }
                }
            }
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
        Promise("sessions are counted and ended by the mark of their digests, those without a token never") {
            storage async throws in
            let clock = TestClock()
            let now = clock.now
            let id = try await user(storage, at: now)
            let mark: [UInt8] = [1, 2, 3, 4]
            let plain = Array(repeating: UInt8(9), count: 32)
            // Of the first three sessions one is marked; the third will be, but not its previous
            // token. The fourth has the mark, but is too short.
            let digests: [[UInt8]?] = [
                mark + plain, plain, plain, mark + plain.dropFirst(4), nil, [4, 3, 2, 1] + plain,
            ]
            for (number, digest) in digests.enumerated() {
                _ = try await storage.insertSession(
                    Samples.session(number, of: id, at: now, isRenewable: digest != nil), passwordVersion: nil,
                    refreshDigest: digest, limit: 10)
            }
            clock.advance(by: 60)
            let rotation = RefreshRotation(
                sessionID: Samples.session(2, at: now).id, generation: 0, digest: plain,
                successorDigest: { _ in mark + plain }, now: clock.now, inactivityTimeout: 7 * 86400,
                timebox: 30 * 86400)
            guard case .renewed(_, _, let first) = try await storage.rotate(rotation),
                case .repeated(_, _, 0, let again) = try await storage.rotate(rotation)
            else { throw Unexpected() }
            #expect(first == mark + plain)
            #expect(again == mark + plain)
            let count = try await storage.renewableSessions(notMarked: mark, at: clock.now)
            #expect(count.count == 5)
            #expect(count.unmarkedCount == 4)
            #expect(count.lastUnmarkedExpiry == clock.now.addingTimeInterval(7 * 86400))
            let later = try await storage.renewableSessions(notMarked: mark, at: now.addingTimeInterval(30 * 86400))
            #expect(later == RenewableSessions(count: 0, unmarkedCount: 0, lastUnmarkedExpiry: nil))
            #expect(try await storage.endSessions(notMarked: mark, limit: 3, at: clock.now).count == 3)
            #expect(try await storage.endSessions(notMarked: mark, limit: 3, at: clock.now).count == 1)
            #expect(try await storage.endSessions(notMarked: mark, limit: 3, at: clock.now).isEmpty)
            #expect(try await storage.session(id: Samples.session(0, at: now).id) != nil)
            #expect(try await storage.session(id: Samples.session(4, at: now).id) != nil)
            #expect(try await storage.revocations(after: 0, limit: 10).count == 4)
        },
    ]

    private struct Unexpected: Error {}
}
