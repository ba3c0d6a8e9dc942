import Foundation
import RESTAuth
import Testing

/// Promises about users who must have a factor.
extension StorageContract {
    private static let now = TestClock().now

    static let requiredFactors = [
        Promise("the time to add a factor is stored once for each user") { storage async throws in
            let (one, other) = try await (newUser("a", storage), newUser("b", storage))
            let (first, later) = (now.addingTimeInterval(60), now.addingTimeInterval(120))
            #expect(try await storage.beginFactorGrace(of: one, until: first) == first)
            for date in [later, now, first] {
                #expect(try await storage.beginFactorGrace(of: one, until: date) == first)
            }
            #expect(try await storage.beginFactorGrace(of: other, until: later) == later)
            #expect(try await storage.beginFactorGrace(of: one, until: later) == first)
        },
        Promise("of many who begin that time at once, all are told the same") { storage async throws in
            let user = try await newUser("a", storage)
            let dates = try await withThrowingTaskGroup(of: Date.self) { group in
                for second in 0..<20 {
                    group.addTask {
                        try await storage.beginFactorGrace(of: user, until: now.addingTimeInterval(Double(second)))
                    }
                }
                return try await group.reduce(into: Set<Date>()) { $0.insert($1) }
            }
            #expect(dates.count == 1)
            #expect(try await [storage.beginFactorGrace(of: user, until: now - 1)] == Array(dates))
        },
        Promise("that time goes with the user, and nobody else has one") { storage async throws in
            let user = try await newUser("a", storage)
            _ = try await storage.beginFactorGrace(of: user, until: now)
            _ = try await storage.deleteUser(id: user, at: now)
            for (id, date) in [(user, now + 1), (user, now + 2), (user + 1, now + 3), (0, now + 4)] {
                #expect(try await storage.beginFactorGrace(of: id, until: date) == date)
            }
        },
        Promise("that time begins anew when all factors of the user are removed") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            for owner in [user, other] { _ = try await storage.beginFactorGrace(of: owner, until: now) }
            let event = Samples.event(.factorsRemoved, user: user, at: now)
            // Where there is nothing to remove, nothing changes.
            #expect(try await !storage.removeFactors(of: user, recording: event))
            #expect(try await removals("factors.removed", storage) == 0)
            #expect(try await storage.beginFactorGrace(of: user, until: now + 5) == now)
            #expect(try await storage.insertTOTP(FactorPromises.app("u", of: user), limit: 5))
            #expect(try await storage.removeFactors(of: user, recording: event))
            #expect(try await !storage.removeFactors(of: user, recording: event))
            #expect(try await removals("factors.removed", storage) == 1)
            #expect(try await storage.beginFactorGrace(of: user, until: now + 9) == now + 9)
            #expect(try await storage.beginFactorGrace(of: other, until: now + 9) == now)
        },
        Promise("the last app stays where it has to") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            try await newApp("x", of: user, storage)
            try await newApp("o", of: other, storage)
            // What is not confirmed is no factor, and goes.
            #expect(try await storage.insertTOTP(FactorPromises.app("u", of: user), limit: 5))
            await expectLast { try await remove("x", of: user, storage) }
            #expect(try await remove("u", of: user, storage))
            await expectLast { try await remove("x", of: user, storage) }
            for id in ["y", "u", "o"] { #expect(try await !remove(id, of: user, storage)) }
            #expect(try await storage.factors(of: user).confirmed.map(\.id) == ["x"])
            #expect(try await storage.factors(of: user).recoveryCodes == 1)
            #expect(try await removals("factor.removed", storage) == 0)
            try await newApp("y", of: user, storage)
            #expect(try await remove("x", of: user, storage))
            await expectLast { try await remove("y", of: user, storage) }
            #expect(try await removals("factor.removed", storage) == 1)
        },
        Promise("of several who remove the last apps at once, one is refused") { storage async throws in
            let user = try await newUser("a", storage)
            for id in ["x", "y", "z"] { try await newApp(id, of: user, storage) }
            let refused = await withTaskGroup(of: Bool.self) { group in
                for id in ["x", "y", "z"] {
                    group.addTask { (try? await remove(id, of: user, storage)) == nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(refused == 1)
            #expect(try await storage.factors(of: user).confirmed.count == 1)
            #expect(try await removals("factor.removed", storage) == 2)
        },
    ]

    // MARK: - Samples

    private static func newUser(_ name: String, _ storage: any Storage) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    /// Stores a confirmed app, with a recovery code if it is the first.
    private static func newApp(_ id: String, of user: User.ID, _ storage: any Storage) async throws {
        #expect(try await storage.insertTOTP(FactorPromises.app(id, of: user), limit: 5))
        let result = try await storage.confirmTOTP(
            id: id, of: user, step: 1, at: now, addedAfter: now, limit: 5,
            recoveryCodes: StoredRecoveryCodes(sealedKey: [1], digests: [[UInt8](repeating: 0, count: 32)]),
            recording: Samples.event(.factorAdded, user: user, at: now),
            and: Samples.event(.recoveryCodesMade, user: user, at: now))
        #expect(result.isConfirmed)
    }

    private static func remove(_ id: String, of user: User.ID, _ storage: any Storage) async throws -> Bool {
        try await storage.removeTOTP(
            id: id, of: user, keepingLast: true, recording: Samples.event(.factorRemoved, user: user, at: now))
    }

    private static func removals(_ name: String, _ storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }.count
    }

    private static func expectLast(_ body: () async throws -> Bool) async {
        let error = await #expect(throws: AuthError.self) { _ = try await body() }
        #expect(error?.code == .lastWayIn)
    }
}
