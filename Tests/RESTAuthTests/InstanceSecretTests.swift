import Foundation
import RESTAuth
import Support
import Testing

@Suite struct InstanceSecretTests {
    let directory: TemporaryDirectory
    var file: String { directory.path + "/rest-auth.secret" }

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: [
        "", "short", String(repeating: "x", count: 31), String(repeating: "x", count: 64),
        "the quick brown fox jumps over the lazy dog",
        "0123456789abcdef0123456789abcdef", "please-change-me-please-change-me-please",
    ])
    func aShortRegularOrPublishedSecretIsRefused(text: String) {
        let error = #expect(throws: AuthError.self) { try InstanceSecret(text) }
        #expect(error?.code == .misconfigured)
        #expect(text.isEmpty || error?.detail.contains(text) == false)
    }

    @Test func aSecretNeverPrintsItself() throws {
        let secret = try InstanceSecret("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo")
        #expect("\(secret)" == "redacted")
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("nkGn"))
    }

    @Test func aFileIsMadeOnceForItsOwnerOnly() throws {
        let made = try InstanceSecret(file: file)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let again = try InstanceSecret(file: file)
        #expect(made.key(for: "x") == again.key(for: "x"))
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        #expect(directory.contents == ["rest-auth.secret"])
    }

    @Test func ofManyWhoStartAtOnceAllHaveOneSecret() async throws {
        let file = file
        let keys = try await withThrowingTaskGroup(of: Data.self) { group in
            for _ in 0..<20 {
                group.addTask { try InstanceSecret(file: file).key(for: "x").withUnsafeBytes { Data($0) } }
            }
            return try await group.reduce(into: Set<Data>()) { $0.insert($1) }
        }
        #expect(keys.count == 1)
        #expect(directory.contents == ["rest-auth.secret"])
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o660])
    func aFileThatOthersMayReadIsRefused(mode: Int) throws {
        _ = try InstanceSecret(file: file)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        let error = #expect(throws: AuthError.self) { try InstanceSecret(file: file) }
        #expect(error?.detail.contains("chmod 600") == true)
    }

    @Test func anEmptyFileIsRefusedNotReplaced() throws {
        _ = FileManager.default.createFile(atPath: file, contents: Data(), attributes: [.posixPermissions: 0o600])
        #expect(throws: AuthError.self) { try InstanceSecret(file: file) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)).isEmpty)
    }

    @Test func eachPurposeHasAKeyOfItsOwn() throws {
        let secret = InstanceSecret()
        #expect(secret.key(for: "a") != secret.key(for: "b"))
        #expect(InstanceSecret().key(for: "a") != secret.key(for: "a"))
    }
}
