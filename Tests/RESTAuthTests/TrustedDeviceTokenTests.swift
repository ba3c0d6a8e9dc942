import RESTAuth
import Testing

@Suite struct TrustedDeviceTokenTests {
    @Test func aTokenHas256Bits() {
        let tokens = (0..<1000).map { _ in TrustedDeviceToken().value }
        #expect(Set(tokens).count == 1000)
        #expect(tokens.allSatisfy { Base64.url.decode($0.utf8)?.count == 32 && $0.utf8.count == 43 })
    }

    @Test func whatWasStoredIsFoundAgain() throws {
        let token = TrustedDeviceToken()
        let again = try #require(TrustedDeviceToken(token.value))
        #expect(again.value == token.value && again.digest(for: 7) == token.digest(for: 7))
        #expect(token.digest(for: 7).count == 32)
    }

    @Test func itIsNobodyElses() {
        let token = TrustedDeviceToken()
        for user in [0, 1, 8, -7, 7 << 8, Int64.max] { #expect(token.digest(for: user) != token.digest(for: 7)) }
        #expect(TrustedDeviceToken().digest(for: 7) != token.digest(for: 7))
    }

    @Test func theDigestIsNotTheToken() throws {
        let token = TrustedDeviceToken()
        let stored = Base64.url.encode(token.digest(for: 7))
        // Whoever reads the row has nothing to send.
        #expect(try #require(TrustedDeviceToken(stored)).digest(for: 7) != token.digest(for: 7))
    }

    @Test func whatIsNoTokenIsRefused() {
        let value = TrustedDeviceToken().value
        for text in [
            "", "x", String(value.dropLast()), value + "A", value + "=", value + "\n", " " + value, value + value,
            value + "\0", String(repeating: "A", count: 42) + "B", String(repeating: "A", count: 41) + "+A",
            String(repeating: "A", count: 42) + "é", String(repeating: "A", count: 1_000_000),
        ] {
            #expect(TrustedDeviceToken(text) == nil, "\(text.prefix(60))")
        }
        #expect(TrustedDeviceToken(String(repeating: "A", count: 43)) != nil)
    }

    @Test func itShowsNothing() {
        let token = TrustedDeviceToken()
        for text in ["\(token)", String(reflecting: token), "\([token])"] { #expect(!text.contains(token.value)) }
    }
}
