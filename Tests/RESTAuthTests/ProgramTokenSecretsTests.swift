import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// Tokens for programs while the secret of the instance is changed: their digests are made anew at
/// use, counted until then, and refused afterwards.
@Suite struct ProgramTokenSecretsTests {
    private let storage: SQLiteStorage
    private let clock = TestClock()
    private let old = InstanceSecret()
    private let new = InstanceSecret()

    init() async throws { storage = try await SQLiteStorage() }

    private func process(_ secrets: InstanceSecrets) async throws -> TestAuth {
        try await TestAuth(over: storage, secret: old, clock: clock) { $0.secrets = secrets }
    }

    private func before() async throws -> TestAuth { try await process(InstanceSecrets(old)) }
    private func prepared() async throws -> TestAuth { try await process(InstanceSecrets(old, next: new)) }
    private func changed() async throws -> TestAuth { try await process(InstanceSecrets(new, previous: old)) }
    private func after() async throws -> TestAuth { try await process(InstanceSecrets(new)) }

    private func verify(_ token: NewProgramToken, by process: TestAuth) async throws {
        _ = try await process.auth.programTokens.verify(Array(token.value.utf8))
    }

    private func tokens() async throws -> (used: NewProgramToken, idle: NewProgramToken, ofService: NewProgramToken) {
        let before = try await before()
        _ = try await before.auth.users.register("miguel", password: "python")
        let user = try await before.auth.login.identify("miguel", password: "python")
        try await before.auth.serviceAccounts.add("ci")
        return (
            try await before.auth.personalTokens.create("used", scopes: ["a"], for: user),
            try await before.auth.personalTokens.create("idle", scopes: ["a"], for: user),
            try await before.auth.serviceAccounts.createToken("first", scopes: ["a"], of: "ci")
        )
    }

    @Test func aDigestIsMadeAnewAtUse() async throws {
        let tokens = try await tokens()
        try await verify(tokens.used, by: before())
        let changed = try await changed()
        var status = try await changed.auth.secretRotation.status()
        #expect(status.tokens == 3 && status.tokensOfPrevious == 3 && status.needsPrevious)
        // A process that is not yet so far changes nothing.
        try await verify(tokens.used, by: prepared())
        #expect(try await changed.auth.secretRotation.status().tokensOfPrevious == 3)
        // It was used less than a minute ago, and is digested anew all the same.
        for _ in 0..<2 { try await verify(tokens.used, by: changed) }
        try await verify(tokens.ofService, by: changed)
        status = try await changed.auth.secretRotation.status()
        #expect(status.tokens == 3 && status.tokensOfPrevious == 1)
        try await changed.auth.secretRotation.reseal()
        for process in [try await prepared(), changed, try await after()] {
            try await verify(tokens.used, by: process)
            try await verify(tokens.ofService, by: process)
        }
        try await verify(tokens.idle, by: prepared())
        let after = try await after()
        await after.expect(.invalidToken) { try await verify(tokens.idle, by: after) }
        #expect(try await after.auth.secretRotation.status().tokensOfPrevious == 0)
    }

    @Test func tokensThatAreMadeDuringAChangeNeedNothing() async throws {
        _ = try await tokens()
        let changed = try await changed()
        let fresh = try await changed.auth.serviceAccounts.createToken("second", scopes: ["a"], of: "ci")
        #expect(try await changed.auth.secretRotation.status().tokensOfPrevious == 3)
        for process in [try await prepared(), changed] { try await verify(fresh, by: process) }
        try await changed.auth.secretRotation.reseal()
        try await verify(fresh, by: after())
        let before = InstanceSecret()
        let stranger = try await TestAuth(over: SQLiteStorage(), secret: before)
        await stranger.expect(.invalidToken) { try await verify(fresh, by: stranger) }
    }

    @Test func whatNeedsThePreviousSecretIsDeletedWhenItIsForced() async throws {
        let tokens = try await tokens()
        let changed = try await changed()
        try await verify(tokens.used, by: changed)
        let ended = try await changed.auth.secretRotation.endWhatNeedsPrevious()
        #expect(ended.tokens == 2)
        #expect(try await !changed.auth.secretRotation.status().needsPrevious)
        try await verify(tokens.used, by: changed)
        for gone in [tokens.idle, tokens.ofService] {
            await changed.expect(.invalidToken) { try await verify(gone, by: changed) }
        }
        let names = try await storage.events(after: 0, limit: 100).map(\.fields.name)
        #expect(names.count { $0 == "token.deleted" } == 2)
        let after = try await after()
        #expect(try await after.auth.secretRotation.endWhatNeedsPrevious().tokens == 0)
        try await verify(tokens.used, by: after)
    }

    @Test func expiredTokensNeedNothing() async throws {
        let tokens = try await tokens()
        clock.advance(by: 400 * 86400)
        let status = try await changed().auth.secretRotation.status()
        #expect(status.tokens == 0 && status.tokensOfPrevious == 0)
        let changed = try await changed()
        #expect(try await changed.auth.secretRotation.endWhatNeedsPrevious().tokens == 0)
        await changed.expect(.invalidToken) { try await verify(tokens.used, by: changed) }
    }
}
