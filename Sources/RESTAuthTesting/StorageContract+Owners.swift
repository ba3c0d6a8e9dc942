import Foundation
import RESTAuth
import Testing

/// Counters of a name or an id are deleted when its user comes or goes.
extension StorageContract {
    private static let limit = ThrottleLimit(
        allowance: 3, delay: .doubling(from: 10, to: 40), forgiveness: nil, memory: 3600)

    /// The subjects of the user with that name and id, and of others with similar names and ids.
    private static func subjects(_ name: String, _ id: User.ID) throws -> (
        own: Set<ThrottleSubject>, others: Set<ThrottleSubject>
    ) {
        let networks = try ["192.0.2.1", "2001:db8::1"].map { try #require(ClientNetwork($0)) }
        func all(_ name: String) throws -> [ThrottleSubject] {
            let name = try Username(name)
            return [.account(name)] + networks.map { .account(name, from: $0) }
        }
        func all(_ id: User.ID) -> [ThrottleSubject] {
            [.confirmation(by: id), .device(of: id), .oneTimeCode(of: id), .recoveryCode(of: id)]
        }
        return (
            Set(try all(name) + all(id)),
            Set(
                try ["\(name)a", "a\(name)", "\(name) smith", "\(name)0"].flatMap { try all($0) }
                    + all(id * 10) + [.hashing] + networks.map { .network($0) })
        )
    }

    private static func count(_ subjects: Set<ThrottleSubject>, in storage: any Storage) async throws {
        for subject in subjects {
            _ = try await storage.countFailure(1, of: subject, other: nil, limit: limit, at: TestClock().now)
        }
    }

    private static func counted(in storage: any Storage) async throws -> Set<ThrottleSubject> {
        Set(try await storage.throttles(after: nil, limit: 1000).map(\.subject))
    }

    static let owners = [
        Promise("who registers ends the series for the name, and is known there") { storage async throws in
            let now = TestClock().now
            let network = try #require(ClientNetwork("192.0.2.1"))
            let challenge = SpentChallenge(digest: [1], expiresAt: now + 60)
            for (index, permit) in [RegistrationPermit(), RegistrationPermit(challenge: challenge)].enumerated() {
                let name = "miguel\(index)"
                let (own, others) = try subjects(name, User.ID(index + 1))
                try await count(own.union(others), in: storage)
                _ = try await storage.insertUser(
                    Username(name.uppercased()), passwordHash: "h\(index)", at: now, using: permit, from: network)
                // The id is not known before the registration, so counters by id are left out.
                #expect(try await counted(in: storage).isDisjoint(with: own.filter { $0.userID == nil }))
                #expect(try await counted(in: storage).isSuperset(of: others))
                #expect(try await storage.knownOrigin(network, canonicalUsername: name) == now)
                await #expect(throws: AuthError.self) {
                    try await storage.insertUser(
                        Username(name), passwordHash: "other", at: now, using: RegistrationPermit(),
                        from: ClientNetwork("198.51.100.1"))
                }
                #expect(
                    try await storage.knownOrigin(
                        #require(ClientNetwork("198.51.100.1")), canonicalUsername: name) == nil)
            }
        },
        Promise("a registration that is refused ends no series") { storage async throws in
            let now = TestClock().now
            let id = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: now).id
            let (own, others) = try subjects("miguel", id)
            try await count(own.union(others), in: storage)
            await #expect(throws: AuthError.self) {
                try await storage.insertUser(Username("Miguel"), passwordHash: "i", at: now)
            }
            await #expect(throws: AuthError.self) {
                try await storage.insertUser(
                    Username("susan"), passwordHash: "i", at: now, using: RegistrationPermit(invitation: "unknown"),
                    from: nil)
            }
            #expect(try await counted(in: storage) == own.union(others))
        },
        Promise("who is added without a registration ends the series for the name, and is known nowhere") {
            storage async throws in
            let (own, others) = try subjects("miguel", 1)
            try await count(own.union(others), in: storage)
            _ = try await storage.insertUser(Username("Miguel"), passwordHash: "h", at: TestClock().now)
            #expect(try await counted(in: storage) == others)
        },
        Promise("who is deleted leaves nothing to the next of the name") { storage async throws in
            let now = TestClock().now
            let network = try #require(ClientNetwork("192.0.2.1"))
            let id = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: now).id
            try await storage.rememberOrigin(network, user: id, at: now, limit: 20)
            let (own, others) = try subjects("miguel", id)
            try await count(own.union(others), in: storage)
            #expect(try await storage.deleteUser(id: id + 1, at: now) == nil)
            #expect(try await counted(in: storage) == own.union(others))
            #expect(try await storage.deleteUser(id: id, at: now) != nil)
            #expect(try await counted(in: storage) == others)
            _ = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: now)
            #expect(try await storage.knownOrigin(network, canonicalUsername: "miguel") == nil)
        },
        Promise("another password ends the series") { storage async throws in
            let now = TestClock().now
            let id = try await storage.insertUser(Username("miguel"), passwordHash: "old", at: now).id
            let (own, others) = try subjects("miguel", id)
            try await count(own.union(others), in: storage)
            #expect(
                try await storage.setPasswordHash("new", user: id, replacing: "wrong", beginning: nil, at: now) == nil)
            #expect(try await counted(in: storage) == own.union(others))
            _ = try await storage.setPasswordHash("new", user: id, replacing: "old", beginning: nil, at: now)
            #expect(try await counted(in: storage) == others)
        },
        Promise("who is imported ends the series for the name; who is there already does not") { storage async throws in
            let now = TestClock().now
            let id = try await storage.insertUser(Username("susan"), passwordHash: "h", at: now).id
            let (present, _) = try subjects("susan", id)
            let (own, others) = try subjects("miguel", 500)
            try await count(present.union(own).union(others), in: storage)
            let users = try ["susan", "miguel"].map {
                try ImportableUser(
                    id: $0 == "miguel" ? 500 : nil, name: Username($0), passwordHash: "i", createdAt: now)
            }
            let last = try await storage.lastUserID()
            _ = try await storage.importUsers(users, above: last, isTrial: true)
            #expect(try await counted(in: storage) == present.union(own).union(others))
            #expect(
                try await storage.importUsers(users, above: last, isTrial: false) == [.nameTaken, .imported(500)])
            #expect(try await counted(in: storage) == present.union(others))
        },
    ]
}
