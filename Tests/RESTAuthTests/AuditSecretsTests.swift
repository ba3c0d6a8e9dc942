import Foundation
import RESTAuth
import RESTAuthSQLite
import Support
import Testing

/// The audit trail while another process changes the secret.
@Suite struct AuditSecretsTests {
    let directory: TemporaryDirectory
    var secretFile: String { directory.path + "/db.sqlite.secret" }

    init() throws { directory = try TemporaryDirectory() }

    private func process() async throws -> TestAuth {
        let storage = try await SQLiteStorage(path: directory.path + "/db.sqlite")
        return try await TestAuth(over: storage, secret: InstanceSecret()) {
            $0.secrets = try? InstanceSecrets(file: secretFile)
        }
    }

    @Test func aTrailThatIsOfANewSecretIsNoBrokenOne() async throws {
        let server = try await process()
        try await server.storage.append(.databaseMigrated(from: "here", rows: 1))
        try await server.auth.sealer.seal()
        try SecretFile(secretFile).take(.begin)
        let command = try await process()
        try await command.auth.secretRotation.reseal()
        try await command.storage.append(.databaseMigrated(from: "here", rows: 2))
        try await server.auth.sealer.seal()
        #expect(try await server.auth.auditTrail.verify().unsealedSince == nil)
        try SecretFile(secretFile).drop(#require(await command.auth.secretRotation.status().previous))
        try SecretFile(secretFile).take(.begin)
        try await process().auth.secretRotation.reseal()
        try await server.auth.auditTrail.prune()
        _ = try await server.auth.auditTrail.head()
    }

    @Test func aTrailThatIsOfThePreviousSecretAgainIsALine() async throws {
        let (old, new) = (InstanceSecret(), InstanceSecret())
        let storage = try await SQLiteStorage()
        func process(_ secrets: InstanceSecrets) async throws -> TestAuth {
            try await TestAuth(over: storage, secret: new) { $0.secrets = secrets }
        }
        let behind = try await process(InstanceSecrets(old, next: new))
        let node = try await process(InstanceSecrets(new, previous: old))
        let lines = LogLines()
        try await lines.take {
            for number in 1...2 {
                try await storage.append(.databaseMigrated(from: "here", rows: number))
                try await behind.auth.sealer.seal()
                // The first time it is the change of the secret itself, which is not reported.
                #expect(lines.texts.isEmpty)
                try await node.auth.sealer.seal()
            }
        }
        #expect(lines.texts == ["the audit trail was sealed under the previous secret again"])
        #expect(try await node.auth.auditTrail.verify().sealed == 3)
    }

    @Test func theEventOfARotationHasTheHeadOfTheTrail() async throws {
        let server = try await process()
        try await server.auth.sealer.seal()
        let before = try await server.auth.secretRotation.status()
        try SecretFile(secretFile).take(.begin)
        let command = try await process()
        try await command.auth.secretRotation.reseal()
        let head = try #require(await command.auth.auditTrail.head())
        try await command.auth.secretRotation.recordChange(from: before, by: .application)
        let event = try #require(await command.storage.events(after: 0, limit: 99).last?.fields)
        #expect(event.name == "secret.rotated")
        #expect(event.details.contains(#""audit_head":"\#(head)""#))
    }
}
