import RESTAuth
import Testing

@Suite struct JSONTests {
    static let readable: [(String, JSON)] = [
        (#"{"a":1}"#, ["a": 1]),
        (#" { "a" : [ 1 , "b" , null , true , -2.5e1 ] } "#, ["a": [1, "b", .null, .bool(true), .number(-25)]]),
        (#""\u0041\n\ud83d\ude00""#, "A\n😀"), ("[]", []), ("{}", [:]), ("0", 0), ("-0", 0), ("1.0", .number(1)),
        (#"" ""#, " "),
    ]

    @Test(arguments: readable)
    func aTextIsRead(text: String, value: JSON) {
        #expect(JSON(text.utf8) == value)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "[,1]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{'a':1}", "{\"a\":1}x", "{} {}", "01",
        "1.", ".5", "+1", "1e",
        "--1",
        "NaN", "Infinity", "1e999", "-1e999", "tru", "True", "nul", "\"", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u+123\"",
        "\"\n\"", "\"\t\"",
        "\"\\ud800\"", "\"\\ude00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\u{FEFF}{}", "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "/**/1", "\u{0}",
    ])
    func whatIsNotStrictJSONIsRefused(text: String) {
        #expect(JSON(text.utf8) == nil)
    }

    @Test(
        arguments: [[0xFF], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC3, 0x22]] as [[UInt8]])
    func whatIsNotUTF8IsRefused(bytes: [UInt8]) {
        #expect(JSON(bytes) == nil)
    }

    @Test func nestingEndsAtItsLimit() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(JSON(nested(32).utf8) != nil)
        #expect(JSON(nested(33).utf8) == nil)
        #expect(JSON(String(repeating: "[", count: 1_000_000).utf8) == nil)
        #expect(JSON(String(repeating: #"{"a":"#, count: 100_000).utf8) == nil)
    }

    @Test func namesThatDifferOnlyInNormalisationAreTwoNames() {
        #expect(JSON("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8) != nil)
    }

    @Test(arguments: ["plain", "a\"b\\c", "\u{0}\u{1F}\u{7F}", "😀 日本語", "</script>"])
    func whatIsWrittenIsReadBack(text: String) {
        let json: JSON = ["text": .string(text), "list": [1, .bool(false), .null]]
        #expect(JSON(json.bytes) == json)
        #expect(json.bytes.allSatisfy { $0 >= 0x20 })
    }
}
