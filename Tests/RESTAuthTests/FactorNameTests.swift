import RESTAuth
import Testing

@Suite struct FactorNameTests {
    @Test(arguments: ["phone", "My phone", "Телефон", "携帯", "👩‍🚀's key", "👩‍🚀", "⠁", "a", "<b>\"'&;", "u\u{308}"])
    func aNameIsKeptAsItIs(text: String) throws {
        #expect(try FactorName(text).text.utf8.elementsEqual(text.utf8))
    }

    @Test(arguments: [
        "", " ", "\u{A0}", " phone", "phone ", "phone\n", "a\nb", "a\u{1B}[31mb", "a\0", "\0", "a\u{7F}", "a\u{85}b",
        "a\u{202E}b", "a\u{2066}b", "\u{200F}a", "a\u{2028}b", "a\u{2029}b", "\u{E000}", "\u{FFFF}", "\u{10FFFF}",
        "\u{378}",
        // Nothing that can be seen.
        "\u{200B}", "\u{200B}\u{200D}\u{2060}", "\u{AD}", "\u{FEFF}", "\u{3164}", "\u{115F}\u{1160}", "\u{FFA0}",
        "\u{2800}", "\u{2800}\u{200B}\u{2800}", "\u{FE0F}", "\u{308}", "\u{E0041}\u{E007F}", "\u{17B4}",
    ])
    func whatIsNoNameIsRefused(text: String) {
        let error = #expect(throws: AuthError.self) { try FactorName(text) }
        #expect(error?.code == .validationFailed && error?.field == "name")
    }

    @Test func aNameHas64Characters() throws {
        #expect(try FactorName(String(repeating: "日", count: 64)).text.unicodeScalars.count == 64)
        for count in [65, 1_000_000] {
            #expect(throws: AuthError.self) { try FactorName(String(repeating: "x", count: count)) }
        }
    }
}
