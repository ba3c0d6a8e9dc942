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
        String(repeating: "12345678", count: 4), String(repeating: "xK9#mQ2!", count: 4),
        String(repeating: "letmein1", count: 5), "qwertyuiopasdfghjklzxcvbnm123456", "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y",
        "abcdefgh12345678ABCDEFGH!@#$%^&*", "00112233445566778899aabbccddeeff", "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "aaaaaaaabbbbbbbbccccccccdddddddd", "20240101202401022024010320240104", "correct horse battery staple correct",
        "fedcba98765432100123456789abcdef", "admin123admin456admin789admin000", "monkeydragonmonkeydragonmonkey12",
    ])
    func aShortRegularOrPublishedSecretIsRefused(text: String) {
        let error = #expect(throws: AuthError.self) { try InstanceSecret(text) }
        #expect(error?.code == .misconfigured)
        #expect(text.isEmpty || error?.detail.contains(text) == false)
    }

    /// No secret of any common generator is mistaken for one that a person made up.
    @Test func whatAGeneratorMakesIsTaken() throws {
        let (small, capital) = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        let alphabets = [
            "0123456789abcdef", "0123456789", small, small + "0123456789", capital + "234567",
            small + capital + "0123456789", small + capital + "0123456789-_", small + capital + "0123456789+/",
        ]
        for alphabet in alphabets.map(Array.init) {
            for _ in 0..<200 {
                let text = String((0..<32).map { _ in alphabet.randomElement() ?? "0" })
                #expect(throws: Never.self, "\(text)") { try InstanceSecret(text) }
            }
        }
        for _ in 0..<200 { _ = try InstanceSecret(UUID().uuidString + UUID().uuidString) }
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

    @Test(arguments: [0o644, 0o604, 0o646, 0o606])
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
