import RESTAuth
import Testing

extension StorageContract {
    static let revocations = [
        Promise("what refuses or admits a user is a line of the log, in the order of commits") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now)
            let lines = [
                try await storage.disableUser(id: user.id, at: clock.now), try await storage.enableUser(id: user.id, at: clock.now),
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
        Promise("old lines are deleted in batches, and their numbers are never given again") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now)
            for _ in 0..<3 { _ = try await storage.disableUser(id: user.id, at: clock.now) }
            let last = try await storage.revocations(after: 0, limit: 10).last?.number ?? 0
            #expect(try await storage.lastRevocationNumber() == last)
            #expect(try await storage.deleteRevocations(before: clock.now, limit: 10) == 0)
            clock.advance(by: 1)
            #expect(try await storage.deleteRevocations(before: clock.now, limit: 2) == 2)
            #expect(try await storage.deleteRevocations(before: clock.now, limit: 2) == 1)
            #expect(try await storage.revocations(after: 0, limit: 10).isEmpty)
            #expect(try await storage.lastRevocationNumber() == last)
            #expect(try #require(await storage.enableUser(id: user.id, at: clock.now)).number > last)
        },
    ]
}
