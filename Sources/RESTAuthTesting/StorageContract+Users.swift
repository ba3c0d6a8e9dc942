import Foundation
import RESTAuth
import Testing

extension UsersRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [
        .users, .passwordUpgrades, .userLists, .operators,
    ]
}

extension StorageContract.Chapter {
    /// Users, by name and id.
    public static let users = Self("users", StorageContract.users)
    /// Replacing hashes by newer ones of the same password.
    public static let passwordUpgrades = Self("password upgrades", StorageContract.upgrades)
}

extension StorageContract {
    static let users = [
        Promise("a name may have as many octets as a mail address") { storage async throws in
            for (number, letter) in ["x", "ü", "日", "𠀀"].enumerated() {
                let text = String(repeating: letter, count: Username.maximumBytes / letter.utf8.count)
                let name = try Username(text)
                let user = try await storage.insertUser(name, passwordHash: "h", at: TestClock().now)
                #expect(user.id == Int64(number + 1) && user.username == text)
                #expect(try await storage.credentials(canonicalUsername: name.canonical)?.user == user)
            }
        },
        Promise("a user is found by id and by canonical name, as typed") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("Miguel"), passwordHash: "hash", at: now)
            #expect(user == User(id: user.id, username: "Miguel", createdAt: now, disabledAt: nil))
            #expect(try await storage.user(id: user.id) == user)
            let stored = try await storage.credentials(canonicalUsername: "miguel")
            #expect(stored?.user == user)
            #expect(stored?.passwordHash == "hash")
        },
        Promise("ids count up from 1") { storage async throws in
            let now = TestClock().now
            for (index, name) in ["a", "b", "c"].enumerated() {
                #expect(
                    try await storage.insertUser(Username(name), passwordHash: "h", at: now).id == User.ID(index + 1))
            }
        },
        Promise("an unknown user is nobody") { storage async throws in
            #expect(try await storage.user(id: 1) == nil)
            #expect(try await storage.credentials(canonicalUsername: "nobody") == nil)
            #expect(
                try await storage.setPasswordHash("h", user: 1, replacing: nil, beginning: nil, at: TestClock().now)
                    == nil)
            #expect(try await storage.credentials(user: 1) == nil)
            #expect(try await !storage.grantRole("admin", user: 1, at: TestClock().now).exists)
            #expect(try await storage.revokeRole("admin", user: 1, at: TestClock().now) == nil)
            #expect(try await storage.disableUser(id: 1, at: TestClock().now) == nil)
            #expect(try await storage.enableUser(id: 1, at: TestClock().now) == nil)
            #expect(try await storage.deleteUser(id: 1, at: TestClock().now) == nil)
            #expect(try await storage.revocations(after: 0, limit: 10).isEmpty)
        },
        Promise("a name is taken whatever its case, and the first user keeps it") { storage async throws in
            let now = TestClock().now
            let first = try await storage.insertUser(Username("miguel"), passwordHash: "first", at: now)
            let error = await #expect(throws: AuthError.self) {
                try await storage.insertUser(Username("MIGUEL"), passwordHash: "second", at: now)
            }
            #expect(error?.code == .userAlreadyExists)
            #expect(try await storage.credentials(canonicalUsername: "miguel")?.user == first)
            #expect(try await storage.credentials(canonicalUsername: "miguel")?.passwordHash == "first")
        },
        Promise("of fifty racing insertions of one name, one succeeds") { storage async throws in
            let now = TestClock().now
            let succeeded = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        (try? await storage.insertUser(Username("race"), passwordHash: "h\(number)", at: now)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(succeeded == 1)
            #expect(try await storage.users(after: 0, limit: 10).count == 1)
        },
        Promise("users are listed by id, a page at a time") { storage async throws in
            for name in ["d", "a", "c", "b"] {
                _ = try await storage.insertUser(Username(name), passwordHash: "h", at: TestClock().now)
            }
            #expect(try await storage.users(after: 0, limit: 3).map(\.username) == ["d", "a", "c"])
            #expect(try await storage.users(after: 3, limit: 3).map(\.username) == ["b"])
            #expect(try await storage.users(after: 4, limit: 3).isEmpty)
        },
        Promise("another password hash replaces the first, for that user only") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "old", at: now)
            _ = try await storage.insertUser(Username("b"), passwordHash: "other", at: now)
            #expect(
                try await storage.setPasswordHash("new", user: user.id, replacing: nil, beginning: nil, at: now)?
                    .isEmpty
                    == true)
            #expect(try await storage.credentials(canonicalUsername: "a")?.passwordHash == "new")
            #expect(try await storage.credentials(user: user.id)?.passwordHash == "new")
            #expect(try await storage.credentials(canonicalUsername: "b")?.passwordHash == "other")
        },
        Promise("a password hash is replaced only while it is the one that was seen") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "old", at: now)
            #expect(
                try await storage.setPasswordHash("new", user: user.id, replacing: "other", beginning: nil, at: now)
                    == nil)
            #expect(try await storage.credentials(user: user.id)?.passwordHash == "old")
            let changed = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        (try? await storage.setPasswordHash(
                            "\(number)", user: user.id, replacing: "old", beginning: nil, at: now)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(changed == 1)
        },
        Promise("roles are granted and revoked one by one; a grant is in the log only where it lifts an entry") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now)
            for role in ["admin", "admin", "auditor"] {
                let outcome = try await storage.grantRole(role, user: user.id, at: now)
                #expect(outcome.exists)
                #expect(outcome.lifted == nil)
            }
            let error = await #expect(throws: AuthError.self) {
                for number in 0..<20 {
                    _ = try await storage.grantRole(
                        String(repeating: "x", count: 50) + "\(number)", user: user.id, at: now)
                }
            }
            #expect(error?.code == .validationFailed)
            for role in try #require(await storage.user(id: user.id)).roles where role.hasPrefix("x") {
                _ = try await storage.revokeRole(role, user: user.id, at: now)
            }
            _ = try await storage.deleteRevocations(expiredBefore: now.addingTimeInterval(2 * 86400), limit: 100)
            #expect(try await storage.user(id: user.id)?.roles == ["admin", "auditor"])
            #expect(try await storage.credentials(canonicalUsername: "a")?.user.roles == ["admin", "auditor"])
            #expect(try await storage.users(after: 0, limit: 1).first?.roles == ["admin", "auditor"])
            #expect(try await storage.revocations(after: 0, limit: 10).isEmpty)
            for _ in 0..<2 {
                let line = try #require(await storage.revokeRole("admin", user: user.id, at: now))
                #expect(line.subject == .role("admin", of: user.id))
                #expect(line.isRefused)
            }
            #expect(try await storage.user(id: user.id)?.roles == ["auditor"])
            let lifted = try #require(await storage.grantRole("admin", user: user.id, at: now).lifted)
            #expect(lifted.subject == .role("admin", of: user.id))
            #expect(!lifted.isRefused)
            #expect(try await storage.grantRole("admin", user: user.id, at: now).lifted == nil)
            #expect(try await storage.revocations(after: 0, limit: 10).map(\.isRefused) == [true, true, false])
        },
        Promise("a disabled user stays disabled since the first time, until enabled") { storage async throws in
            let clock = TestClock()
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: clock.now)
            let disabledAt = clock.now
            #expect(try await storage.disableUser(id: user.id, at: disabledAt)?.isRefused == true)
            clock.advance(by: 60)
            #expect(try await storage.disableUser(id: user.id, at: clock.now)?.isRefused == true)
            #expect(try await storage.user(id: user.id)?.disabledAt == disabledAt)
            #expect(try await storage.enableUser(id: user.id, at: clock.now)?.isRefused == false)
            #expect(try await storage.user(id: user.id)?.disabledAt == nil)
        },
        Promise("a deleted user's id is never given again, the name is free") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now)
            #expect(try await storage.deleteUser(id: user.id, at: now)?.isRefused == true)
            #expect(try await storage.user(id: user.id) == nil)
            #expect(try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id > user.id)
        },
        Promise("names and hashes of any script and SQL's own marks come back unchanged") { storage async throws in
            for name in ["日本語", "jürgen", "o'brien", "a--b", "100%", "a_b"] {
                let user = try await storage.insertUser(
                    Username(name), passwordHash: "'; DROP TABLE users; --", at: TestClock().now)
                let stored = try await storage.credentials(canonicalUsername: Username(name).canonical)
                #expect(stored?.user.username == name)
                #expect(stored?.user.id == user.id)
                #expect(stored?.passwordHash == "'; DROP TABLE users; --")
            }
        },
    ]
}
