import Foundation
import RESTAuth
import Synchronization
import Testing

extension ThrottleRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.throttle, .knownOrigins, .owners]
}

extension StorageContract.Chapter {
    /// Counted failures.
    public static let throttle = Self("throttle", StorageContract.throttle)
    /// Networks that users are known in.
    public static let knownOrigins = Self("known origins", StorageContract.knownOrigins)
    /// Counters that are deleted together with their user.
    public static let owners = Self("owners", StorageContract.owners)
}

extension StorageContract {
    private static let limit = ThrottleLimit(
        allowance: 3, delay: .doubling(from: 10, to: 40), forgiveness: nil, memory: 3600)
    private static let subject = ThrottleSubject.confirmation(by: 7)

    /// Names that begin like others or end like a network, and marks that combine with what
    /// precedes them.
    private static let names = ["john", "john smith", "john  smith", "john 192.0.2.0/24", "\u{301}nna", "ä", "李雷"]

    private static func count(
        _ amount: Int = 1, of subject: ThrottleSubject = subject, other: UInt32? = nil, in storage: any Storage,
        at now: Date
    ) async throws -> ThrottleLimit.Outcome {
        try await storage.countFailure(amount, of: subject, other: other, limit: limit, at: now)
    }

    static let throttle = [
        Promise("failures are counted up to the limit, and then have to wait") { storage async throws in
            let clock = TestClock()
            for number in 1...3 {
                guard case .counted(let counter, _) = try await count(in: storage, at: clock.now) else {
                    Issue.record("failure \(number) was refused")
                    return
                }
                #expect(counter.failures == number)
                #expect(try await storage.throttles(of: [subject]) == [counter])
            }
            #expect(try await count(in: storage, at: clock.now) == .refused(until: clock.now + 10))
            #expect(try await storage.throttles(of: [subject]).first?.failures == 3)
            clock.advance(by: 10)
            guard case .counted(let counter, _) = try await count(in: storage, at: clock.now) else {
                Issue.record("refused after the wait")
                return
            }
            #expect(counter.failures == 4)
            #expect(try await count(in: storage, at: clock.now) == .refused(until: clock.now + 20))
        },
        Promise("of a hundred failures at once no more are counted than one after the other") { storage async throws in
            let now = TestClock().now
            let counted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 {
                    group.addTask { if case .counted = try await count(in: storage, at: now) { true } else { false } }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(counted == 3)
            #expect(try await storage.throttles(of: [subject]).first?.failures == 3)
        },
        Promise("each subject has a counter of its own, whatever its letters") { storage async throws in
            let now = TestClock().now
            let networks = try [#require(ClientNetwork("192.0.2.1"))] + #require(ClientNetwork("2001:db8:7::1")).blocks
            var subjects = [ThrottleSubject.hashing]
            for user in [1, 2] as [User.ID] {
                subjects += [
                    .confirmation(by: user), .device(of: user), .oneTimeCode(of: user), .recoveryCode(of: user),
                ]
            }
            for name in names { try subjects.append(.account(Username(whoever: name))) }
            for name in names { try subjects.append(.account(Username(whoever: name), from: networks[0])) }
            for network in networks { subjects += [.network(network), .registrations(from: network)] }
            for (index, subject) in subjects.enumerated() {
                _ = try await count(index + 1, of: subject, in: storage, at: now)
            }
            let stored = try await storage.throttles(of: subjects + [.account(Username("smith"))])
            #expect(
                Dictionary(uniqueKeysWithValues: stored.map { ($0.subject, $0.failures) }).count == subjects.count)
            for (index, subject) in subjects.enumerated() {
                #expect(stored.first { $0.subject == subject }?.failures == index + 1)
            }
            #expect(try await storage.throttles(of: []).isEmpty)
        },
        Promise("two hundred that count at once are all counted, and quickly enough to be answered") {
            storage async throws in
            let now = TestClock().now
            let wide = ThrottleLimit(allowance: 1000, delay: .untilForgiven, forgiveness: 1, memory: 60)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<200 {
                    group.addTask {
                        _ = try await storage.countFailure(1, of: subject, other: nil, limit: wide, at: now)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await storage.throttles(of: [subject]).first?.failures == 200)
        },
        Promise("a counter that was deleted begins anew") { storage async throws in
            let now = TestClock().now
            for round in 0..<20 {
                for _ in 0..<2 { _ = try await count(in: storage, at: now) }
                async let third = count(in: storage, at: now)
                try await storage.deleteThrottle(subject)
                _ = try await third
                // The failure was counted before the deletion or after it, never on top of deleted
                // ones.
                let failures = try await storage.throttles(of: [subject]).first?.failures ?? 0
                #expect(failures <= 1, "round \(round)")
                try await storage.deleteThrottle(subject)
            }
        },
        Promise("others are remembered, each once, and not more than ten") { storage async throws in
            let now = TestClock().now
            let wide = ThrottleLimit(allowance: 1000, delay: .doubling(from: 1, to: 1), forgiveness: nil, memory: 60)
            for number in [7, 7, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 4_000_000_000] as [UInt32] {
                _ = try await storage.countFailure(1, of: subject, other: number, limit: wide, at: now)
            }
            #expect(try await storage.throttles(of: [subject]).first?.others == [7, 1, 2, 3, 4, 5, 6, 8, 9, 10])
        },
        Promise("counters are listed by the parts of their subjects, a page at a time, and deleted") {
            storage async throws in
            let now = TestClock().now
            let network = try #require(ClientNetwork("192.0.2.1"))
            var sorted: [ThrottleSubject] = []
            for name in ["a", "a b", "a-b", "z", "ä", "李"] { try sorted.append(.account(Username(whoever: name))) }
            sorted += [.confirmation(by: 2), .confirmation(by: 10), .device(of: 1), .hashing]
            for name in ["a", "a b"] { try sorted.append(.account(Username(whoever: name), from: network)) }
            sorted += [.network(network), .oneTimeCode(of: 1), .recoveryCode(of: 1)]
            for subject in sorted.reversed() { _ = try await count(of: subject, in: storage, at: now) }
            var listed: [ThrottleSubject] = []
            while case let page = try await storage.throttles(after: listed.last, limit: 3), !page.isEmpty {
                #expect(page.count == min(3, sorted.count - listed.count))
                listed += page.map(\.subject)
            }
            #expect(listed == sorted)
            #expect(try await storage.deleteThrottle(sorted[1]))
            #expect(try await !storage.deleteThrottle(sorted[1]))
            #expect(try await storage.throttles(after: nil, limit: 20).count == sorted.count - 1)
        },
        Promise("what is counted of a name is deleted, of no other, and what is counted of its user") {
            storage async throws in
            let now = TestClock().now
            let networks = try ["192.0.2.1", "2001:db8::1"].map { try #require(ClientNetwork($0)) }
            for name in try names.map({ try Username(whoever: $0) }) {
                _ = try await count(of: .account(name), in: storage, at: now)
                for network in networks { _ = try await count(of: .account(name, from: network), in: storage, at: now) }
            }
            func all(of user: User.ID) -> [ThrottleSubject] {
                [.confirmation(by: user), .device(of: user), .oneTimeCode(of: user), .recoveryCode(of: user)]
            }
            for subject in all(of: 1) + all(of: 2) { _ = try await count(of: subject, in: storage, at: now) }
            for network in networks { _ = try await count(of: .network(network), in: storage, at: now) }
            _ = try await count(of: .hashing, in: storage, at: now)
            let counted = try await storage.throttles(after: nil, limit: 100).map(\.subject)

            let john = try Username("john")
            let deleted = try await storage.deleteThrottles(canonicalUsername: john.canonical, user: 2)
            var ofJohn = [.account(john)] + all(of: 2)
            for network in networks { ofJohn.append(.account(john, from: network)) }
            #expect(Set(deleted) == Set(ofJohn))
            #expect(deleted.count == 7)
            let left = try await storage.throttles(after: nil, limit: 100).map(\.subject)
            #expect(left == counted.filter { !ofJohn.contains($0) })
            #expect(try await storage.deleteThrottles(canonicalUsername: john.canonical, user: 2).isEmpty)
            #expect(try await storage.deleteThrottles(canonicalUsername: names[4], user: nil).count == 3)
            #expect(try await storage.deleteThrottles(canonicalUsername: "", user: nil).isEmpty)
            #expect(try await storage.throttles(of: all(of: 1)).count == 4)
        },
        Promise("what is forgotten counts no more, and is swept") { storage async throws in
            let clock = TestClock()
            for _ in 0..<3 { _ = try await count(in: storage, at: clock.now) }
            clock.advance(by: 3600)
            guard case .counted(let counter, _) = try await count(in: storage, at: clock.now) else {
                Issue.record("refused although forgotten")
                return
            }
            #expect(counter.failures == 1)
            #expect(try await storage.deleteThrottles(forgottenBefore: clock.now, limit: 10) == 0)
            clock.advance(by: 3601)
            #expect(try await storage.deleteThrottles(forgottenBefore: clock.now, limit: 10) == 1)
            #expect(try await storage.throttles(of: [subject]).isEmpty)
        },
        Promise("no more are swept at once than asked for") { storage async throws in
            let clock = TestClock()
            for number in 1...5 as ClosedRange<User.ID> {
                _ = try await count(of: .confirmation(by: number), in: storage, at: clock.now)
            }
            clock.advance(by: 4000)
            #expect(try await storage.deleteThrottles(forgottenBefore: clock.now, limit: 3) == 3)
            #expect(try await storage.deleteThrottles(forgottenBefore: clock.now, limit: 3) == 2)
        },
        Promise("a counter that is blocked for good is kept") { storage async throws in
            let clock = TestClock()
            let final = ThrottleLimit(
                allowance: 1, delay: .doubling(from: 1, to: 1), forgiveness: nil, end: 2, memory: 60)
            _ = try await storage.countFailure(2, of: subject, other: nil, limit: final, at: clock.now)
            clock.advance(by: 10 * 365 * 86400)
            #expect(
                try await storage.countFailure(1, of: subject, other: nil, limit: final, at: clock.now)
                    == .refused(until: .distantFuture))
            #expect(try await storage.deleteThrottles(forgottenBefore: clock.now, limit: 10) == 0)
        },
    ]

    static let knownOrigins = [
        Promise("a network is known once a user has come from it, for that user only") { storage async throws in
            let clock = TestClock()
            let network = try #require(ClientNetwork("192.0.2.1"))
            let miguel = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: clock.now)
            _ = try await storage.insertUser(Username("susan"), passwordHash: "h", at: clock.now)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
            try await storage.rememberOrigin(network, user: miguel.id, at: clock.now, limit: 20)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == clock.now)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "susan") == nil)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "nobody") == nil)
            let other = try #require(ClientNetwork("192.0.3.1"))
            #expect(try await storage.knownOrigin(other, canonicalUsername: "miguel") == nil)
            let first = clock.now
            clock.advance(by: 60)
            try await storage.rememberOrigin(network, user: miguel.id, at: clock.now, limit: 20)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == clock.now)
            // A clock that is behind does not set the time back.
            try await storage.rememberOrigin(network, user: miguel.id, at: first, limit: 20)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == clock.now)
        },
        Promise("nothing is remembered of a user who is gone, or of one who never was") { storage async throws in
            let now = TestClock().now
            let network = try #require(ClientNetwork("2001:db8::1"))
            try await storage.rememberOrigin(network, user: 1, at: now, limit: 20)
            let user = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: now)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
            try await storage.rememberOrigin(network, user: user.id, at: now, limit: 20)
            _ = try await storage.deleteUser(id: user.id, at: now)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
            #expect(try await storage.deleteKnownOrigins(seenBefore: .distantFuture, limit: 10) == 0)
        },
        Promise("the newest networks of a user are kept, and old ones swept") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: clock.now)
            let networks = try (0..<6).map { try #require(ClientNetwork("10.0.\($0).1")) }
            for network in networks {
                clock.advance(by: 1)
                try await storage.rememberOrigin(network, user: user.id, at: clock.now, limit: 4)
            }
            var known: [Bool] = []
            for network in networks {
                known.append(try await storage.knownOrigin(network, canonicalUsername: "miguel") != nil)
            }
            #expect(known == [false, false, true, true, true, true])
            #expect(try await storage.deleteKnownOrigins(seenBefore: clock.now, limit: 2) == 2)
            #expect(try await storage.deleteKnownOrigins(seenBefore: clock.now, limit: 2) == 1)
            #expect(try await storage.knownOrigin(networks[5], canonicalUsername: "miguel") == clock.now)
        },
    ]

    static let upgrades = [
        Promise("a hash is upgraded only while it is the one that was seen, and nothing else changes") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("miguel"), passwordHash: "old", at: now)
            _ = try await storage.insertSession(
                Samples.session(at: now), passwordVersion: 1, refreshDigest: nil, limit: 10)
            #expect(try await !storage.upgradePasswordHash("new", user: user.id, replacing: "other"))
            #expect(try await !storage.upgradePasswordHash("new", user: user.id + 1, replacing: "old"))
            #expect(try await storage.credentials(user: user.id)?.passwordHash == "old")
            #expect(try await storage.upgradePasswordHash("new", user: user.id, replacing: "old"))
            let stored = try await storage.credentials(user: user.id)
            #expect(stored?.passwordHash == "new")
            #expect(stored?.passwordVersion == 1)
            #expect(try await storage.session(id: Samples.session(at: now).id) != nil)
            #expect(try await storage.revocations(after: 0, limit: 10).isEmpty)
        },
        Promise("a sample of hashes has as many of each kind as users have") { storage async throws in
            #expect(try await storage.passwordHashes(sampling: 10).isEmpty)
            for number in 0..<100 {
                _ = try await storage.insertUser(
                    Username("u\(number)"), passwordHash: number < 75 ? "a" : "b", at: TestClock().now)
            }
            let sample = try await storage.passwordHashes(sampling: 20)
            #expect(sample.count == 20)
            #expect(sample.count { $0 == "a" } == 15)
            #expect(try await storage.passwordHashes(sampling: 1).count == 1)
        },
        Promise("another password makes the user known nowhere") { storage async throws in
            let now = TestClock().now
            let network = try #require(ClientNetwork("192.0.2.1"))
            let user = try await storage.insertUser(Username("miguel"), passwordHash: "old", at: now)
            let other = try await storage.insertUser(Username("susan"), passwordHash: "old", at: now)
            for user in [user, other] { try await storage.rememberOrigin(network, user: user.id, at: now, limit: 20) }
            #expect(
                try await storage.setPasswordHash("new", user: user.id, replacing: "wrong", beginning: nil, at: now)
                    == nil)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == now)
            _ = try await storage.setPasswordHash("new", user: user.id, replacing: "old", beginning: nil, at: now)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "susan") == now)
        },
    ]
}
