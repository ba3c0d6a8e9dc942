import Foundation
import RESTAuth
import RESTAuthTesting
import Support
import Testing

@Suite struct PasswordTests {
    @Test func aPasswordNeverPrintsItself() throws {
        let password = try Password("python")
        #expect("\(password)" == "redacted")
        #expect(String(reflecting: password) == "redacted")
        var dumped = ""
        dump(password, to: &dumped)
        #expect(!dumped.contains("python"))
        #expect(!dumped.contains("112"))
    }

    @Test(arguments: [
        "", "a\u{0}b", "\u{0}", "a\nb", "a\u{7f}", "a\u{85}", String(repeating: "x", count: 1025),
        String(repeating: "é", count: 513),
    ])
    func whatCannotBeAPasswordIsRefused(text: String) {
        let error = #expect(throws: AuthError.self) { try Password(text) }
        #expect(error?.code == .validationFailed)
        #expect(error?.field == "password")
    }

    @Test(arguments: [" ", "x", String(repeating: "x", count: 1024), "密码", "😀", "a:b", "\u{E000}"])
    func anythingElseIsAccepted(text: String) throws {
        _ = try Password(text)
    }

    @Test func twoSpellingsOfOneTextAreOnePassword() throws {
        #expect(try Password("pa\u{308}ss").bytes == Password("päss").bytes)
        #expect(try Password("a\u{A0}b").bytes == Password("a b").bytes)
        #expect(try Password("a\u{3000}b").bytes == Password("a b").bytes)
    }

    @Test func caseAndWidthStayAsTyped() throws {
        #expect(try Password("Python").bytes != Password("python").bytes)
        #expect(try Password("ｐ").bytes != Password("p").bytes)
    }
}

@Suite struct PasswordPolicyTests {
    @Test(arguments: [
        "fourteen chars", "passwordpassword", "password12345678", "PASSWORD12345678", "p@ssw0rdp@ssw0rd",
        "123456789012345",
        "111111111111111",
        "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "qwertyuiopasdfgh", "qwertyuiop12345", "iloveyou1234567",
        "letmeinletmein!",
        "1q2w3e4r5t6y7u8i",
        "welcome2024!!!!", "zyxwvutsrqponmlk", "miguelgrinberg1!", "my name is MiguelGrinberg",
    ])
    func theNISTRulesRefuse(text: String) throws {
        let name = try Username("MiguelGrinberg")
        let password = try Password(text)
        let error = #expect(throws: AuthError.self) { try PasswordPolicy.nist.check(password, for: name) }
        #expect(error?.code == .weakPassword)
        try PasswordPolicy.open.check(password, for: name)
    }

    /// Passwords that are common in breaches, lengthened to the minimum.
    @Test(arguments: [
        "tigger1234567890", "!!!!carmen20112011", "Tigger Tigger Tigger", "tigger.tigger.tigger!",
        "1998-metallica-1998",
        "$$$b4sk3tb4ll$$$",
        "ButterflyButterfly", "steelers...........", "***w1nst0n******2026", "mustang_mustang_mus",
    ])
    func theNISTRulesRefuseAKnownPasswordMadeLonger(text: String) throws {
        let (name, password) = (try Username("miguel"), try Password(text))
        let error = #expect(throws: AuthError.self) { try PasswordPolicy.nist.check(password, for: name) }
        #expect(error?.code == .weakPassword)
    }

    /// The rules refuse what an attacker tries first, which a passphrase is not, although its words
    /// are in every dictionary.
    @Test func theNISTRulesAcceptPassphrasesOfFiveWords() throws {
        let words = try Self.words()
        let name = try Username("zaphod")
        // The same phrases each time.
        var random = SplitMix(state: 1)
        let phrases = (0..<Soak.count(2_000, soak: 10_000)).map { _ in
            (0..<5).map { _ in words[Int.random(in: 0..<words.count, using: &random)] }.joined(separator: " ")
        }
        let refused = phrases.filter { phrase in (try? PasswordPolicy.nist.check(Password(phrase), for: name)) == nil }
        #expect(refused.count <= 1, "\(refused)")
    }

    /// The words of five letters and more in this repository's documentation.
    private static func words() throws -> [String] {
        let folder = ExternalProcess.repository.appendingPathComponent("Sources/RESTAuth/RESTAuth.docc")
        let pages = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "md" }
            .map { try String(contentsOf: $0, encoding: .utf8) }
        let words = Set(pages.joined(separator: " ").lowercased().split { !$0.isLetter }.filter { $0.count >= 5 })
        #expect(words.count > 1000)
        return words.map { String($0) }.sorted()
    }

    @Test(arguments: [
        "grasshoppers waltz slowly", "Tr4vel-by-t0rtoise", "gnorf blit quazz mump", "密码密碼暗号パスワードを忘れた人々",
        "w7#Lq!zP2@xVb9$Kt",
    ])
    func theNISTRulesAccept(text: String) throws {
        try PasswordPolicy.nist.check(Password(text), for: Username("miguel"))
    }

    @Test func lengthCountsCodePointsNotBytes() throws {
        let name = try Username("x")
        #expect(throws: AuthError.self) { try PasswordPolicy.nist.check(Password("密码密碼暗号忘"), for: name) }
    }

    @Test func thePolicyHoldsAtRegistrationAndNothingIsStored() async throws {
        let test = try await TestAuth { $0.passwordPolicy = .nist }
        let error = await #expect(throws: AuthError.self) {
            try await test.auth.users.register("miguel", password: "python")
        }
        #expect(error?.code == .weakPassword)
        #expect(try await test.auth.users.list().isEmpty)
        _ = try await test.auth.users.register("miguel", password: "gnorf blit quazz mump")
    }

    @Test func thePolicyHoldsWhenAPasswordIsSet() async throws {
        let test = try await TestAuth { $0.passwordPolicy = .nist }
        let user = try await test.auth.users.register("miguel", password: "gnorf blit quazz mump")
        await #expect(throws: AuthError.self) { try await test.auth.passwords.set("python", for: user) }
        _ = try await test.auth.login.identify("miguel", password: "gnorf blit quazz mump")
    }
}
