import Foundation
import RESTAuth
import RESTAuthHummingbird
import Support
import Testing

/// Our URI and our picture, read by programs that compute codes from them.
@Suite struct AuthenticatorAppTests {
    private static let times = [59, 1_111_111_109, 1_234_567_890, 2_000_000_000, 4_102_444_799]
    /// Issuers and names of which apps are known to make a mess.
    static let names = [
        ("auth.example.com", "miguel"), ("Ein Verein e. V.", "Jürgen Groß"), ("localhost:8080", "a@b.example+c"),
        ("Ünïcödé & Co. 100%", "李小龍"), ("👩‍🚀 Space", "😀😀"), ("%3A", "x%3Ay"),
        (String(repeating: "Long ", count: 50), String(repeating: "ü", count: 127)),
    ]

    private let programs: AuthenticatorPrograms

    init() throws { programs = try AuthenticatorPrograms() }

    private func scan(_ text: String) async throws -> String {
        try await programs.scan(#require(QRCode(text)).svg)
    }

    @Test func oathtoolComputesOurCodes() async throws {
        for _ in 0..<5 {
            let secret = TOTPSecret()
            for time in Self.times {
                let date = Date(timeIntervalSince1970: TimeInterval(time))
                let given = try #require(OneTimeCode(try await programs.oathtool(secret.base32, at: date)))
                #expect(secret.step(matching: given, at: date, after: 0) == TOTP.step(at: date))
            }
        }
    }

    @Test(arguments: names)
    func pyotpReadsOurPicture(issuer: String, account: String) async throws {
        let secret = TOTPSecret()
        let uri = OTPAuthURI(issuer: issuer, account: account, secret: secret).value
        let scanned = try await scan(uri)
        #expect(scanned == uri)
        let (head, codes) = try await programs.pyotp(scanned, at: Self.times)
        #expect(head[0] == "\(secret.base32) 6 30 sha1")
        func isShown(_ shown: String, _ name: String) -> Bool {
            let sent = name.replacing(":", with: "-")
            return shown == sent || shown.hasSuffix("…") && sent.hasPrefix(shown.dropLast())
        }
        #expect(isShown(head[1], issuer), "\(head[1])")
        #expect(isShown(head[2], account), "\(head[2])")
        for (time, code) in zip(Self.times, codes) {
            let date = Date(timeIntervalSince1970: TimeInterval(time))
            #expect(secret.code(for: TOTP.step(at: date)).value == code)
        }
    }

    @Test(arguments: names)
    func keePassXCReadsOurPicture(issuer: String, account: String) async throws {
        let secret = TOTPSecret()
        let scanned = try await scan(OTPAuthURI(issuer: issuer, account: account, secret: secret).value)
        let code = try await programs.keePassXC(scanned)
        let given = try #require(OneTimeCode(code), "\(code)")
        #expect(secret.step(matching: given, at: .now, after: 0) != nil)
    }
}
