import RESTAuth
import Testing

@Suite struct GivenTextTests {
    @Test(arguments: [
        ("value\n", "value"), ("value\r\n", "value"), (" \tvalue ", "value"), ("\"value\"", "value"),
        ("'value'\r", "value"), ("\u{FEFF}value", "value"), ("\u{FEFF}\" value \"", "value"), ("", ""), ("\"\"", ""),
        ("\u{FEFF}", ""), ("\"", "\""), ("'a\"", "'a\""), ("\"a\"b", "\"a\"b"), ("\"\"a\"\"", "\"a\""), ("a b", "a b"),
        ("pässwörd", "pässwörd"), ("🔑", "🔑"), ("a'b", "a'b"), ("=", "="),
    ])
    func whatStandsAroundAValueIsTakenOff(given: String, text: String) throws {
        #expect(try GivenText(given.utf8).text.utf8.elementsEqual(text.utf8))
    }

    @Test func quotesThatWereTakenOffAreKnown() throws {
        #expect(try GivenText("\"a\"".utf8).wasQuoted)
        for text in ["a", "\"a", "'a\"", ""] { #expect(try !GivenText(text.utf8).wasQuoted) }
    }

    @Test(arguments: [
        ("a\u{A0}b", "U+00A0 (no-break space) as character 2"), ("a\nb", "U+000A (line feed)"), ("a\rb", "U+000D"),
        ("a\u{0}", "U+0000"), ("a\u{200B}", "U+200B (zero width space)"), ("a\u{FEFF}", "U+FEFF"),
        ("\u{AD}a", "U+00AD (soft hyphen)"), ("a\u{2028}b", "U+2028"), ("a\u{3000}b", "U+3000"), ("a\u{85}b", "U+0085"),
        ("a\u{FFFD}b", "U+FFFD"), ("a\u{E0041}b", "U+E0041"), ("\u{201C}a\u{201D}", "U+201C"), ("a\u{2019}", "U+2019"),
        ("\u{201E}a", "U+201E"), ("\u{AB}a\u{BB}", "U+00AB"), ("a\tb", "U+0009"), ("\"a\u{A0}\"", "U+00A0"),
        // A combining mark does not hide the character.
        ("a\u{A0}\u{301}b", "U+00A0"),
    ])
    func whatCouldBeMeantIsRefusedByName(given: String, name: String) {
        let error = #expect(throws: AuthError.self) { try GivenText(given.utf8) }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains(name) == true, "\(error?.detail ?? "")")
    }

    @Test func bytesThatAreNoTextAreRefused() {
        for bytes: [UInt8] in [[0xFF], [0x61, 0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80]] {
            #expect(throws: AuthError.self) { try GivenText(bytes) }
        }
    }

    /// A secret may have several lines, and then quotes at both ends are not a pair.
    @Test func linesAreKeptWhereTheyArePartOfIt() throws {
        let lines = "\"a\"\n\tb\r\n\"c\""
        #expect(try GivenText("\u{FEFF}\(lines)\n".utf8, keepsLines: true).text == lines)
        #expect(throws: AuthError.self) { try GivenText("a\n\u{A0}b".utf8, keepsLines: true) }
    }
}
