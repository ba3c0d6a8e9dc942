import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// Renewals in random order, compared with the documented behaviour, on real storages.
@Suite struct RefreshModelTests {
    enum Backend: CaseIterable {
        case sqlite
        case postgres

        func storage(_ directory: TemporaryDirectory) async throws -> any Storage {
            switch self {
            case .sqlite: try await SQLiteStorage(path: directory.path + "/users.sqlite")
            case .postgres:
                try await PostgresStorage(PostgresConfiguration(url: directory.makePostgresDatabase()))
            }
        }
    }

    let directory: TemporaryDirectory
    let clock = TestClock()

    init() throws { directory = try TemporaryDirectory() }

    private func auth(_ backend: Backend) async throws -> (auth: Auth, owner: UserIdentity) {
        var configuration = AuthConfiguration()
        configuration.secret = InstanceSecret()
        configuration.now = { [clock] in clock.now }
        configuration.hashingPatience = 600
        let auth = try await Auth(storage: backend.storage(directory), configuration: configuration)
        _ = try await auth.users.register("miguel", password: "python")
        return (auth, try await auth.login.identify("miguel", password: "python"))
    }

    /// Every token that was ever given may be presented at any time, by anyone who has it.
    @Test(arguments: Backend.allCases) func everyTradeIsAnsweredAsTheTableSays(backend: Backend) async throws {
        let (auth, owner) = try await auth(backend)
        for round in 0..<Soak.count(20, soak: 400) {
            let now = clock.now
            let owner = UserIdentity(
                userID: owner.userID, username: owner.username, roles: [],
                authentication: Authentication([.password], at: now),
                presented: .password)
            let first = try await auth.sessions.start(for: owner)
            let identity = try await auth.accessTokens.verify(Array(first.access.value.utf8))
            var model = RefreshModel(first: first.refresh.value, at: now)
            for _ in 0..<40 {
                clock.advance(by: [0, 0, 1, 20, 60, 61, 3600, 86400, -1, -60, -3600].randomElement() ?? 0)
                // Mostly the newest tokens, sometimes any.
                let token = (Int.random(in: 0..<4) == 0 ? model.all : model.all.suffix(4)).randomElement() ?? ""
                let isGood = try await auth.sessions.session(ofRefreshToken: token) != nil
                let expected = model.present(token, at: clock.now)
                #expect(isGood == (expected != .refused && expected != .expired && expected != .reused))
                do {
                    let given = try await auth.sessions.refresh(token).refresh.value
                    #expect(model.accepts(given, as: expected), "round \(round): \(expected)")
                    model.note(given, as: expected)
                    let session = try #require(await auth.sessions.list(of: owner.userID).first)
                    #expect(session.id == identity.sessionID)
                    #expect(session.lastUsedAt == clock.now)
                    #expect(session.expiresAt == model.expiresAt)
                } catch let error as AuthError {
                    let code: AuthError.Code? =
                        switch expected {
                        case .refused: .invalidGrant
                        case .expired: .sessionExpired
                        case .reused: .refreshTokenReused
                        case .fresh, .same, .another: nil
                        }
                    #expect(error.code == code, "round \(round): \(expected)")
                }
            }
            try await auth.sessions.endAll(of: owner.userID)
        }
    }

    /// A browser that loses half of the answers, with tabs that renew at once, is never signed out
    /// as long as it comes back in time.
    @Test(arguments: Backend.allCases) func whoIsHonestIsNeverSignedOut(backend: Backend) async throws {
        let (auth, owner) = try await auth(backend)
        var token = try await auth.sessions.start(for: owner).refresh.value
        let end = clock.now.addingTimeInterval(29 * 86400)
        while clock.now < end {
            clock.advance(by: [1, 60, 61, 600, 3600, 20 * 3600, -3600].randomElement() ?? 0)
            let successors = try await withThrowingTaskGroup(of: String.self) { [token] group in
                for _ in 0..<Int.random(in: 1...4) {
                    group.addTask { try await auth.sessions.refresh(token).refresh.value }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(successors.count == 1)
            if Bool.random() { token = try #require(successors.first) }
        }
    }

    /// A thief copies a token, before or after the client has traded it, and trades it more than a
    /// minute after that: once both have renewed once, neither is signed in any more.
    @Test(arguments: Backend.allCases) func whoIsNotInStepIsNoticed(backend: Backend) async throws {
        let (auth, owner) = try await auth(backend)
        for _ in 0..<Soak.count(20, soak: 400) {
            let now = clock.now
            let owner = UserIdentity(
                userID: owner.userID, username: owner.username, roles: [],
                authentication: Authentication([.password], at: now),
                presented: .password)
            let stolen = try await auth.sessions.start(for: owner).refresh.value
            let isThiefFirst = Bool.random()
            let one = try await auth.sessions.refresh(stolen).refresh.value
            for _ in 0..<Int.random(in: 0...8) {
                clock.advance(by: Double.random(in: 0...120))
                _ = try await auth.sessions.refresh(stolen)
            }
            clock.advance(by: Double.random(in: 61...86400))
            let other = try await auth.sessions.refresh(stolen).refresh.value
            let holders = isThiefFirst ? [one, other] : [other, one]
            clock.advance(by: Double.random(in: 0...86400))
            let last = try await auth.sessions.refresh(holders[0]).refresh.value
            clock.advance(by: Double.random(in: 0...86400))
            let error = await #expect(throws: AuthError.self) { try await auth.sessions.refresh(holders[1]) }
            #expect(error?.code == .refreshTokenReused)
            for token in holders + [last, stolen] {
                let error = await #expect(throws: AuthError.self) { try await auth.sessions.refresh(token) }
                #expect(error?.code == .invalidGrant)
            }
        }
    }

    /// Two nodes on one database, asked at the same time.
    @Test func twoNodesGiveTheSameSuccessorAlsoLate() async throws {
        let url = try await directory.makePostgresDatabase()
        let secret = InstanceSecret()
        var nodes: [Auth] = []
        for _ in 0..<2 {
            var configuration = AuthConfiguration()
            configuration.secret = secret
            configuration.now = { [clock] in clock.now }
            configuration.hashingPatience = 600
            nodes.append(
                try await Auth(storage: PostgresStorage(PostgresConfiguration(url: url)), configuration: configuration))
        }
        _ = try await nodes[0].users.register("miguel", password: "python")
        let owner = try await nodes[0].login.identify("miguel", password: "python")
        let first = try await nodes[0].sessions.start(for: owner).refresh.value
        var seen: Set<String> = []
        for round in 1...3 {
            let successors = try await withThrowingTaskGroup(of: String.self) { [nodes] group in
                for number in 0..<30 {
                    group.addTask { try await nodes[number % 2].sessions.refresh(first).refresh.value }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(successors.count == 1)
            seen.formUnion(successors)
            #expect(seen.count == round)
            clock.advance(by: 61)
        }
        // Two of the successors at the same time at two nodes: one is renewed, the other ends the
        // session.
        let codes = await withTaskGroup(of: AuthError.Code?.self) { [nodes, seen] group in
            for (node, token) in zip(nodes, seen) {
                group.addTask {
                    do {
                        _ = try await node.sessions.refresh(token)
                        return nil
                    } catch {
                        return (error as? AuthError)?.code
                    }
                }
            }
            return await group.reduce(into: [AuthError.Code?]()) { $0.append($1) }
        }
        #expect(Set(codes) == [nil, .refreshTokenReused])
        #expect(try await nodes[1].sessions.list(of: owner.userID).isEmpty)
    }
}

/// A model of the documented behaviour of a session's refresh tokens.
private struct RefreshModel {
    enum Answer {
        case fresh
        case same
        case another
        case reused
        case expired
        case refused
    }

    private let start: Date
    private(set) var expiresAt: Date
    private(set) var all: [String]
    private var newest: [String]
    private var previous: String?
    private var givenAt: Date
    private var repeats = 0
    private var hasEnded = false

    init(first: String, at now: Date) {
        (start, givenAt, expiresAt) = (now, now, now.addingTimeInterval(7 * 86400))
        (all, newest) = ([first], [first])
    }

    mutating func present(_ token: String, at now: Date) -> Answer {
        if hasEnded { return .refused }
        if now >= expiresAt { return .expired }
        if newest.contains(token) {
            (previous, newest, repeats, givenAt) = (token, [], 0, now)
            expiresAt = min(now.addingTimeInterval(7 * 86400), start.addingTimeInterval(30 * 86400))
            return .fresh
        }
        guard token == previous else {
            hasEnded = true
            return .reused
        }
        guard repeats < 100 else { return .refused }
        repeats += 1
        if abs(now.timeIntervalSince(givenAt)) <= 60 { return .same }
        givenAt = now
        return .another
    }

    func accepts(_ given: String, as answer: Answer) -> Bool {
        switch answer {
        case .fresh, .another: !all.contains(given)
        case .same: given == newest.last
        case .reused, .expired, .refused: false
        }
    }

    mutating func note(_ given: String, as answer: Answer) {
        guard answer != .same else { return }
        newest.append(given)
        all.append(given)
    }
}
