import RESTAuthTesting
import Testing

@testable import RESTAuth

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
        "", "a\u{0}b", "\u{0}", "a\nb", "a\u{7f}", "a\u{85}", String(repeating: "x", count: 1025), String(repeating: "é", count: 513),
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
        "fourteen chars", "passwordpassword", "password12345678", "PASSWORD12345678", "p@ssw0rdp@ssw0rd", "123456789012345",
        "111111111111111",
        "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "qwertyuiopasdfgh", "qwertyuiop12345", "iloveyou1234567", "letmeinletmein!",
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

    @Test(arguments: ["grasshoppers waltz slowly", "Tr4vel-by-t0rtoise", "gnorf blit quazz mump", "密码密碼暗号パスワードを忘れた人々", "w7#Lq!zP2@xVb9$Kt"])
    func theNISTRulesAccept(text: String) throws {
        try PasswordPolicy.nist.check(Password(text), for: Username("miguel"))
    }

    @Test func lengthCountsCodePointsNotBytes() throws {
        let name = try Username("x")
        #expect(throws: AuthError.self) { try PasswordPolicy.nist.check(Password("密码密碼暗号忘"), for: name) }
    }

    @Test func thePolicyHoldsAtRegistrationAndNothingIsStored() async throws {
        let test = try await TestAuth { $0.passwordPolicy = .nist }
        let error = await #expect(throws: AuthError.self) { try await test.auth.users.register("miguel", password: "python") }
        #expect(error?.code == .weakPassword)
        #expect(try await test.auth.users.list().isEmpty)
        _ = try await test.auth.users.register("miguel", password: "gnorf blit quazz mump")
    }

    @Test func thePolicyHoldsWhenAPasswordIsSet() async throws {
        let test = try await TestAuth { $0.passwordPolicy = .nist }
        let user = try await test.auth.users.register("miguel", password: "gnorf blit quazz mump")
        await #expect(throws: AuthError.self) { try await test.auth.passwords.set("python", for: user) }
        _ = try await test.auth.login.attempt("miguel", password: "gnorf blit quazz mump")
    }
}
