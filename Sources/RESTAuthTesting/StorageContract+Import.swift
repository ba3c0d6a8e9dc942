import Foundation
import RESTAuth
import Testing

extension ImportRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.imports]
}

extension StorageContract.Chapter {
    /// Users imported from other systems, with ids of their own.
    public static let imports = Self("imports", StorageContract.importing)
}

extension StorageContract {
    static let importing = [
        Promise("imported users are found as they were given, and sign in by their hash") { storage async throws in
            let now = TestClock().now
            let users = [
                try importable("Miguel", id: 7, legacyID: 3, roles: ["admin", "auditor"]),
                try importable("susan", id: 5, disabledAt: now.addingTimeInterval(60)), try importable("日本語"),
            ]
            #expect(
                try await storage.importUsers(users, above: 0, isTrial: false) == [
                    .imported(7), .imported(5), .imported(8),
                ])
            let miguel = try #require(await storage.credentials(canonicalUsername: "miguel"))
            #expect(
                miguel.user
                    == User(id: 7, username: "Miguel", createdAt: now, disabledAt: nil, roles: ["admin", "auditor"]))
            #expect(miguel.passwordHash == "hash of Miguel")
            #expect(miguel.passwordVersion == 1)
            #expect(try await storage.user(id: 5)?.disabledAt == now.addingTimeInterval(60))
            #expect(try await storage.credentials(legacyID: 3)?.user == miguel.user)
            for id: Int64 in [0, 5, 7, 8, -1] { #expect(try await storage.credentials(legacyID: id) == nil) }
        },
        Promise("ids that are given after an import are greater than all that were kept") { storage async throws in
            #expect(try await storage.lastUserID() == 0)
            _ = try await storage.importUsers(
                [importable("a", id: 900), importable("b", id: 20)], above: 0, isTrial: false)
            #expect(try await storage.lastUserID() == 900)
            #expect(try await storage.insertUser(Username("c"), passwordHash: "h", at: TestClock().now).id == 901)
            #expect(try await storage.importUsers([importable("d")], above: 0, isTrial: false) == [.imported(902)])
        },
        Promise("an id that was given before is not given again by an import, also when its user is gone") {
            storage async throws in
            let now = TestClock().now
            for name in ["a", "b", "c"] { _ = try await storage.insertUser(Username(name), passwordHash: "h", at: now) }
            _ = try await storage.deleteUser(id: 3, at: now)
            let last = try await storage.lastUserID()
            #expect(last == 3)
            let users = [try importable("x", id: 1), try importable("y", id: 3), try importable("z", id: 4)]
            #expect(
                try await storage.importUsers(users, above: last, isTrial: false) == [.idTaken, .idTaken, .imported(4)])
            // The id was given after the import began.
            #expect(try await storage.importUsers([importable("v", id: 4)], above: last, isTrial: false) == [.idTaken])
            for name in ["x", "y", "v"] { #expect(try await storage.credentials(canonicalUsername: name) == nil) }
        },
        Promise("ids that were reserved are given to nobody else, and are kept by who comes for them later") {
            storage async throws in
            let now = TestClock().now
            #expect(try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id == 1)
            #expect(try await storage.reserveUserIDs([]) == 1)
            #expect(try await storage.lastUserID() == 1)
            // An id that was given before is not reserved.
            #expect(try await storage.reserveUserIDs([9, 1, 5]) == 1)
            #expect(try await storage.reserveUserIDs([5, 7]) == 9)
            #expect(try await storage.lastUserID() == 9)
            #expect(try await storage.insertUser(Username("b"), passwordHash: "h", at: now).id == 10)
            _ = try await storage.deleteUser(id: 1, at: now)
            let users = [
                try importable("c", id: 1), try importable("d", id: 5), try importable("e", id: 7),
                try importable("f", id: 11),
            ]
            for isTrial in [true, false] {
                let outcomes = try await storage.importUsers(users, above: 10, isTrial: isTrial)
                #expect(outcomes[0] == .idTaken && outcomes[2] == .idTaken)
                guard case .imported = outcomes[1], case .imported = outcomes[3] else {
                    return #expect(Bool(false), "\(outcomes)")
                }
            }
            #expect(try await storage.user(id: 5)?.username == "d")
            // A reserved id is given once, even if its user is deleted.
            _ = try await storage.deleteUser(id: 5, at: now)
            let again = [try importable("g", id: 5), try importable("h", id: 9)]
            #expect(try await storage.importUsers(again, above: 11, isTrial: false) == [.idTaken, .imported(9)])
            #expect(try await storage.insertUser(Username("i"), passwordHash: "h", at: now).id == 12)
        },
        Promise("who is there already stays as they are, whatever an import says of the name") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("miguel"), passwordHash: "own", at: now)
            let other = try importable("MIGUEL", id: 50, legacyID: 50, disabledAt: now, roles: ["admin"])
            #expect(
                try await storage.importUsers([other, importable("b", id: 51)], above: 1, isTrial: false) == [
                    .nameOfAnotherID(user.id), .imported(51),
                ])
            for same in [try importable("Miguel", id: user.id), try importable("miguel")] {
                #expect(try await storage.importUsers([same], above: 51, isTrial: true) == [.nameTaken])
            }
            let stored = try #require(await storage.credentials(canonicalUsername: "miguel"))
            #expect(stored.user == user)
            #expect(stored.passwordHash == "own")
            #expect(try await storage.credentials(legacyID: 50) == nil)
            #expect(try await storage.users(after: 0, limit: 10).map(\.username) == ["miguel", "b"])
        },
        Promise("a legacy id has one user, and the first keeps it") { storage async throws in
            _ = try await storage.importUsers([importable("a", id: 1, legacyID: 1)], above: 0, isTrial: false)
            let outcomes = try await storage.importUsers(
                [importable("b", id: 2, legacyID: 1), importable("c", id: 3, legacyID: 3)], above: 0, isTrial: false)
            #expect(outcomes == [.legacyIDTaken, .imported(3)])
            #expect(try await storage.credentials(legacyID: 1)?.user.username == "a")
        },
        Promise("an import again changes nothing, and uses no id up") { storage async throws in
            let users = try (1...50).map {
                try importable("user-\($0)", id: $0 % 2 == 0 ? Int64($0) : nil, legacyID: Int64($0))
            }
            let first = try await storage.importUsers(users, above: 0, isTrial: false)
            let ids = first.compactMap { if case .imported(let id) = $0 { id } else { nil } }
            #expect(Set(ids).count == 50)
            let last = try await storage.lastUserID()
            for above in [0, last] {
                let again = try await storage.importUsers(users, above: above, isTrial: false)
                #expect(again == Array(repeating: .nameTaken, count: 50))
            }
            #expect(try await storage.lastUserID() == last)
            #expect(try await storage.users(after: 0, limit: 100).count == 50)
        },
        Promise("a trial tells the same and stores nothing") { storage async throws in
            _ = try await storage.importUsers([importable("a", id: 1, legacyID: 1)], above: 0, isTrial: false)
            let last = try await storage.lastUserID()
            let users = [
                try importable("A", id: 2), try importable("b", id: 1), try importable("c", id: 9, legacyID: 1),
                try importable("d", id: 9, roles: ["admin"]),
            ]
            let trial = try await storage.importUsers(users, above: last, isTrial: true)
            #expect(trial.prefix(3) == [.nameOfAnotherID(1), .idTaken, .legacyIDTaken])
            guard case .imported = trial[3] else { return #expect(Bool(false), "\(trial[3])") }
            #expect(try await storage.users(after: 0, limit: 10).count == 1)
            #expect(try await storage.lastUserID() == last)
        },
        Promise("of one user imported ten times at once, one comes in") { storage async throws in
            let users = try (1...20).map { try importable("user-\($0)", id: Int64($0), legacyID: Int64($0)) }
            let imported = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await storage.importUsers(users, above: 0, isTrial: false).count { $0 != .nameTaken }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(imported == 20)
            #expect(try await storage.users(after: 0, limit: 100).map(\.id) == Array(1...20))
        },
        Promise("users who register during an import get ids of their own") { storage async throws in
            let users = try (1...200).map { try importable("user-\($0)", id: Int64($0)) }
            let outcomes = try await withThrowingTaskGroup(of: [ImportOutcome].self) { group in
                for number in 0..<20 {
                    group.addTask {
                        [
                            .imported(
                                try await storage.insertUser(
                                    Username("new-\(number)"), passwordHash: "h", at: TestClock().now
                                ).id)
                        ]
                    }
                    group.addTask {
                        try await storage.importUsers(
                            Array(users[number * 10..<number * 10 + 10]), above: 0, isTrial: false)
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let ids = outcomes.compactMap { if case .imported(let id) = $0 { id } else { nil } }
            #expect(Set(ids).count == ids.count)
            #expect(try await storage.users(after: 0, limit: 1000).map(\.id) == ids.sorted())
        },
        Promise("everyone is exported with hash, password version and legacy id, a page at a time") {
            storage async throws in
            let now = TestClock().now
            _ = try await storage.importUsers(
                [importable("a", id: 4, legacyID: 2, roles: ["admin"]), importable("b", id: 6)], above: 0,
                isTrial: false)
            _ = try await storage.setPasswordHash("new", user: 6, replacing: nil, beginning: nil, at: now)
            let page = try await storage.exportUsers(after: 0, limit: 10)
            #expect(page.map(\.credentials.user.id) == [4, 6])
            #expect(page.map(\.credentials.user.roles) == [["admin"], []])
            #expect(page.map(\.credentials.passwordHash) == ["hash of a", "new"])
            #expect(page.map(\.credentials.passwordVersion) == [1, 2])
            #expect(page.map(\.legacyID) == [2, nil])
            #expect(try await storage.exportUsers(after: 0, limit: 1).map(\.credentials.user.id) == [4])
            #expect(try await storage.exportUsers(after: 4, limit: 1).map(\.credentials.user.id) == [6])
            #expect(try await storage.exportUsers(after: 6, limit: 1).isEmpty)
        },
        Promise("nobody is imported by an empty list") { storage async throws in
            for isTrial in [true, false] {
                #expect(try await storage.importUsers([], above: 0, isTrial: isTrial).isEmpty)
            }
            #expect(try await storage.lastUserID() == 0)
        },
    ]

    private static func importable(
        _ name: String, id: User.ID? = nil, legacyID: Int64? = nil, disabledAt: Date? = nil, roles: Set<String> = []
    ) throws -> ImportableUser {
        ImportableUser(
            id: id, legacyID: legacyID, name: try Username(name), passwordHash: "hash of \(name)",
            createdAt: TestClock().now,
            disabledAt: disabledAt, roles: roles)
    }
}
