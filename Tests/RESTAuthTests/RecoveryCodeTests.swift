import Foundation
import RESTAuth
import Testing

@Suite struct RecoveryCodeTests {
    private func code(_ text: String = "7K3QD-9XW2M") throws -> RecoveryCode { try #require(RecoveryCode(text)) }

    // MARK: Made

    @Test func aUserGetsTenCodesOfFiftyBits() throws {
        let codes = RecoveryCode.newSet()
        #expect(codes.count == 10 && Set(codes.map(\.value)).count == 10)
        for code in codes {
            #expect(code.value.wholeMatch(of: /[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}/) != nil)
            #expect(RecoveryCode(code.value)?.value == code.value)
        }
    }

    @Test func everyCharacterComesUpEverywhere() {
        var seen = [Set<UInt8>](repeating: [], count: 11)
        for _ in 0..<2_000 {
            for (place, character) in RecoveryCode().value.utf8.enumerated() { seen[place].insert(character) }
        }
        #expect(seen.enumerated().allSatisfy { $0 == 5 ? $1.count == 1 : $1.count == 32 })
    }

    // MARK: Read

    @Test(arguments: [
        "7K3QD-9XW2M", "7k3qd-9xw2m", "7K3QD9XW2M", "7K3QD 9XW2M", "  7K3QD-9XW2M\n", "7-K-3-Q-D-9-X-W-2-M",
        "7K3QD\t9XW2M", "7K3QD--9XW2M", "-7k3Qd9xW2m-",
        // As word processors and telephones write hyphens and blanks.
        "7K3QD\u{2010}9XW2M", "7K3QD\u{2011}9XW2M", "7K3QD\u{2013}9XW2M", "7K3QD\u{2014}9XW2M", "7K3QD\u{2212}9XW2M",
        "7K3QD\u{A0}9XW2M", "7K3QD\u{2009}-\u{2009}9XW2M", "\u{3000}7K3QD-9XW2M",
    ])
    func itIsReadHoweverItWasCopied(text: String) throws {
        #expect(try code(text).value == "7K3QD-9XW2M")
    }

    @Test(arguments: ["10110-01101", "IOIIO-OIIOI", "lollo-ollol", "iOlLo-0iI0L", "1o1l0 0I1oi"])
    func whatLooksAlikeIsTheSame(text: String) throws {
        #expect(try code(text).value == "10110-01101")
    }

    @Test(arguments: [
        "", "-", "7K3QD-9XW2", "7K3QD-9XW2MM", "7K3QD-9XW2M-7K3QD", "123456", "7K3QD",
        // U is no character of the alphabet, nor is a check symbol.
        "7K3QD-9XW2U", "7K3QD-9XW2u", "7K3QD-9XW2*", "7K3QD-9XW2~", "7K3QD-9XW2$", "7K3QD-9XW2=",
        "7K3QD_9XW2M", "7K3QD.9XW2M", "7K3QD,9XW2M", "7K3QD/9XW2M", "7K3QD+9XW2M", "7K3QD\09XW2M", "7K3QD-9XW2M\0",
        "\"7K3QD-9XW2M\"", "7K3QD\\9XW2M", "7K3QD\u{AD}9XW2M", "7K3QD\u{200B}9XW2M", "\u{FEFF}7K3QD-9XW2M",
        // Other scripts' letters and digits, whatever they look like; small letters that become
        // capitals of ASCII elsewhere.
        "７K3QD-9XW2M", "7К3QD-9XW2M", "7K3QD-9XW2\u{212A}", "7\u{212A}3QD-9XW2M", "7K3QD-9XW2\u{131}",
        "7K3QD-9XW2\u{17F}", "7K3QD-9XW2Ｍ", "٧K3QD-9XW2M", "7K3QD-9XW2M\u{301}", "7K\u{301}3QD-9XW2M", "😀",
    ])
    func whatIsNoCodeIsRefused(text: String) {
        #expect(RecoveryCode(text) == nil)
    }

    @Test func aLongTextIsRefused() {
        #expect(RecoveryCode("7K3QD" + String(repeating: " ", count: 54) + "9XW2M")?.value == "7K3QD-9XW2M")
        #expect(RecoveryCode("7K3QD" + String(repeating: " ", count: 55) + "9XW2M") == nil)
        #expect(RecoveryCode(String(repeating: "-", count: 1_000_000)) == nil)
    }

    @Test func itShowsNothing() throws {
        let code = try code()
        for text in ["\(code)", String(reflecting: code), "\([code])", "\(Optional(code) as Any)"] {
            #expect(!text.contains("7K3QD") && !text.contains("55"))
        }
    }
}
