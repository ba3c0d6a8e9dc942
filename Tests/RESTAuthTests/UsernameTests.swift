import RESTAuth
import Testing

@Suite struct UsernameTests {
    @Test(arguments: [
        ("miguel", "miguel"), ("Miguel", "miguel"), ("MIGUEL", "miguel"), ("Jürgen", "jürgen"),
        ("Ju\u{308}rgen", "jürgen"),
        ("ＭＩＧＵＥＬ", "miguel"), ("ΣΊΣΥΦΟΣ", "σίσυφοσ"), ("日本語", "日本語"), ("ｶﾞ", "ガ"), ("o'Brien", "o'brien"),
        ("john smith", "john smith"), ("a.b_c-d@e+f", "a.b_c-d@e+f"), ("user#1!", "user#1!"), ("שלום", "שלום"),
        ("سلام123", "سلام123"),
    ])
    func aNameHasOneForm(text: String, canonical: String) throws {
        let name = try Username(text)
        #expect(name.text == text)
        #expect(Array(name.canonical.unicodeScalars) == Array(canonical.unicodeScalars))
        #expect(try Username(name.canonical).canonical == name.canonical)
    }

    @Test(arguments: [
        "", " ", " miguel", "miguel ", "a\u{0}b", "a\nb", "a\tb", "a\u{7f}b", "a\u{85}b", "a:b", "\u{200B}",
        "mi\u{200D}guel",
        "mi\u{AD}guel",
        "\u{FEFF}miguel", "a\u{A0}b", "a\u{3000}b", "\u{202E}leugim", "😀", "a\u{E000}b", "a\u{FFFE}b", "a\u{10FFFF}",
        "ﬁ", "\u{212A}",
        "\u{212B}", "①", "Ⅷ", "a²",
        "ｍｉｇｕｅｌ：", "a\u{378}b", "“miguel”", "a—b", "№1",
    ])
    func whatHasNoPlaceInANameIsRefused(text: String) {
        let error = #expect(throws: AuthError.self) { try Username(text) }
        #expect(error?.code == .validationFailed)
        #expect(error?.field == "username")
    }

    @Test(arguments: [
        "' OR '1'='1", "admin'--", "'; DROP TABLE users; --", "x\" OR \"\"=\"", "1; SELECT 1", "<script>", "a`id`",
        "a\\b", "'miguel'",
    ])
    func whatWouldEndAStringElsewhereIsRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    @Test(arguments: ["eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJ..", "EYJ.a.b", "eyj.a.b.c.d"])
    func whatLooksLikeATokenIsRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    @Test(arguments: ["שלוםabc", "abcשלום", "1שלום", "שלום-", "سلام1٢"])
    func mixedWritingDirectionsAreRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    @Test func sixtyFourCharactersAreAccepted() throws {
        #expect(try Username(String(repeating: "ü", count: 64)).text.count == 64)
        #expect(throws: AuthError.self) { try Username(String(repeating: "u", count: 65)) }
    }
}
