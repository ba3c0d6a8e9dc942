import Foundation
import Logging
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import ServiceLifecycle
import Support
import Testing

/// When the use of a token for programs is noted: beside its request where the service runs, and
/// before its answer where it does not. On PostgreSQL, with a row that is locked:
/// `ProgramTokenNodesTests`.
@Suite struct ProgramTokenUsesTests {
    private let test: TestAuth
    private let user: UserIdentity

    init() async throws {
        test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        user = try await test.auth.login.identify("miguel", password: "python")
    }

    private func create() async throws -> NewProgramToken {
        try await test.auth.personalTokens.create("ci", scopes: ["a"], for: user)
    }

    private func verify(_ token: NewProgramToken) async throws {
        _ = try await test.auth.programTokens.verify(Array(token.value.utf8))
    }

    /// The last use as the storage has it.
    private func stored(_ token: NewProgramToken) async throws -> Date? {
        try await test.storage.programTokens(of: .user(user.userID)).first { $0.id == token.token.id }?.lastUsedAt
    }

    /// The last use as it is listed.
    private func listed(_ token: NewProgramToken) async throws -> Date? {
        try await test.auth.personalTokens.list(of: user.userID).first { $0.id == token.token.id }?.lastUsedAt
    }

    /// Runs `body` while the service runs, and then ends it gracefully.
    private func whileNoting(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let services = PersonalTokensRoom.services(of: test.auth)
        #expect(services.count == 1)
        let group = ServiceGroup(services: services, logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await wait(for: "the service") { test.auth.programTokens.uses.isRunning }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test func withoutTheServiceAUseIsStoredWhenItIsAnswered() async throws {
        let token = try await create()
        try await verify(token)
        #expect(try await stored(token) == test.clock.now)
    }

    @Test func theServiceHasStoredAllUsesWhenItEnds() async throws {
        for _ in 0..<2 {
            var tokens: [NewProgramToken] = []
            for _ in 0..<20 { tokens.append(try await create()) }
            let all = tokens
            try await whileNoting {
                for token in all {
                    try await verify(token)
                    #expect(try await listed(token) == test.clock.now)
                }
            }
            for token in tokens { #expect(try await stored(token) == test.clock.now) }
            // And again without it.
            test.clock.advance(by: 60)
            try await verify(tokens[0])
            #expect(try await stored(tokens[0]) == test.clock.now)
            try await test.auth.personalTokens.deleteAll(of: user.userID)
        }
    }

    /// A storage that does not take uses refuses no token, and the next use is noted.
    @Test(arguments: [false, true]) func aUseThatCannotBeStoredIsLeftOut(isRunning: Bool) async throws {
        let token = try await create()
        try await test.storage.refuseUses(true)
        if isRunning {
            try await whileNoting { try await verify(token) }
        } else {
            try await verify(token)
        }
        #expect(try await listed(token) == nil)
        try await test.storage.refuseUses(false)
        test.clock.advance(by: 1)
        if isRunning {
            try await whileNoting { try await verify(token) }
        } else {
            try await verify(token)
        }
        #expect(try await stored(token) == test.clock.now)
    }
}
