import Foundation
import RESTAuth
import RESTAuthSQLite
import Support
import Testing

@Suite struct SecretFileTests {
    private static let old = "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"
    private static let new = "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO"

    let directory: TemporaryDirectory
    var file: String { directory.path + "/rest-auth.secret" }

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ text: String, mode: Int = 0o600) throws {
        try? FileManager.default.removeItem(atPath: file)
        _ = FileManager.default.createFile(
            atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
    }

    private var text: String { get throws { try String(contentsOfFile: file, encoding: .utf8) } }

    private func status() async throws -> SecretRotation.Status {
        try await TestAuth(over: SQLiteStorage(), secret: InstanceSecret()) {
            $0.secrets = try? InstanceSecrets(file: file)
        }.auth.secretRotation.status()
    }

    // MARK: Reading

    @Test func aFileIsOneSecretHoweverManyLinesItHas() async throws {
        let lines = "\(Self.old)\n\(Self.new)\nmore: of it"
        try write("\n\(lines)\n")
        #expect(try InstanceSecret(file: file).key(for: "x") == InstanceSecret(lines).key(for: "x"))
        try SecretFile(file).take(.begin)
        let status = try await status()
        #expect(status.previous != nil)
        #expect(try text.hasSuffix("\nprevious:\n\(lines)\n"))
        try SecretFile(file).drop(#require(status.previous))
        #expect(try await self.status().present == status.present)
    }

    @Test(arguments: [
        "\(old)\nprevious:\n", "\(old)\nprevious:\nshort", "\(old)\nnext:\nshort", "\(old)\nnext:\n\(old)",
        "\(old)\nprevious:\n\(old)", "previous:\n\(old)", "next:\n\(old)", "short\nprevious:\n\(old)",
        "\(old)\nnext:\n\(String(repeating: "x", count: 64))", "\(old)\nnext:\n\(new)\nprevious:\n\(new)x",
        "\(old)\nprevious:\n\(new)\nprevious:\n\(new)x", "\(old)\nnext:\nplease-change-me-please-change-me-please",
    ])
    func aFileThatIsNotWhatItShouldBeIsRefused(text: String) throws {
        try write(text)
        let error = #expect(throws: AuthError.self) { try InstanceSecrets(file: file) }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains(Self.old) == false)
        #expect(try self.text == text)
    }

    /// A user who has a weak secret must be able to replace it.
    @Test func aPreviousSecretMayBeOneThatWouldBeRefusedToday() throws {
        try write("\(Self.new)\nprevious:\nplease-change-me-please-change-me-please\n")
        _ = try InstanceSecrets(file: file)
    }

    @Test(arguments: [0o644, 0o604, 0o646])
    func aFileThatOthersMayReadIsNeitherReadNorChanged(mode: Int) throws {
        try write(Self.old, mode: mode)
        let error = #expect(throws: AuthError.self) { try SecretFile(file).take(.begin) }
        #expect(error?.detail.contains("chmod 600") == true)
        #expect(throws: AuthError.self) { try InstanceSecrets(file: file) }
        #expect(try text == Self.old)
        #expect(directory.contents == ["rest-auth.secret"])
    }

    @Test func aFileThatIsADirectoryALinkToNothingOrTooLongSaysSo() throws {
        mkdir(file, 0o700)
        #expect(throws: AuthError.self) { try InstanceSecret(file: file) }
        rmdir(file)
        symlink("nowhere", file)
        let error = #expect(throws: AuthError.self) { try InstanceSecret(file: file) }
        #expect(error?.detail.contains("a link to nowhere") == true)
        #expect(directory.contents == ["rest-auth.secret"])
        try write(String(repeating: Self.old, count: 400))
        #expect(throws: AuthError.self) { try InstanceSecret(file: file) }
    }

    @Test(arguments: ["\u{FEFF}\(old)\r\n", "\"\(old)\"\n", " '\(old)' ", "\(old)\r\n"])
    func whatEditorsLeaveAroundASecretIsNoneOfIt(text: String) throws {
        try write(text)
        #expect(try InstanceSecret(file: file).key(for: "x") == InstanceSecret(Self.old).key(for: "x"))
    }

    @Test func whereKeysNeedTheSecretThatIsMissingNoneIsMade() throws {
        let error = #expect(throws: AuthError.self) { try InstanceSecrets(file: file, makesMissing: false) }
        #expect(error?.detail.contains(file) == true)
        #expect(directory.contents.isEmpty)
    }

    @Test func onlyWhatWasMadeIsTakenBack() throws {
        let made = try InstanceSecrets(file: file, makesMissing: true)
        let found = try InstanceSecrets(file: file, makesMissing: true)
        found.takeBack()
        #expect(directory.contents == ["rest-auth.secret"])
        made.takeBack()
        #expect(directory.contents.isEmpty)
        let replaced = try InstanceSecrets(file: file, makesMissing: true)
        try SecretFile(file).take(.begin)
        replaced.takeBack()
        #expect(directory.contents == ["rest-auth.secret"])
    }

    // MARK: Steps

    @Test func aStepIsTakenOnce() throws {
        try write(Self.old)
        #expect(throws: AuthError.self) { try SecretFile(file).take(.useNext) }
        #expect(try SecretFile(file).take(.prepare))
        let prepared = try text
        #expect(prepared.hasPrefix("\(Self.old)\nnext:\n"))
        #expect(try !SecretFile(file).take(.prepare))
        #expect(try text == prepared)
        #expect(try SecretFile(file).take(.useNext))
        let next = try #require(prepared.split(separator: "\n").last)
        #expect(try text == "\(next)\nprevious:\n\(Self.old)\n")
        for step in [SecretFile.Step.begin, .prepare, .useNext] {
            #expect(try !SecretFile(file).take(step))
            #expect(try text == "\(next)\nprevious:\n\(Self.old)\n")
        }
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        #expect(directory.contents == ["rest-auth.secret"])
    }

    @Test func ofTwentyAtOnceOneMakesTheNewSecret() async throws {
        try write(Self.old)
        let file = file
        let count = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { try SecretFile(file).take(.begin) } }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 1)
        #expect(try text.hasSuffix("\nprevious:\n\(Self.old)\n"))
        #expect(directory.contents == ["rest-auth.secret"])
    }

    @Test func onlyThePreviousSecretOfThatIDIsDropped() async throws {
        try write(Self.old)
        let present = try await status().present
        #expect(throws: AuthError.self) { try SecretFile(file).drop(present) }
        try SecretFile(file).take(.prepare)
        #expect(throws: AuthError.self) { try SecretFile(file).drop(present) }
        try SecretFile(file).take(.useNext)
        let status = try await status()
        #expect(status.previous == present)
        #expect(throws: AuthError.self) { try SecretFile(file).drop(status.present) }
        try SecretFile(file).drop(present)
        #expect(try await self.status().present == status.present)
        #expect(try !text.contains("previous"))
        #expect(throws: AuthError.self) { try SecretFile(file).drop(present) }
    }

    @Test func aFileThatItsOwnerMayOnlyReadStaysSo() throws {
        try write(Self.old, mode: 0o400)
        try SecretFile(file).take(.begin)
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o400)
    }

    // MARK: Following

    @Test func aRunningProcessTakesUpTheNewSecretAndNothingThatDoesNotOpenItsKeys() async throws {
        try write(Self.old)
        let storage = try await SQLiteStorage()
        let secrets = try InstanceSecrets(file: file)
        let test = try await TestAuth(over: storage, secret: InstanceSecret()) { $0.secrets = secrets }
        let first = try await test.session()
        for wrong in [Self.new, "short", "", "\(Self.new)\nprevious:\n\(Self.new)x"] {
            try write(wrong)
            try await test.auth.signingKeys.load()
            #expect(try await test.auth.sessions.refresh(first.refresh.value).refresh.value.utf8.count == 112)
        }
        try FileManager.default.removeItem(atPath: file)
        try await test.auth.signingKeys.load()
        try write("\(Self.new)\nprevious:\n\(Self.old)\n")
        try await test.auth.signingKeys.load()
        let second = try await test.session("susan")
        #expect(second.refresh.value.utf8.count == 118)
        _ = try await test.auth.sessions.refresh(first.refresh.value)
        // A process that was not told rereads the file when it meets something made with the new
        // secret.
        try write(Self.old)
        let late = try InstanceSecrets(file: file)
        let other = try await TestAuth(over: storage, secret: InstanceSecret(), clock: test.clock) { $0.secrets = late }
        try write("\(Self.new)\nprevious:\n\(Self.old)\n")
        _ = try await other.auth.sessions.refresh(second.refresh.value)
    }
}
