import Foundation
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

    @Test(arguments: [
        "a|b", "a&b", "R&D", "a$(id)b", "$(reboot)", "a||b", "a&&b", "ａ｜b", "ａ＆b", "a＄（id）", "a$（id)",
    ])
    func whatWouldBeginACommandElsewhereIsRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    /// RFC 5892 section 2.6, and appendix A for the characters whose context matters.
    @Test(arguments: [
        "\u{640}", "سـلام", "\u{7FA}", "ߊߺߋ", "가\u{302E}", "가\u{302F}", "か\u{3031}", "\u{3032}a", "a\u{3033}",
        "\u{3034}", "\u{3035}か", "日\u{303B}", "l\u{B7}l", "\u{375}α", "א\u{5F3}", "א\u{5F4}", "ア\u{30FB}ア",
        "क\u{94D}\u{200D}ष", "क\u{94D}\u{200C}ष", "سلام١۲", "سلام۱٢", "١", "١a", "a١",
    ])
    func theExceptionsOfTheStandardAreRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    @Test(arguments: ["straße", "Σίσυφος", "〇一二", "་", "سلام١٢٣", "سلام۱۲۳", "ا\u{6FD}", "\u{6FE}ب"])
    func theExceptionsOfTheStandardAreTaken(text: String) throws {
        #expect(try Username(Username(text).canonical).canonical == Username(text).canonical)
    }

    @Test(arguments: [
        "\u{301}a", "\u{301}", "a \u{301}b", "\u{93F}क", "\u{FF9E}a", "a \u{FF9E}", "\u{5B0}א", "\u{20DD}a",
    ])
    func aMarkThatCombinesWithNothingIsRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    @Test(arguments: ["a  b", "a   b", "  ", " a", "a ", "a b  c"])
    func blanksStandSinglyBetweenTheParts(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
        #expect(throws: Never.self) { try Username("a b c") }
    }

    @Test func aNameWhoseFormIsTooLongIsRefused() {
        // A capital of two bytes; its lower case is two characters with three bytes in all.
        #expect(throws: AuthError.self) { try Username(String(repeating: "İ", count: 85)) }
        #expect(throws: Never.self) { try Username(String(repeating: "İ", count: 84)) }
    }

    @Test(arguments: ["eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJ..", "EYJ.a.b", "eyj.a.b.c.d"])
    func whatLooksLikeATokenIsRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    @Test(arguments: ["שלוםabc", "abcשלום", "1שלום", "שלום-", "سلام1٢", "\u{6FD}a", "a\u{6FE}"])
    func mixedWritingDirectionsAreRefused(text: String) {
        #expect(throws: AuthError.self) { try Username(text) }
    }

    /// Names made of characters that have rules, and random others.
    @Test func aNameHasOneFormAndIsCarriedByBasic() throws {
        var random = SplitMix(state: 20_261_128)
        let text = "aZé İßΣςｱﾞ０|&$(' -.:ـٱ١۲אשׁ가カ゛日〇eyJ..\u{301}\u{327}\u{200D}\u{3099}\u{F0B}\u{B7}"
        let special = Array(text.unicodeScalars)
        var count = 0
        for _ in 0..<50_000 {
            let scalars = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? special.randomElement(using: &random) ?? "a"
                    : Unicode.Scalar(UInt32.random(in: 0x20...0x3400, using: &random)) ?? "a"
            }
            guard let name = try? Username(String(String.UnicodeScalarView(scalars))) else { continue }
            count += 1
            for spelling in [name.canonical, name.text.precomposedStringWithCanonicalMapping] {
                let again = try Username(spelling)
                #expect(again.canonical.utf8.elementsEqual(name.canonical.utf8), "\(scalars)")
            }
            let lookedUp = try Username(whoever: name.text)
            #expect(lookedUp == name)
            guard
                case .password(let username, _, _)? = Credentials(
                    username: Array(name.text.utf8)[...], password: [0x78])
            else {
                Issue.record("\(scalars) is no user name in HTTP Basic")
                continue
            }
            #expect(username.utf8.elementsEqual(name.text.utf8))
        }
        #expect(count > 500)
    }

    @Test func asManyOctetsAreAcceptedAsAMailAddressHas() throws {
        #expect(Username.maximumBytes == 254)
        for name in ["u", "ü", "日", "𠀀"] {
            let most = String(repeating: name, count: 254 / name.utf8.count)
            #expect(try Username(most).text == most)
            #expect(throws: AuthError.self) { try Username(most + name) }
        }
    }

    /// A name of sixty-four characters of four bytes each, which an earlier version accepted.
    @Test func aLongerNameOfOldIsFoundAndCannotBeRegistered() throws {
        let name = String(repeating: "𠀀", count: 64)
        #expect(throws: AuthError.self) { try Username(name) }
        #expect(try Username(whoever: name).canonical == name)
        #expect(throws: AuthError.self) { try Username(whoever: name + "𠀀") }
    }

    @Test(arguments: [
        ("a:b", "U+003A (:)"), ("a\u{200B}b", "U+200B,"), ("a😀", "U+1F600 (😀)"), ("a：b", "U+FF1A (：)"),
        ("a\u{9}b", "U+0009,"), ("a|b", "U+007C (|)"), ("a\u{202E}b", "U+202E,"), ("“a", "U+201C (“)"),
        ("a\u{A0}b", "U+00A0,"), ("a\u{E0001}", "U+E0001,"), ("سـلام", "U+0640"), ("a—b", "U+2014 (—)"),
        ("a\\b", "U+005C (\\)"),
    ])
    func theCharacterThatIsNotAllowedIsNamed(text: String, character: String) throws {
        let error = #expect(throws: AuthError.self) { try Username(text) }
        #expect(error?.detail.contains(character) == true, "\(error?.detail ?? "-")")
    }
}
