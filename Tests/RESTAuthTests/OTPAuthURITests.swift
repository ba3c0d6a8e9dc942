import Foundation
import RESTAuth
import Testing

@Suite struct OTPAuthURITests {
    private static let base32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

    private func uri(_ issuer: String, _ account: String) throws -> String {
        let secret = try #require(TOTPSecret(bytes: Array("12345678901234567890".utf8)))
        return OTPAuthURI(issuer: issuer, account: account, secret: secret).value
    }

    @Test func itIsWhatAppsRead() throws {
        #expect(
            try uri("auth.example.com", "miguel")
                == "otpauth://totp/auth.example.com:miguel?secret=\(Self.base32)&issuer=auth.example.com")
    }

    @Test(arguments: [
        ("Ein Verein", "Ein%20Verein"), ("a+b", "a%2Bb"), ("miguel@example.com", "miguel%40example.com"),
        ("100%", "100%25"), ("a/b?c#d&e=f", "a%2Fb%3Fc%23d%26e%3Df"), ("ü", "%C3%BC"), ("u\u{308}", "u%CC%88"),
        ("李", "%E6%9D%8E"), ("👩‍🚀", "%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80"), ("a-b.c_d~e", "a-b.c_d~e"),
        ("\"'<>\\`", "%22%27%3C%3E%5C%60"), ("a\u{7F}\n\0", "a%7F%0A%00"), ("%3A", "%253A"), ("", ""),
    ])
    func allButUnreservedCharactersArePercentEncoded(name: String, encoded: String) throws {
        #expect(
            try uri(name, name)
                == "otpauth://totp/\(encoded):\(encoded)?secret=\(Self.base32)&issuer=\(encoded)")
    }

    @Test func theOnlyColonParts() throws {
        #expect(
            try uri("localhost:8080", "a:b:c")
                == "otpauth://totp/localhost-8080:a-b-c?secret=\(Self.base32)&issuer=localhost-8080")
        let label = try #require(try uri(":", "::").split(separator: "?").first?.split(separator: "/").last)
        #expect(label.utf8.filter { $0 == UInt8(ascii: ":") }.count == 1)
        #expect(!label.contains("%3A") && !label.contains("%3a"))
    }

    @Test(arguments: [
        "x", "ü", "李", "😀", "👩‍🚀", "%", " ", "e\u{301}\u{302}\u{303}", "\u{202E}", "\u{10FFFF}", ":",
    ])
    func aLongNameEndsWithAnEllipsisAfterAWholeCharacter(piece: String) throws {
        let name = String(repeating: piece, count: 10_000)
        let uri = try uri(name, name)
        #expect(uri.utf8.count <= 15 + 105 + 1 + 201 + 40 + 8 + 105)
        let parts = try #require(URLComponents(string: uri))
        let issuer = try #require(parts.queryItems?.last?.value)
        let sent = name.replacing(":", with: "-")
        #expect(issuer.hasSuffix("…") && parts.path.hasPrefix("/\(issuer):") && parts.path.hasSuffix("…"))
        #expect(sent.unicodeScalars.starts(with: issuer.unicodeScalars.dropLast()))
    }

    @Test func aNameOfJustTheLengthIsWhole() throws {
        let (issuer, account) = (String(repeating: "i", count: 96), String(repeating: "a", count: 192))
        #expect(try uri(issuer, account).contains("/\(issuer):\(account)?"))
        #expect(try uri(issuer + "i", account + "a").contains("/\(issuer)%E2%80%A6:\(account)%E2%80%A6?"))
    }
}
