import RESTAuth
import Testing

@Suite struct Base32Tests {
    // RFC 4648 section 10, without the padding.
    @Test(arguments: [
        ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"), ("12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
    ])
    func bytesHaveOneSpelling(text: String, encoded: String) {
        #expect(Base32.encode(text.utf8) == encoded)
        #expect(Base32.decode(encoded.utf8) == Array(text.utf8))
    }

    @Test(arguments: [
        // Padding, small letters, blanks, hyphens.
        "MY======", "MZXW6===", "=", "my", "Mzxq", " MY", "MY ", "MY\n", "MZXQ MY", "MZXW-6YQ", "MY\0",
        // Digits and marks of other alphabets.
        "M0", "M1", "M8", "M9", "M+", "M/", "M_", "M@", "M[", "M`", "M{",
        // Characters beyond ASCII, full width among them.
        "\u{FF2D}\u{FF39}", "MÝ", "M\u{0301}Y", "😀",
    ])
    func whatIsNotOfTheAlphabetIsRefused(text: String) {
        #expect(Base32.decode(text.utf8) == nil)
    }

    @Test(arguments: ["A", "ABC", "ABCDEF", "MZXW6YTBA", "MZXW6YTBABC", "MZXW6YTBABCDEF"])
    func aLengthThatNoBytesHaveIsRefused(text: String) {
        #expect(Base32.decode(text.utf8) == nil)
    }

    @Test(arguments: ["MZ", "MB", "M7", "MZXR", "MZXX", "MZX7", "MZXW7", "MZXW6YR", "MZXW6YX", "MZXW6YTBOJ"])
    func spareBitsThatAreNotZeroAreRefused(text: String) {
        #expect(Base32.decode(text.utf8) == nil)
    }

    @Test func everyOtherByteIsRefused() {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect((Base32.decode([byte, UInt8(ascii: "A")]) != nil) == alphabet.contains(byte))
        }
    }

    @Test func everyByteSurvives() {
        for count in 0..<300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) }
            let text = Base32.encode(bytes)
            #expect(text.utf8.count == (count * 8 + 4) / 5)
            #expect(Base32.decode(text.utf8) == bytes)
        }
    }
}
