import Foundation
import RESTAuth
import Testing

extension StorageContract {
    /// What is recorded of networks, wrong passwords and their counters.
    static let throttleEvents = [
        Promise("a user's new networks are recorded up to the limit each day") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now).id
            let before = try await storage.lastEventID()
            let event = Samples.event(.networkRemembered, user: user)
            func remember(_ number: Int) async throws -> Bool {
                let network = try #require(ClientNetwork("192.0.\(number).1"))
                return try await storage.rememberOrigin(
                    network, user: user, at: clock.now, limit: 3, recording: event)
            }
            for number in 1...9 {
                clock.advance(by: 1)
                #expect(try await remember(number) == (number <= 3), "\(number)")
            }
            #expect(try await storage.recorded(after: before).count == 3)
            clock.advance(by: 86400)
            #expect(try await remember(10))
            #expect(try await storage.recorded(after: before).count == 4)
        },
        Promise("a network that is new to a user is recorded once") {
            storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now).id
            let before = try await storage.lastEventID()
            let network = try #require(ClientNetwork("192.0.2.1"))
            let event = Samples.event(.networkRemembered, user: user)
            func remember(_ user: User.ID, recording event: AuthEvent?) async throws -> Bool {
                try await storage.rememberOrigin(network, user: user, at: clock.now, limit: 20, recording: event)
            }
            #expect(try await !remember(99, recording: event))
            #expect(try await remember(user, recording: event))
            clock.advance(by: 86400)
            #expect(try await !remember(user, recording: event))
            #expect(try await storage.knownOrigin(network, canonicalUsername: "a") == clock.now)
            #expect(try await storage.recorded(after: before) == ["network.remembered \(user)"])
            clock.advance(by: 1)
            _ = try await storage.deleteKnownOrigins(seenBefore: clock.now, limit: 9)
            #expect(try await remember(user, recording: nil))
            #expect(try await storage.recorded(after: before).count == 1)
            _ = try await storage.deleteKnownOrigins(seenBefore: clock.now + 1, limit: 9)
            #expect(try await remember(user, recording: event))
            #expect(try await storage.recorded(after: before).count == 2)
        },
        Promise("single failures are not recorded, the thresholds that they reach are, with who has the name") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            let limit = ThrottleLimit(
                allowance: 3, delay: .doubling(from: 1, to: 60), forgiveness: nil, memory: 3600)
            let caller = Caller(address: "192.0.2.9")
            for name in ["a", "nobody"] {
                let subject = ThrottleSubject.account(try Username(name))
                for _ in 0..<2 {
                    _ = try await storage.countFailure(1, of: subject, other: nil, limit: limit, by: caller, at: now)
                }
                #expect(try await storage.recorded(after: before).count == (name == "a" ? 0 : 1))
                for _ in 0..<3 {
                    _ = try await storage.countFailure(1, of: subject, other: nil, limit: limit, by: caller, at: now)
                }
            }
            let events = try await storage.events(after: before, limit: 9).map(\.fields)
            #expect(events.map(\.name) == ["throttle.reached", "throttle.reached"])
            #expect(events.map(\.userID) == [user, nil] && events.allSatisfy { $0.address == "192.0.2.9" })
            #expect(events.map(\.details) == [#"{"kind":"account","username":"a"}"#, #"{"kind":"account"}"#])
        },
        Promise("many networks at one account are recorded once") { storage async throws in
            let limit = ThrottleLimit(
                allowance: 100, delay: .doubling(from: 1, to: 60), forgiveness: nil, memory: 3600)
            let subject = ThrottleSubject.account(try Username("a"))
            for other in 0..<20 {
                _ = try await storage.countFailure(
                    1, of: subject, other: UInt32(other), limit: limit, by: .application, at: TestClock().now)
            }
            #expect(try await storage.recorded() == ["login.stuffed"])
        },
        Promise("of a counter that ends it is recorded only that somebody lifted it") { storage async throws in
            let now = TestClock().now
            let limit = ThrottleLimit(allowance: 9, delay: .doubling(from: 1, to: 60), forgiveness: nil, memory: 3600)
            let subject = ThrottleSubject.account(try Username("a"))
            let event = Samples.event(.throttleCleared)
            for recorded in [nil, event] {
                _ = try await storage.countFailure(1, of: subject, other: nil, limit: limit, by: .application, at: now)
                for _ in 0..<2 { try await storage.deleteThrottle(subject, recording: recorded) }
            }
            #expect(try await storage.recorded() == ["throttle.cleared"])
            _ = try await storage.countFailure(1, of: subject, other: nil, limit: limit, by: .application, at: now)
            for _ in 0..<2 {
                try await storage.deleteThrottles(canonicalUsername: "a", user: nil, recording: event)
            }
            #expect(try await storage.recorded().count == 2)
        },
    ]
}
