import RESTAuth
import Testing

@Suite struct WireTextTests {
    /// Marks that form one character with the separator before or after them.
    private static let marks = ["", "\u{600}", "\u{110BD}", "\u{301}", "\u{200D}", "\u{FE0F}", "\u{1F1E6}"]

    @Test(arguments: [";", ",", "=", ":", "/", "&", " "] as [Unicode.Scalar], marks)
    func aSeparatorSeparatesWhateverStandsBesideIt(separator: Unicode.Scalar, mark: String) {
        let text = WireText("a\(mark)\(separator)\(mark)b")
        #expect(text.parts(at: separator) == ["a\(mark)", "\(mark)b"].map { WireText($0) })
        #expect(text.before(separator) == WireText("a\(mark)"))
        #expect(text.from(separator).bytes.dropFirst().elementsEqual("\(mark)b".utf8))
    }

    @Test func whatIsEmptyIsNoPartAndBlanksAreNoneOfIt() {
        #expect(WireText(" a ,\t, b\t ,,c d, ").parts(at: ",") == ["a", "b", "c d"].map { WireText($0) })
        #expect(WireText("").parts(at: ",").isEmpty)
        #expect(WireText(" \t ").trimmed.isEmpty)
        #expect(WireText("\u{A0}a\u{3000}").trimmed == WireText("\u{A0}a\u{3000}"))
        #expect(WireText("/a//").trimmingEnd("/") == WireText("/a"))
        #expect(WireText("//").trimmingEnd("/").isEmpty)
    }

    @Test func equalIsByteForByte() {
        for (text, word) in [(";", "\u{37E}"), ("K", "\u{212A}"), ("`", "\u{1FEF}"), ("é", "e\u{301}")] {
            #expect(text == word)
            #expect(WireText(text) != WireText(word))
            #expect(Set([WireText(text), WireText(word)]).count == 2)
        }
        #expect(WireText("close").equals("close"))
        for text in ["Close", "close ", "close\u{301}", "clos", "", "close\0"] {
            #expect(!WireText(text).equals("close"))
        }
    }

    @Test func onlyTheLettersOfASCIIHaveTwoCases() {
        #expect(WireText("KeEp").isWord("keep"))
        for text in ["\u{212A}eep", "keep\u{301}", "KEEP ", "kee"] { #expect(!WireText(text).isWord("keep")) }
        #expect(WireText("@[`{\u{212A}ÀZ").lowercased == WireText("@[`{\u{212A}Àz"))
        #expect(WireText("https://a").after("https://") == WireText("a"))
        #expect(WireText("https://\u{301}a").after("https://") == WireText("\u{301}a"))
        #expect(WireText("HTTPS://a").after("https://") == nil)
        #expect(WireText("a+json").before(end: "+json") == WireText("a"))
        #expect(WireText("json").before(end: "+json") == nil)
    }

    @Test func aNumberIsDigitsOfASCII() {
        #expect(WireText("0042").decimalNumber == 42)
        #expect(WireText("9223372036854775807").decimalNumber == .max)
        for text in ["", "+1", "-1", " 1", "1 ", "1_0", "١", "１", "1\u{301}", "0x1", "9223372036854775808"] {
            #expect(WireText(text).decimalNumber == nil)
        }
    }

    @Test func aTokenIsOneOfTheStandard() {
        for text in ["vnd.a+b-c", "!#$%&'*+-.^_`|~", "0"] { #expect(WireText(text).isToken) }
        for text in ["", "a b", "a/b", "a;b", "\"a\"", "é", "a\u{301}", "a\u{7F}", "(a)"] {
            #expect(!WireText(text).isToken)
        }
    }
}
