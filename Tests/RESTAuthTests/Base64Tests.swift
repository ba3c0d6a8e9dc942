import Foundation
import RESTAuth
import Testing

@Suite struct Base64Tests {
    // Test vectors of RFC 4648 section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func bothAlphabetsSpellTheSameBytes(text: String, encoded: String) {
        #expect(Base64.padded.encode(text.utf8) == encoded)
        #expect(Base64.padded.decode(encoded.utf8) == Array(text.utf8))
        let unpadded = encoded.replacing("=", with: "")
        #expect(Base64.url.encode(text.utf8) == unpadded)
        #expect(Base64.url.decode(unpadded.utf8) == Array(text.utf8))
    }

    @Test(arguments: [
        "Zh==", "Zm9=", "Zg", "Zg=", "Zg===", "Z", "Zm9v=", "Zm9v\n", "Zm 9v", "Zm9v-_==", "Zg=A", "====", "=", "Z===",
        "Zg==Zg==",
        "Zm\u{F6}v",
    ])
    func anotherSpellingIsRefusedWithPadding(text: String) {
        #expect(Base64.padded.decode(text.utf8) == nil)
    }

    @Test(arguments: ["Zh", "Zm9", "Zg==", "Z", "Zm9v=", "Zm9v\n", "Zm 9v", "Zm9v+/", " Zg", "ZgB", "Zm9vYmF."])
    func anotherSpellingIsRefusedWithoutPadding(text: String) {
        #expect(Base64.url.decode(text.utf8) == nil)
    }

    @Test func everyByteSurvives() {
        for count in 0..<300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) }
            #expect(Base64.padded.encode(bytes) == Data(bytes).base64EncodedString())
            #expect(Base64.padded.decode(Base64.padded.encode(bytes).utf8) == bytes)
            #expect(Base64.url.decode(Base64.url.encode(bytes).utf8) == bytes)
        }
    }
}
