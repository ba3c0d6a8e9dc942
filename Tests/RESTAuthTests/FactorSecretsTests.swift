import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// Apps and recovery codes while the instance's secret is changed, and under another secret.
@Suite struct FactorSecretsTests {
    private let old = InstanceSecret()
    private let new = InstanceSecret()
    private let before: TestAuth
    private let miguel: UserIdentity
    private let app: TestApp

    init() async throws {
        before = try await TestAuth(over: SQLiteStorage(), secret: old)
        _ = try await before.auth.users.register("miguel", password: "python")
        miguel = try await before.auth.login.identify("miguel", password: "python")
        app = try await before.newApp(of: miguel)
    }

    /// Another process, which knows these secrets.
    private func process(_ secrets: InstanceSecrets) async throws -> TestAuth {
        try await TestAuth(over: before.storage, secret: new, clock: before.clock) { $0.secrets = secrets }
    }

    private func prepared() async throws -> TestAuth { try await process(InstanceSecrets(old, next: new)) }
    private func changed() async throws -> TestAuth { try await process(InstanceSecrets(new, previous: old)) }
    private func after() async throws -> TestAuth { try await process(InstanceSecrets(new)) }

    private func take(_ code: String, _ process: TestAuth) async throws -> FactorDescription.Kind? {
        try await process.auth.factors.take(.code(code), of: miguel.userID, by: .application)?.kind
    }

    /// Expects that both kinds of codes are taken.
    private func expectGood(_ recoveryCode: Int, _ process: TestAuth) async throws {
        #expect(try await take(app.nextCode(), process) == .totp)
        #expect(try await take(app.recoveryCodes[recoveryCode], process) == .recoveryCodes)
        #expect(try await take(app.recoveryCodes[recoveryCode], process) == nil)
    }

    private func remaining(_ process: TestAuth) async throws -> Int {
        try await process.auth.secretRotation.status().factorsToReseal
    }

    @Test func codesAreGoodBeforeDuringAndAfterTheChange() async throws {
        try await expectGood(0, before)
        try await expectGood(1, prepared())
        let changed = try await changed()
        try await expectGood(2, changed)
        #expect(try await changed.auth.secretRotation.reseal().factors == 2)
        try await expectGood(3, prepared())
        try await expectGood(4, changed)
        try await expectGood(5, after())
        #expect(try await after().auth.factors.list(of: miguel.userID).recoveryCodes == 4)
    }

    @Test func whatThePreviousSecretSealedIsCountedUntilItIsSealedAnew() async throws {
        for process in [before, try await prepared()] {
            #expect(try await remaining(process) == 0)
            #expect(try await process.auth.secretRotation.reseal() == (0, 0))
        }
        let changed = try await changed()
        var status = try await changed.auth.secretRotation.status()
        #expect(status.factors == 2 && status.factorsToReseal == 2 && status.needsPrevious)
        try await changed.auth.signingKeys.replaceAll()
        status = try await changed.auth.secretRotation.status()
        #expect(status.signingKeysToReseal == 0 && status.needsPrevious)
        let stored = try await before.storage.sealedRecoveryKey(of: miguel.userID)
        #expect(try await changed.auth.secretRotation.reseal() == (0, 2))
        #expect(try await changed.auth.secretRotation.reseal() == (0, 0))
        status = try await changed.auth.secretRotation.status()
        #expect(status.factors == 2 && status.factorsToReseal == 0 && !status.needsPrevious)
        #expect(try await before.storage.sealedRecoveryKey(of: miguel.userID) != stored)
        #expect(try await remaining(after()) == 0)
    }

    @Test func twoCommandsAtOnceSealEachSecretOnce() async throws {
        let processes = [try await changed(), try await changed()]
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for process in processes { group.addTask { try await process.auth.secretRotation.reseal().factors } }
            return try await group.reduce(0, +)
        }
        #expect(count == 2)
        try await expectGood(0, after())
    }

    /// A forced drop ends sessions and clients, and no factor.
    @Test func aForcedDropLeavesFactorsAsTheyAre() async throws {
        let changed = try await changed()
        _ = try await changed.auth.secretRotation.endWhatNeedsPrevious()
        #expect(try await !changed.auth.secretRotation.status().needsPrevious)
        try await expectGood(0, after())
    }

    @Test func codesMadeDuringTheChangeNeedThePreviousSecretNoMore() async throws {
        let changed = try await changed()
        try await changed.auth.secretRotation.reseal()
        let codes = try await changed.auth.factors.makeRecoveryCodes(of: changed.proven(miguel.userID))
        #expect(try await remaining(changed) == 0)
        for (index, process) in [try await prepared(), changed, try await after()].enumerated() {
            #expect(try await take(codes[index], process) == .recoveryCodes)
            #expect(try await take(app.recoveryCodes[index], process) == nil)
        }
    }

    /// A server takes up the file of secrets when it meets what it cannot open.
    @Test func aProcessThatIsBehindReadsTheFileAtOnce() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/secret"
        let storage = try await SQLiteStorage()
        func process() async throws -> TestAuth {
            let secrets = try InstanceSecrets(file: file)
            return try await TestAuth(over: storage, secret: new, clock: before.clock) { $0.secrets = secrets }
        }
        let server = try await process()
        _ = try await server.auth.users.register("susan", password: "python")
        let susan = try await server.auth.login.identify("susan", password: "python")
        let app = try await server.newApp(of: susan)
        try SecretFile(file).take(.begin)
        let command = try await process()
        #expect(try await command.auth.secretRotation.reseal().factors == 2)
        for code in [app.nextCode(), app.recoveryCodes[0]] {
            #expect(try await server.auth.factors.take(.code(code), of: susan.userID, by: .application) != nil)
        }
    }

    // MARK: Another instance's secret

    /// The signing keys were made anew, as an operator does who has lost the secret.
    private func underAnotherSecret() async throws -> TestAuth {
        for key in try await before.storage.signingKeys() {
            _ = try await before.storage.deleteSigningKey(
                id: key.id, recording: Samples.event(.signingKeyRevoked))
        }
        return try await process(InstanceSecrets(new, previous: InstanceSecret()))
    }

    @Test func underAnotherSecretEveryCodeIsWrongAndALineSaysWhy() async throws {
        let other = try await underAnotherSecret()
        let lines = LogLines()
        try await lines.take { () async throws in
            #expect(try await take(app.nextCode(), other) == nil)
            #expect(try await take(app.recoveryCodes[0], other) == nil)
        }
        let line = "a factor was encrypted under a secret that is not known here"
        #expect(lines.texts == [line, line])
        // They are asked for all the same, until an operator removes them or the user has others.
        #expect(try await other.auth.factors.descriptions(of: miguel.userID).map(\.kind) == [.totp, .recoveryCodes])
        #expect(try await before.auth.factors.list(of: miguel.userID).recoveryCodes == 10)
        await other.expect(.mfaRequired) { try await other.auth.login.identify("miguel", password: "python") }
        try await other.auth.factors.removeAll(of: miguel.userID)
        _ = try await other.auth.login.identify("miguel", password: "python")
    }

    /// No secret of this change opens it, so it is not in its way.
    @Test func whatNoKnownSecretOpensIsLeftAsItIs() async throws {
        let other = try await underAnotherSecret()
        let stored = try await before.storage.factors(of: miguel.userID)
        let status = try await other.auth.secretRotation.status()
        #expect(status.factors == 2 && status.factorsToReseal == 0)
        #expect(try await other.auth.secretRotation.reseal().factors == 0)
        #expect(try await before.storage.factors(of: miguel.userID) == stored)
        // With its own secret it is what it was.
        #expect(try await take(app.nextCode(), before) == .totp)
    }

    @Test func aKeyOfAnotherUserOpensNothing() async throws {
        _ = try await before.auth.users.register("susan", password: "python")
        let susan = try await before.auth.login.identify("susan", password: "python")
        let other = try await before.newApp(of: susan)
        let keys = try await (
            #require(before.storage.sealedRecoveryKey(of: miguel.userID)),
            #require(before.storage.sealedRecoveryKey(of: susan.userID))
        )
        #expect(try await before.storage.replaceSealedRecoveryKey(of: miguel.userID, keys.0, with: keys.1))
        for code in [app.recoveryCodes[0], other.recoveryCodes[0]] { #expect(try await take(code, before) == nil) }
    }
}
