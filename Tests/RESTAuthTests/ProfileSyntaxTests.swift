import Foundation
import RESTAuth
import Testing

/// The rules for the texts of a profile.
@Suite struct ProfileSyntaxTests {
    private func patch(_ field: String, _ value: JSON) throws -> Profile {
        try ProfilePatch(.object([.init(name: field, value: value)]), byOperator: true)
            .applied(to: Profile(), at: Date(timeIntervalSince1970: 1_800_000_000))
    }

    private func expectRefused(_ field: String, _ value: JSON) {
        let error = #expect(throws: AuthError.self) { try patch(field, value) }
        #expect(error?.code == .validationFailed && error?.field == field, "\(value)")
    }

    @Test(arguments: [
        ("susan@example.com", "susan@example.com"), ("Susan@EXAMPLE.Com", "Susan@example.com"),
        ("a.b+c@xn--bcher-kva.example", "a.b+c@xn--bcher-kva.example"), ("root@localhost", "root@localhost"),
        ("o'brien@example.com", "o'brien@example.com"), ("!#$%&'*+-/=?^_`{|}~@a", "!#$%&'*+-/=?^_`{|}~@a"),
    ])
    func anAddressIsComparedWithItsDomainInLowerCase(text: String, key: String) throws {
        #expect(try EmailAddress(text).key == key)
        #expect(try patch("email", .string(text)).email == text)
    }

    @Test(arguments: [
        "", "@", "a@", "@b", "a", "a@b@c", ".a@b", "a.@b", "a..b@c", "a b@c", "a@b c", "a@-b", "a@b-", "a@b..c", "a@b.",
        "\"a\"@b", "a@[192.0.2.1]", "a@b\u{0}", "a\n@b", "ä@b", "a@bücher.example", "a@b_c", "<a@b>", "a@b, c@d",
        "a\u{200B}@b", "a@ｅxample.com",
    ])
    func whatIsNoAddressIsRefused(text: String) { expectRefused("email", .string(text)) }

    @Test func anAddressHasItsLengths() throws {
        let domain = [63, 63, 61].map { String(repeating: "d", count: $0) }.joined(separator: ".")
        let local = String(repeating: "l", count: 64)
        #expect(throws: Never.self) { try EmailAddress("\(local)@\(domain)") }
        for text in [
            "\(local)@\(domain)d", "l\(local)@d", "l@d\(String(repeating: "d", count: 63))",
            String(repeating: "a", count: 10_000) + "@b", "a@" + String(repeating: "b.", count: 10_000) + "c",
        ] { expectRefused("email", .string(text)) }
    }

    @Test(arguments: [
        "de", "de-AT", "en-GB", "zh-Hant-TW", "sr-Latn", "es-419", "de-CH-1901", "sl-rozaj-biske", "zh-cmn-Hans-CN",
        "en-US-u-islamcal", "de-a-value-b-other", "x-whatever", "en-x-us", "EN-us",
    ])
    func aLanguageTagIsTaken(text: String) throws { #expect(try patch("locale", .string(text)).locale == text) }

    @Test(arguments: [
        "", "d", "-", "de-", "-de", "de_AT", "de--AT", "12", "de-a", "x", "x-", "de-1", "toolonglanguage", "en-x",
        "de-1901-1901", "en-a-bb-a-cc", "de AT", "dé", "de-\u{0}", "i-klingon", "a-de", "en-US-US", "ｄｅ", "de-AT\n",
        "DE-1901-Latn",
        "de-aaa-bbb-ccc-ddd", "de-latn-cyrl", "en-u-x-a", "en-123456789", String(repeating: "x-", count: 10_000) + "a",
        "x-" + String(repeating: "abcdefgh-", count: 7),
    ])
    func whatIsNoLanguageTagIsRefused(text: String) { expectRefused("locale", .string(text)) }

    @Test(arguments: ["Europe/Vienna", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "GMT0", "EST5EDT"])
    func aTimeZoneIsTaken(text: String) throws { #expect(try patch("zoneinfo", .string(text)).zoneinfo == text) }

    @Test(arguments: [
        "", "/", "Europe/", "/Vienna", "../etc/passwd", "Europe//Vienna", "a/b/c/d", "+01:00", "-5",
        "Europe/Wien Mitte", "Europe/Zürich", "Europe\\Vienna", "Europe/Vienna\u{0}", "Europe/Vienna\n", " UTC",
        "Etc/+1",
        "Europe/-Vienna", "Europe/Vienna/..", ".", String(repeating: "a", count: 65), "Ｕ",
        String(repeating: "a/", count: 10_000),
    ])
    func whatIsNoTimeZoneIsRefused(text: String) { expectRefused("zoneinfo", .string(text)) }

    @Test(arguments: [
        "https://example.com/a.png", "HTTPS://example.com", "https://[::1]:8443/a?b=c", "https://a/%20",
        "https://h:/", "https://h:0/", "https://h:65535", "https://h:00443/", "https://example.com.",
        "https://a_b.c-d/",
        "https://xn--exmple-cua.com/a", "https://192.0.2.1/", "https://192.0.2.1.:443/", "https://1.example/",
        "https://[2001:db8::192.0.2.1]/", "https://h?q=/?", "https://h#a/?", "https://h/a@b:c/..;!$&'()*+,=~",
        "https://h/%C3%A4?a=%00", "https://EXAMPLE.com/", "https://0x1g.example.0xg/",
    ])
    func aPictureIsTaken(text: String) throws { #expect(try patch("picture", .string(text)).picture == text) }

    @Test(arguments: [
        "", "a.png", "//example.com/a", "http://example.com/a.png", "https:", "https://", "https:///a",
        "https://user@example.com/", "https://user:pw@example.com/", "javascript:alert(1)", "data:image/png;base64,AA",
        "https://example.com/a b", "https://example.com/\"onerror=x", "https://example.com/<x>",
        "https://ex\nample.com", "https://exämple.com/", "https://h:99999999/", "https://h:65536/", "https://h:-1/",
        "https://h:4x/", "https://h:+443/", "https://h:99999999999999999999/", "https://:443/", "https://a..b/",
        "https://.a/", "https://./", "https://a../", "https://@h/", "https://a@/", "https://h:443@evil.example/",
        "https://h\\@evil.example/", "https:\\\\h/", "https:/h/", "https:h/", "https:////h/", " https://h/",
        "https://h/ ",
        "https://h/\t", "https://[::1/", "https://[::1]x/", "https://[]/", "https://[192.0.2.1]/",
        "https://[fe80::1%25a]/",
        "https://[v1.a]/", "https://::1/", "https://h/[a]", "https://h/%", "https://h/%4", "https://h/%zz",
        "https://h/a#b#c",
        "https://h/^", "https://h/\u{0}", "https://h/\u{7F}", "https://%68/", "https://h%2Fa/", "https://a,b/",
        "https://*/",
        "https://256.0.0.1/", "https://1.2.3/", "https://1/", "https://0x7f000001/", "https://a.0x1/",
        "https://1.2.3.4.5/",
        "https://010.0.0.1/", "https://a.b.0X/", "https://ｅxample.com/", "https：//h/", "ſ://h/", "httpſ://h/",
    ])
    func whatIsNoPictureIsRefused(text: String) { expectRefused("picture", .string(text)) }

    @Test(arguments: ["Susan", "Susan Smith", "李", "O'Brien", "<b>", "😀", "👩‍👩‍👧", "نور", "' OR 1=1 --"])
    func aNameIsTaken(text: String) throws { #expect(try patch("name", .string(text)).name == text) }

    @Test(arguments: [
        "", " ", "a ", " a", "a\u{0}b", "a\nb", "a\u{1B}[2J", "a\u{9B}b", "a\u{202E}b", "a\u{2066}b", "\u{200B}",
        "\u{FEFF}\u{200D}", "\u{AD}", "\u{3164}", "\u{2800}", "\u{301}", "a\u{2028}b", "a\u{E000}", "a\u{FFFF}",
    ])
    func aNameThatCannotBeSeenOrDoesHarmIsRefused(text: String) { expectRefused("name", .string(text)) }

    @Test func aPictureHasItsLength() throws {
        let most = "https://h/" + String(repeating: "a", count: 2038)
        #expect(try patch("picture", .string(most)).picture == most)
        let label = String(repeating: "a", count: 63)
        let host = [label, label, label, String(repeating: "a", count: 61)].joined(separator: ".")
        #expect(throws: Never.self) { try patch("picture", .string("https://\(host)/")) }
        for text in [
            most + "a", "https://\(host)a/", "https://\(label)a/", String(repeating: "https://", count: 10_000),
        ] {
            expectRefused("picture", .string(text))
        }
    }

    @Test func aNameHasItsLength() throws {
        #expect(throws: Never.self) { try patch("name", .string(String(repeating: "日", count: 128))) }
        for count in [129, 10_000] { expectRefused("name", .string(String(repeating: "日", count: count))) }
    }

    @Test(arguments: ["name", "email", "locale", "zoneinfo", "picture"])
    func aTextIsAText(field: String) throws {
        for value: JSON in [1, true, [], [:], ["a"], .number(1.5)] { expectRefused(field, value) }
        #expect(try patch(field, .null) == Profile())
    }

    @Test(arguments: ["metadata", "app_metadata"])
    func metadataIsAnObjectOfFourKibibytes(field: String) throws {
        for value: JSON in [1, true, [], "{}"] { expectRefused(field, value) }
        #expect(try patch(field, .null) == Profile())
        // {"a":"…"}
        let most = JSON.string(String(repeating: "x", count: 4096 - 8))
        #expect(throws: Never.self) { try patch(field, ["a": most]) }
        expectRefused(field, ["a": .string(String(repeating: "x", count: 4096 - 7))])
        // What counts is the whole of it, not the patch.
        let first = try patch(field, ["a": .string(String(repeating: "x", count: 3000))])
        let second = try ProfilePatch(
            .object([.init(name: field, value: ["b": .string(String(repeating: "x", count: 2000))])]), byOperator: true)
        #expect(throws: AuthError.self) { try second.applied(to: first, at: .now) }
    }

    @Test(arguments: ["email_verified", "revoke_sessions"])
    func whatIsTrueOrFalseIsNothingElse(field: String) {
        for value: JSON in [1, "true", [], [:]] { expectRefused(field, value) }
    }
}
