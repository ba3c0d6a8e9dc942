import Foundation
import RESTAuth
import Testing

extension StorageContract.Chapter {
    /// Lists of users for operators.
    public static let userLists = Self("lists of users", StorageContract.userLists)
    /// The last operator, and passwords by a link.
    public static let operators = Self("operators", StorageContract.usersWithRoles + StorageContract.operators)
}

extension StorageContract {
    private static let names = ["b", "a", "Zoë", "zoe", "a_b", "a%b", "axb", "A-b", "ab", "a b", "日本", "z", "b1", "b2"]

    /// Users of those names, two of each second; every second one has a role, every third one is
    /// disabled.
    private static func fill(_ storage: any Storage) async throws {
        let now = TestClock().now
        for (index, name) in names.enumerated() {
            let date = now.addingTimeInterval(TimeInterval(index / 2))
            let user = try await storage.insertUser(Username(name), passwordHash: "h", at: date)
            if index % 2 == 0 { _ = try await storage.grantRole("admin", user: user.id, at: date) }
            if index % 3 == 0 { _ = try await storage.disableUser(id: user.id, at: date) }
        }
    }

    /// All pages of a list, one after the other.
    private static func walk(
        _ query: UserQuery, limit: Int, window: Int, in storage: any Storage
    ) async throws -> [String] {
        var (query, names, pages) = (query, [String](), 0)
        repeat {
            let page = try await storage.users(matching: query, limit: limit, window: window)
            #expect(page.users.count <= limit)
            names += page.users.map(\.username)
            query.after = page.next
            pages += 1
        } while query.after != nil && pages < 100
        #expect(query.after == nil)
        return names
    }

    private static func expected(_ query: UserQuery, in storage: any Storage) async throws -> [String] {
        func canonical(_ user: User) -> [UInt8] { Array(((try? Username(user.username))?.canonical ?? "").utf8) }
        let users = try await storage.users(after: 0, limit: 100).filter { user in
            (query.role.map(user.roles.contains) ?? true) && (query.isDisabled.map { $0 == user.isDisabled } ?? true)
                && (query.createdAfter.map { user.createdAt > $0 } ?? true)
                && (query.prefix.map { canonical(user).starts(with: $0.utf8) } ?? true)
        }
        return users.sorted { one, other in
            switch query.order {
            case .id: one.id < other.id
            case .newestID: one.id > other.id
            case .username: canonical(one).lexicographicallyPrecedes(canonical(other))
            case .oldest: (one.createdAt, one.id) < (other.createdAt, other.id)
            case .newest: (one.createdAt, one.id) > (other.createdAt, other.id)
            }
        }.map(\.username)
    }

    static let userLists = [
        Promise("every page of every list of users follows the one before, whatever they are filtered by") {
            storage async throws in
            try await fill(storage)
            let middle = TestClock().now.addingTimeInterval(3)
            let queries = UserQuery.Order.allCases.map { UserQuery(order: $0) } + [try UserQuery(prefix: "A")]
            for var query in queries {
                for role in [nil, "admin", "nobody's"] {
                    for isDisabled in [nil, true, false] {
                        for date in [nil, middle] {
                            (query.role, query.isDisabled, query.createdAfter) = (role, isDisabled, date)
                            let all = try await expected(query, in: storage)
                            for (limit, window) in [(3, 5), (1, 1), (2, 1000), (100, 4)] {
                                let seen = try await walk(query, limit: limit, window: window, in: storage)
                                #expect(seen == all, "\(query) \(limit) of \(window)")
                                await Task.yield()
                            }
                        }
                    }
                }
            }
        },
        Promise("a name is found by its beginning alone, in which no character is special") { storage async throws in
            try await fill(storage)
            for (prefix, found) in [
                ("a_", ["a_b"]), ("A%", ["a%b"]), ("%", []), ("_", []), ("ZO", ["zoe", "Zoë"]), ("zoë", ["Zoë"]),
                ("日", ["日本"]), ("a ", ["a b"]), ("b", ["b", "b1", "b2"]), ("\u{10FFFF}", []), ("c", []), ("'", []),
            ] {
                let names = try await walk(UserQuery(prefix: prefix), limit: 2, window: 3, in: storage)
                #expect(names == found, "\(prefix)")
            }
            #expect(try await walk(UserQuery(prefix: ""), limit: 4, window: 3, in: storage).count == names.count)
        },
        Promise("a page of a list examines no more than its window") { storage async throws in
            try await fill(storage)
            var query = UserQuery()
            query.isDisabled = false
            query.createdAfter = TestClock().now.addingTimeInterval(3600)
            let page = try await storage.users(matching: query, limit: 10, window: 5)
            #expect(page == UserPage(users: [], next: .id(5)))
        },
        Promise("of many users the few who are disabled are found at once, in every order") {
            storage async throws in
            let now = TestClock().now
            for number in 10..<40 {
                let user = try await storage.insertUser(
                    Username("user\(number)"), passwordHash: "h", roles: ["admin"],
                    at: now.addingTimeInterval(TimeInterval(number)))
                if [12, 38].contains(number) { _ = try await storage.disableUser(id: user.id, at: now) }
            }
            for var query in UserQuery.Order.allCases.map({ UserQuery(order: $0) }) + [try UserQuery(prefix: "user")] {
                query.isDisabled = true
                let page = try await storage.users(matching: query, limit: 5, window: 2)
                #expect(Set(page.users.map(\.username)) == ["user12", "user38"] && page.next == nil, "\(query)")
            }
        },
        Promise("an operator is shown of an account whether it has a password, and how many sessions") {
            storage async throws in
            let now = TestClock().now
            #expect(try await storage.account(of: 1, at: now) == nil)
            let bare = try await storage.insertUser(Username("bare"), passwordHash: nil, at: now)
            #expect(
                try await storage.account(of: bare.id, at: now)
                    == UserAccount(user: bare, hasPassword: false, passwordChangedAt: now, sessions: 0))
            let later = now.addingTimeInterval(60)
            _ = try await storage.setPasswordHash("h", user: bare.id, replacing: nil, beginning: nil, at: later)
            _ = try await storage.insertSession(
                Samples.session(1, of: bare.id, at: now), passwordVersion: nil, refreshDigest: [1], limit: 10)
            let account = try await storage.account(of: bare.id, at: later)
            #expect(account?.hasPassword == true && account?.passwordChangedAt == later && account?.sessions == 1)
            #expect(try await storage.account(of: bare.id, at: now + 8 * 86400)?.sessions == 0)
        },
    ]

    // MARK: Operators

    static let usersWithRoles = [
        Promise("a user is stored with all roles, and their events, or not at all") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(
                Username("boss"), passwordHash: nil, roles: [Role.operator, "a", "b"], at: now)
            #expect(user.roles == [Role.operator, "a", "b"])
            #expect(try await storage.user(id: user.id) == user)
            let events = try await storage.events(after: 0, limit: 100).map(\.fields)
            #expect(events.first?.name == "user.registered")
            #expect(events.allSatisfy { $0.userID == user.id && $0.at == events.first?.at })
            #expect(
                Set(events.map { $0.name + $0.details }) == [
                    "user.registered{}", #"role.granted{"role":"a"}"#, #"role.granted{"role":"b"}"#,
                    #"role.granted{"role":"rest-auth:operator"}"#,
                ])
            #expect(events.count == 4)
            // A name that is taken, and roles that no token can carry.
            let long = Set((0..<9).map { "\($0)" + String(repeating: "x", count: 62) })
            let refused: [(String, Set<String>, AuthError.Code)] = [
                ("BOSS", ["c"], .userAlreadyExists), ("eve", long, .validationFailed),
            ]
            for (name, roles, code) in refused {
                let error = await #expect(throws: AuthError.self) {
                    try await storage.insertUser(Username(name), passwordHash: nil, roles: roles, at: now + 1)
                }
                #expect(error?.code == code)
            }
            #expect(try await storage.users(after: 0, limit: 10) == [user])
            #expect(try await storage.events(after: 0, limit: 100).count == 4)
        }
    ]

    /// Adds operators, and returns their ids.
    private static func addOperators(_ count: Int, to storage: any Storage) async throws -> [User.ID] {
        var ids: [User.ID] = []
        for number in 0..<count {
            let now = TestClock().now
            let user = try await storage.insertUser(Username("operator\(number)"), passwordHash: "h", at: now)
            _ = try await storage.grantRole(Role.operator, user: user.id, at: now)
            ids.append(user.id)
        }
        return ids
    }

    /// A change that takes an operator away.
    private enum Removal: CaseIterable {
        case disabling, deletion, revocation

        func run(on id: User.ID, in storage: any Storage, keeping: Bool = true) async throws {
            let now = TestClock().now
            switch self {
            case .disabling:
                _ = try await storage.disableUser(
                    id: id, keepingOperator: keeping, at: now, recording: Samples.event(.userDisabled, at: now))
            case .deletion:
                _ = try await storage.deleteUser(
                    id: id, keepingOperator: keeping, at: now, recording: Samples.event(.userDeleted, at: now))
            case .revocation:
                _ = try await storage.revokeRole(
                    Role.operator, user: id, keepingOperator: keeping, at: now,
                    recording: Samples.event(.roleRevoked, at: now))
            }
        }
    }

    private static func operators(in storage: any Storage) async throws -> [User.ID] {
        try await storage.users(after: 0, limit: 100).filter { !$0.isDisabled && $0.roles.contains(Role.operator) }
            .map(\.id)
    }

    static let operators = [
        Promise("the last operator who is not disabled stays, and a refusal changes and records nothing") {
            storage async throws in
            let ids = try await addOperators(2, to: storage)
            let now = TestClock().now
            for counted in [ThrottleSubject.confirmation(by: ids[0]), .account(canonicalUsername: "operator0")] {
                _ = try await storage.countFailure(
                    1, of: counted, other: nil, limit: ThrottleConfiguration().account, at: now)
            }
            // A disabled one does not count.
            try await Removal.disabling.run(on: ids[1], in: storage)
            let rows = try await storage.events(after: 0, limit: 100).count
            let entries = try await storage.revocations(after: 0, limit: 100).count
            for removal in Removal.allCases {
                let error = await #expect(throws: AuthError.self) { try await removal.run(on: ids[0], in: storage) }
                #expect(error?.code == .lastOperator, "\(removal)")
                #expect(try await operators(in: storage) == [ids[0]])
            }
            #expect(try await storage.events(after: 0, limit: 100).count == rows)
            #expect(try await storage.revocations(after: 0, limit: 100).count == entries)
            #expect(try await storage.throttles(after: nil, limit: 10).count == 2)
            // The disabled one, other roles, and users who are not there can go.
            _ = try await storage.grantRole("admin", user: ids[0], at: now)
            _ = try await storage.revokeRole(
                "admin", user: ids[0], keepingOperator: true, at: now, recording: Samples.event(.roleRevoked, at: now))
            for removal in Removal.allCases { try await removal.run(on: 99, in: storage) }
            for removal in Removal.allCases.reversed() { try await removal.run(on: ids[1], in: storage) }
            #expect(try await storage.user(id: ids[1]) == nil)
        },
        Promise("an operator who cannot sign in does not count") { storage async throws in
            let now = TestClock().now
            let boss = try await storage.insertUser(Username("boss"), passwordHash: "h", at: now)
            let bare = try await storage.insertUser(Username("bare"), passwordHash: nil, at: now)
            for id in [boss.id, bare.id] { _ = try await storage.grantRole(Role.operator, user: id, at: now) }
            let error = await #expect(throws: AuthError.self) {
                try await storage.deleteUser(
                    id: boss.id, keepingOperator: true, at: now, recording: Samples.event(.userDeleted, at: now))
            }
            #expect(error?.code == .lastOperator)
            _ = try await storage.setPasswordHash("h", user: bare.id, replacing: nil, beginning: nil, at: now)
            _ = try await storage.deleteUser(
                id: boss.id, keepingOperator: true, at: now, recording: Samples.event(.userDeleted, at: now))
            #expect(try await storage.user(id: boss.id) == nil)
        },
        Promise("a command can take the last operator away") { storage async throws in
            for removal in Removal.allCases {
                for id in try await addOperatorsAnew(to: storage) {
                    try await removal.run(on: id, in: storage, keeping: false)
                }
                #expect(try await operators(in: storage).isEmpty, "\(removal)")
            }
        },
        Promise("of operators who take each other away at once, one is left") { storage async throws in
            for round in 0..<5 {
                let ids = try await addOperatorsAnew(to: storage)
                let refused = await withTaskGroup(of: Bool.self) { group in
                    for (index, id) in ids.enumerated() {
                        let removal = Removal.allCases[(index + round) % Removal.allCases.count]
                        group.addTask {
                            do {
                                try await removal.run(on: id, in: storage)
                                return false
                            } catch {
                                return (error as? AuthError)?.code == .lastOperator
                            }
                        }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(refused == 1)
                #expect(try await operators(in: storage).count == 1)
            }
        },
        Promise("of several that set a password by its number, one does") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("bare"), passwordHash: nil, at: now)
            #expect(try await storage.credentials(user: user.id)?.passwordHash == nil)
            let set: @Sendable (String, Int) async throws -> Bool = { hash, version in
                try await storage.setPasswordHash(
                    hash, user: user.id, replacing: nil, version: version, beginning: nil, at: now,
                    recording: Samples.event(.passwordReset, user: user.id, at: now)) != nil
            }
            for version in [0, 2] { #expect(try await !set("h", version)) }
            let changed = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<20 { group.addTask { (try? await set("\(number)", 1)) ?? false } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(changed == 1)
            #expect(try await storage.credentials(user: user.id)?.passwordVersion == 2)
            let rows = try await storage.events(after: 0, limit: 100)
            #expect(rows.count { $0.fields.name == "password.reset" } == 1)
        },
        Promise("a user without a password is inserted once, and refused ones end no series") { storage async throws in
            let now = TestClock().now
            let subject = ThrottleSubject.account(canonicalUsername: "bare")
            let count = {
                _ = try await storage.countFailure(
                    1, of: subject, other: nil, limit: ThrottleConfiguration().account, at: now)
            }
            let insert = { (date: Date) in
                try await storage.insertUser(Username("bare"), passwordHash: nil, at: date)
            }
            try await count()
            _ = try await insert(now)
            #expect(try await storage.throttles(of: [subject]).isEmpty)
            try await count()
            let error = await #expect(throws: AuthError.self) { try await insert(now + 1) }
            #expect(error?.code == .userAlreadyExists)
            #expect(try await storage.throttles(of: [subject]).count == 1)
        },
    ]

    /// Takes all operators away, and adds five others.
    private static func addOperatorsAnew(to storage: any Storage) async throws -> [User.ID] {
        for user in try await storage.users(after: 0, limit: 100) {
            try await Removal.deletion.run(on: user.id, in: storage, keeping: false)
        }
        return try await addOperators(5, to: storage)
    }
}
