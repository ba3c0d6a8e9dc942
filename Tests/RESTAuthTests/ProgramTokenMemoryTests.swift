import Foundation
import RESTAuth
import RESTAuthTesting
import Synchronization
import Testing

/// When a token for programs is believed without a read.
@Suite struct ProgramTokenMemoryTests {
    private let clock = TestClock()
    private let revocations = Revocations(bound: .seconds(3600))
    private let memory: ProgramTokenMemory
    private let store: Store
    private let id = Session.ID(at: Date(timeIntervalSince1970: 1))
    private let token = PresentedToken(Array("ra_pat_".utf8) + Array(repeating: UInt8(ascii: "a"), count: 36))

    /// The row of a token, and how often it was read.
    private final class Store: Sendable {
        struct State {
            var identity: Identity?
            var expiresAt: Date?
            var reads = 0
        }

        private let state: Mutex<State>
        let clock: TestClock

        init(_ identity: Identity, clock: TestClock) {
            state = Mutex(State(identity: identity))
            self.clock = clock
        }

        func change(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }
        var reads: Int { state.withLock { $0.reads } }

        func read() throws -> VerifiedProgramToken {
            let now = clock.now
            return try state.withLock { state in
                state.reads += 1
                guard let identity = state.identity, state.expiresAt.map({ $0 > now }) ?? true else {
                    throw AuthError.invalidToken
                }
                return VerifiedProgramToken(of: identity, until: state.expiresAt, checkedAt: now)
            }
        }
    }

    private static func owner(_ id: Session.ID, roles: Set<String>) -> Identity {
        .user(
            UserIdentity(
                userID: 7, username: "a", roles: roles,
                authentication: Authentication([], at: Date(timeIntervalSince1970: 0)), presented: .personalToken(id),
                scope: ["profile"]))
    }

    init() {
        let clock = clock
        store = Store(Self.owner(id, roles: ["admin"]), clock: clock)
        memory = ProgramTokenMemory(capacity: 100, duration: 60, revocations: revocations) { clock.now }
        revocations.confirm(at: .now + .seconds(3600))
    }

    @discardableResult
    private func verify() async throws -> Identity {
        try await memory.verify(#require(token)) { _ in try store.read() }.identity
    }

    private func isRefused() async throws -> Bool {
        do {
            _ = try await verify()
            return false
        } catch let error as AuthError where error.code == .invalidToken {
            return true
        }
    }

    private func entry(_ number: Int64, _ subject: Revocation.Subject, isRefused: Bool = true) {
        revocations.apply([Revocation(number: number, subject: subject, isRefused: isRefused, at: clock.now)])
    }

    @Test func aRepeatIsNotReadForAMinute() async throws {
        #expect(try memory.remembered(#require(token)) == nil)
        for _ in 0..<100 { try await verify() }
        #expect(store.reads == 1)
        #expect(try memory.remembered(#require(token)) != nil)
        clock.advance(by: 59.9)
        try await verify()
        #expect(store.reads == 1)
        clock.advance(by: 0.1)
        #expect(try memory.remembered(#require(token)) == nil)
        try await verify()
        #expect(store.reads == 2)
    }

    @Test func whatWasRefusedIsNotRemembered() async throws {
        store.change { $0.identity = nil }
        for _ in 0..<3 { #expect(try await isRefused()) }
        #expect(store.reads == 3)
        store.change { $0.identity = Self.owner(id, roles: []) }
        #expect(try await !isRefused())
    }

    @Test func anEntryOfTheLogEndsTheToken() async throws {
        try await verify()
        entry(1, .session(Session.ID(at: clock.now)))
        entry(2, .user(8))
        try await verify()
        #expect(store.reads == 1)
        entry(3, .session(id))
        #expect(try memory.remembered(#require(token)) == nil)
        // The row may still be there on a replica that is behind.
        #expect(try await isRefused())
    }

    @Test func anEntryAboutTheOwnerEndsItUntilItIsLifted() async throws {
        try await verify()
        entry(1, .user(7))
        #expect(try await isRefused())
        entry(2, .user(7), isRefused: false)
        #expect(try await !isRefused())
    }

    @Test func aRoleThatWasTakenAwayIsReadAgain() async throws {
        try await verify()
        entry(1, .role("editor", of: 7))
        entry(2, .role("admin", of: 8))
        try await verify()
        #expect(store.reads == 1)
        entry(3, .role("admin", of: 7))
        store.change { $0.identity = Self.owner(id, roles: ["reader"]) }
        #expect(try await verify().user?.roles == ["reader"])
        #expect(store.reads == 2)
        // From then on it is remembered again.
        try await verify()
        #expect(store.reads == 2)
    }

    @Test func itEndsAtItsExpiry() async throws {
        store.change { $0.expiresAt = clock.now.addingTimeInterval(10) }
        try await verify()
        clock.advance(by: 9.9)
        try await verify()
        #expect(store.reads == 1)
        clock.advance(by: 0.1)
        #expect(try memory.remembered(#require(token)) == nil)
        #expect(try await isRefused())
    }

    @Test func withoutTheLogEveryUseIsRead() async throws {
        let behind = Revocations(bound: .seconds(3600))
        let clock = clock
        let memory = ProgramTokenMemory(capacity: 100, duration: 60, revocations: behind) { clock.now }
        for _ in 0..<3 { _ = try await memory.verify(#require(token)) { _ in try store.read() } }
        #expect(store.reads == 3)
        #expect(try memory.remembered(#require(token)) == nil)
        behind.confirm(at: .now)
        #expect(try memory.remembered(#require(token)) != nil)
    }

    @Test(arguments: [-3600, -61]) func aClockSetBackMakesNobodyBelieveLonger(seconds: TimeInterval) async throws {
        try await verify()
        clock.advance(by: seconds)
        #expect(try memory.remembered(#require(token)) == nil)
    }

    /// The token is deleted while it is read.
    @Test func whatIsRefusedDuringTheReadIsRefused() async throws {
        let error = await #expect(throws: AuthError.self) {
            try await memory.verify(#require(token)) { _ in
                let verified = try store.read()
                entry(1, .session(id))
                return verified
            }
        }
        #expect(error?.code == .invalidToken)
    }

    @Test func aServiceIsEndedByItsTokenAlone() async throws {
        let service = Identity.service(ServiceIdentity(id: "7", scope: ["a"], tokenID: id))
        store.change { $0.identity = service }
        #expect(try await verify() == service)
        entry(1, .user(7))
        try await verify()
        #expect(store.reads == 1)
        entry(2, .session(id))
        #expect(try await isRefused())
    }

    @Test func aTokenWithTheSameEndIsAnother() async throws {
        try await verify()
        let other = PresentedToken(Array("ra_svc_".utf8) + Array(repeating: UInt8(ascii: "a"), count: 36))
        #expect(try memory.remembered(#require(other)) == nil)
    }

    // MARK: Descriptions

    @Test func aDescriptionIsReadAsItWasWritten() throws {
        let service = Identity.service(ServiceIdentity(id: "backup", scope: ["a", "b:c"], tokenID: id))
        for identity in [Self.owner(id, roles: ["admin", "editor"]), Self.owner(id, roles: []), service] {
            for expiresAt in [nil, Date(timeIntervalSince1970: 2_000_000_000)] {
                let written = VerifiedProgramToken(of: identity, until: expiresAt, checkedAt: clock.now)
                let json = try #require(JSON(written.introspection(issuer: "i").bytes))
                let read = VerifiedProgramToken(introspection: json, issuer: "i", at: clock.now)
                #expect(read?.identity == identity)
                #expect(read?.expiresAt == expiresAt)
                #expect(VerifiedProgramToken(introspection: json, issuer: "j", at: clock.now) == nil)
            }
        }
    }

    @Test(
        arguments: [
            ("active", JSON.bool(false)), ("active", "true"), ("token_use", "access_token"),
            ("token_use", "refresh_token"),
            ("token_use", "service_token"), ("sub", 7), ("sub", "seven"), ("sub", "service:7"), ("username", .null),
            ("roles", "admin"), ("roles", [1]), ("scope", ["a"]), ("scope", .null), ("jti", ""), ("jti", "x"),
            ("exp", "2000000000"), ("exp", .null), ("exp", .number(1.5)), ("iss", .null),
        ] as [(String, JSON)])
    func anyOtherDescriptionIsNotBelieved(name: String, value: JSON) throws {
        let written = VerifiedProgramToken(
            of: Self.owner(id, roles: ["admin"]), until: Date(timeIntervalSince1970: 2_000_000_000),
            checkedAt: clock.now)
        guard case .object(let members) = written.introspection(issuer: "i") else { return }
        let altered = JSON.object(members.filter { $0.name != name } + [JSON.Member(name: name, value: value)])
        #expect(VerifiedProgramToken(introspection: altered, issuer: "i", at: clock.now) == nil)
    }
}
