import RESTAuth
import Testing

extension StorageContract {
    /// The log, read on from the last number over and over, up to the line about `subject`.
    private static func log(of storage: any Storage, until subject: Revocation.Subject) async throws -> [Revocation] {
        var lines: [Revocation] = []
        while lines.last?.subject != subject {
            let new = try await storage.revocations(after: lines.last?.number ?? 0, limit: 7)
            // A storage that answers at once gives its turn to no one by itself, and those who
            // write need one.
            if new.isEmpty { await Task.yield() }
            lines += new
        }
        return lines
    }

    static let revocations = [
        Promise("what refuses or admits a user is a line of the log, in the order of commits") { storage async throws in
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
        Promise("who reads on from the last number misses no line, however many write at once") {
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
