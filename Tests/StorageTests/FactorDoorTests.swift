import Foundation
import RESTAuth
import RESTAuthTesting
import Support
import Synchronization
import Testing

/// Authenticator apps and recovery codes through their doors, on both backends: time, several at
/// once on several nodes, and after a move.
@Suite struct FactorDoorTests {
    private let directory: TemporaryDirectory
    private let clock = TestClock()
    private let secret = InstanceSecret()

    init() throws { directory = try TemporaryDirectory() }

    private func auth(over storage: any Storage, secret: InstanceSecret? = nil) async throws -> Auth {
        var configuration = AuthConfiguration()
        configuration.secret = secret ?? self.secret
        configuration.now = { [clock] in clock.now }
        configuration.hashingPatience = 600
        return try await Auth(storage: storage, configuration: configuration)
    }

    /// A user with an app, and two nodes of one database.
    private struct User: Sendable {
        let nodes: [Auth]
        let clock: TestClock
        let id: RESTAuth.User.ID
        let appID: FactorDescription.ID
        let secret: TOTPSecret
        let recoveryCodes: [String]

        /// What the app shows at its own time.
        func code(after seconds: TimeInterval = 0) -> String {
            secret.code(for: TOTP.step(at: clock.now.addingTimeInterval(seconds))).value
        }

        func take(_ code: String, at node: Int = 0) async throws -> Bool {
            try await nodes[node].factors.take(.code(code), of: id, by: .application) != nil
        }

        /// How many of twenty, who bring a code at both nodes at once, are let in.
        func takenAtOnce(_ code: String) async throws -> Int {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<20 { group.addTask { try await take(code, at: number % nodes.count) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
    }

    private func user(in place: TransferPlace) async throws -> User {
        let nodes = [try await auth(over: place.open()), try await auth(over: place.open())]
        _ = try await nodes[0].users.register("miguel", password: "python")
        let miguel = try await nodes[0].login.identify("miguel", password: "python")
        let app = try await nodes[0].factors.add("phone", of: miguel)
        let secret = try #require(Base32.decode(app.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: clock.now)).value
        let codes = try #require(try await nodes[0].factors.confirm(app.id, code: code, of: miguel))
        return User(
            nodes: nodes, clock: clock, id: miguel.userID, appID: app.id, secret: secret, recoveryCodes: codes)
    }

    private func user(_ backend: TransferBackend) async throws -> User {
        try await user(in: backend.place(directory, "source"))
    }

    @Test(arguments: TransferBackend.all)
    func aCodeThatWasTakenIsTakenNowhereAgain(backend: TransferBackend) async throws {
        let user = try await user(backend)
        #expect(try await !user.take(user.code()))
        clock.advance(by: 30)
        let code = user.code()
        #expect(try await user.take(code, at: 1))
        for node in [0, 1] {
            #expect(try await !user.take(code, at: node))
            clock.advance(by: 30)
            #expect(try await !user.take(code, at: node))
        }
        #expect(try await user.take(user.recoveryCodes[0], at: 0))
        for node in [0, 1] { #expect(try await !user.take(user.recoveryCodes[0], at: node)) }
    }

    @Test(arguments: TransferBackend.all)
    func ofTwentyAtTwoNodesAtOnceOneIsLetIn(backend: TransferBackend) async throws {
        let user = try await user(backend)
        clock.advance(by: 30)
        #expect(try await user.takenAtOnce(user.code()) == 1)
        #expect(try await user.takenAtOnce(user.recoveryCodes[0]) == 1)
        // The one before it has not been used, and is older.
        let older = user.code()
        clock.advance(by: 30)
        #expect(try await user.takenAtOnce(user.code()) == 1)
        #expect(try await !user.take(older))
        #expect(try await user.nodes[1].factors.list(of: user.id).recoveryCodes == 9)
    }

    @Test(arguments: TransferBackend.all)
    func anAppMayBeOneStepEarlyOrLate(backend: TransferBackend) async throws {
        let user = try await user(backend)
        for (passed, late) in [(90, -60), (90, -30), (30, 0), (60, 30), (90, 60)] as [(Double, Double)] {
            clock.advance(by: passed)
            let code = user.code(after: late)
            #expect(try await user.take(code) == (abs(late) <= 30), "\(late) seconds")
            // As far as it was taken, no other time makes it good again.
            #expect(try await !user.take(code, at: 1), "\(late) seconds, again")
        }
    }

    @Test(arguments: TransferBackend.all)
    func afterAClockWasSetBackAnAppWaitsAndARecoveryCodeDoesNot(backend: TransferBackend) async throws {
        let user = try await user(backend)
        clock.advance(by: 3600)
        #expect(try await user.take(user.code()))
        clock.advance(by: -1800)
        for _ in 0..<6 {
            for skew in [-30.0, 0, 30] { #expect(try await !user.take(user.code(after: skew), at: 1)) }
            clock.advance(by: 290)
        }
        #expect(try await user.take(user.recoveryCodes[0]))
        clock.advance(by: 90)
        #expect(try await user.take(user.code(), at: 1))
    }

    private final class Writing: Sendable {
        let isDone = Atomic(false)
    }

    @Test(arguments: TransferBackend.all)
    func aLookIsOfOneMoment(backend: TransferBackend) async throws {
        let place = try await backend.place(directory, "source")
        let (writer, reader) = try await (place.open(), place.open())
        let user = try await writer.insertUser(Username("miguel"), passwordHash: "h", at: clock.now).id
        let (now, codes) = (clock.now, StoredRecoveryCodes(sealedKey: [1], digests: [[1], [2]]))
        @Sendable func event(_ name: AuthEvent.Name) -> AuthEvent { Samples.event(name, user: user, at: now) }
        let writing = Writing()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !writing.isDone.load(ordering: .relaxed) {
                    // The codes come with the app, and go with it.
                    let factors = try await reader.factors(of: user)
                    try #require(factors.confirmed.isEmpty == (factors.recoveryCodes == 0))
                    // A read of SQLite does not wait: without this the writer would never run.
                    await Task.yield()
                }
            }
            group.addTask {
                defer { writing.isDone.store(true, ordering: .relaxed) }
                for number in 0..<200 {
                    let app = StoredTOTP(id: "\(number)", userID: user, name: "app", sealed: [1], createdAt: now)
                    #expect(try await writer.insertTOTP(app, limit: 5))
                    let result = try await writer.confirmTOTP(
                        id: app.id, of: user, step: 1, at: now, addedAfter: now, limit: 5, recoveryCodes: codes,
                        recording: event(.factorAdded), and: event(.recoveryCodesMade))
                    #expect(result.hasNewCodes)
                    let isRemoved = try await writer.removeTOTP(
                        id: app.id, of: user, keepingLast: false, recording: event(.factorRemoved))
                    #expect(isRemoved)
                }
            }
            try await group.waitForAll()
        }
    }

    // MARK: Moving

    @Test(arguments: TransferPair.all)
    func afterAMoveFactorsAreGoodUnderTheSameSecret(pair: TransferPair) async throws {
        let (source, place) = try await (
            pair.source.place(directory, "source"), pair.target.place(directory, "target")
        )
        let user = try await user(in: source)
        clock.advance(by: 30)
        let spent = user.code()
        #expect(try await user.take(spent))
        #expect(try await user.take(user.recoveryCodes[0]))
        let miguel = try await user.nodes[0].login.identify(
            .password(username: "miguel", password: "python", code: user.recoveryCodes[1]))
        guard case .user(let identity) = miguel else { return }
        let trust = try #require(try await user.nodes[0].trustedDevices.trust(identity, by: .application))
        _ = try await Transfer(from: source.open(), to: place.openToFill()).run()

        let moved = try await auth(over: place.open())
        func take(_ code: String) async throws -> Bool {
            try await moved.factors.take(.code(code), of: user.id, by: .application) != nil
        }
        #expect(try await moved.factors.list(of: user.id).recoveryCodes == 8)
        #expect(try await moved.trustedDevices.use(trust.token.value, of: user.id))
        // What was used there is used here.
        for code in [spent, user.recoveryCodes[0], user.recoveryCodes[1]] { #expect(try await !take(code)) }
        clock.advance(by: 30)
        #expect(try await take(user.code()))
        #expect(try await take(user.recoveryCodes[2]))
        // As with the signing keys: nothing starts under another secret.
        let error = await #expect(throws: AuthError.self) {
            try await auth(over: place.open(), secret: InstanceSecret())
        }
        #expect(error?.code == .misconfigured)
    }
}
