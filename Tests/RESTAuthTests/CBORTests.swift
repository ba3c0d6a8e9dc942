import Authenticators
import RESTAuth
import Testing

@Suite struct CBORTests {
    // RFC 8949 appendix A, as far as it belongs to the subset.
    @Test(arguments: [
        ("00", CBOR.unsigned(0)), ("01", .unsigned(1)), ("0a", .unsigned(10)), ("17", .unsigned(23)),
        ("1818", .unsigned(24)), ("1819", .unsigned(25)), ("1864", .unsigned(100)), ("1903e8", .unsigned(1_000)),
        ("1a000f4240", .unsigned(1_000_000)), ("1b000000e8d4a51000", .unsigned(1_000_000_000_000)),
        ("1bffffffffffffffff", .unsigned(.max)), ("3bffffffffffffffff", .negative(.max)), ("20", .negative(0)),
        ("29", .negative(9)), ("3863", .negative(99)), ("3903e7", .negative(999)), ("f4", .bool(false)),
        ("f5", .bool(true)), ("40", .bytes([])), ("4401020304", .bytes([1, 2, 3, 4])), ("60", .text([])),
        ("6161", .text([0x61])), ("62c3bc", .text([0xC3, 0xBC])), ("64f0908591", .text([0xF0, 0x90, 0x85, 0x91])),
        ("80", .array([])), ("83010203", .array([.unsigned(1), .unsigned(2), .unsigned(3)])),
        (
            "8301820203820405",
            .array([
                .unsigned(1), .array([.unsigned(2), .unsigned(3)]), .array([.unsigned(4), .unsigned(5)]),
            ])
        ),
        ("a0", .map([])),
    ])
    func anItemOfTheSubsetIsRead(bytes: String, item: CBOR) {
        #expect(CBOR(hex(bytes)[...]) == item)
    }

    @Test(arguments: [
        // A number with more bytes than it needs (CTAP 2.2 section 8).
        "1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000", "1b00000000ffffffff",
        "3800", "3817", "3900ff", "3a0000ffff", "3b00000000ffffffff",
        // A length likewise.
        "5800", "581700", "590000", "590001ff", "5a00000001ff", "5b0000000000000001ff", "7800", "780161", "79000161",
        "9800", "980100", "b800", "b8010000",
    ])
    func aNumberThatIsNotInItsShortestFormIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        "5f42010243030405ff", "7f657374726561646d696e67ff", "9fff", "9f018202039f0405ffff", "bfff",
        "bf61610161629fffff",
        "5fff", "7fff", "1f", "3f", "df", "ff", "a1ff00", "82ff",
    ])
    func anIndefiniteLengthIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        // Tags, floating point numbers, null, undefined, simple values.
        "c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "d74401020304", "c249010000000000000000",
        "f90000", "f93c00", "fa47c35000", "fb3ff199999999999a", "f97c00", "f97e00", "f6", "f7", "f0", "f818", "f820",
        "f8ff", "e0", "f814", "f815", "a10bf6", "81f7",
    ])
    func whatWebAuthnDoesNotNeedIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        "1c", "1d", "1e", "3c", "5c", "5d", "5e", "7c", "9d", "be", "dc", "fc", "fd", "fe",
    ])
    func aReservedLengthIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        "", "18", "19", "1900", "1a000f42", "1b000000e8d4a510", "41", "420a", "58", "58ff00", "5affffffff",
        "5bffffffffffffffff", "5b7fffffffffffffff", "5b8000000000000000", "61", "7b7fffffffffffffff", "81", "8201",
        "9affffffff", "9bffffffffffffffff", "9b7fffffffffffffff", "a1", "a101", "a2010203", "baffffffff",
        "bbffffffffffffffff", "bb7fffffffffffffff", "8181",
    ])
    func whatEndsTooSoonIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: ["0000", "f5f5", "6000", "8000", "a000", "4101 ff", "a1010200"])
    func whatFollowsIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        // Invalid bytes, surrogates, more bytes than needed, beyond the last character.
        "61ff", "6180", "62c328", "63eda080", "63edbfbf", "62c080", "63e08080", "64f4908080", "64f8888080", "61c3",
    ])
    func aTextThatIsNoUTF8IsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test func aTextOfInvalidBytesIsRefusedAsAKey() {
        #expect(CBOR(hex("a161ff00")[...]) == nil)
    }

    // MARK: Maps

    @Test(arguments: [
        "a2010203 04", "a2 01 00 20 00", "a2 1818 00 20 00", "a2 20 00 6161 00", "a2 6161 00 6162 00",
        "a2 617a 00 626161 00",
        "a3 01 00 1818 00 190100 00", "a3 20 00 21 00 22 00",
        "a3 63666d74 00 6761747453746d74 00 686175746844617461 00",
    ])
    func aMapInOrderIsRead(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) != nil)
    }

    @Test(arguments: [
        "a2030401 02", "a2 20 00 01 00", "a2 20 00 1818 00", "a2 6161 00 20 00", "a2 6162 00 6161 00",
        "a2 626161 00 617a 00",
        "a2 190100 00 1818 00", "a3 22 00 21 00 20 00", "a2 686175746844617461 00 63666d74 00",
    ])
    func aMapInAnotherOrderIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        "a2 01 00 01 00", "a2 20 00 20 01", "a2 6161 00 6161 00", "a3 01 00 02 00 02 00", "a2 60 00 60 00",
    ])
    func aKeyThatComesTwiceIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test(arguments: [
        "a1 40 00", "a1 80 00", "a1 a0 00", "a1 f5 00", "a1 f4 00", "a1 8101 00", "a1 f6 00", "a1 f93c00 00",
    ])
    func aKeyThatIsNeitherNumberNorTextIsRefused(bytes: String) {
        #expect(CBOR(hex(bytes)[...]) == nil)
    }

    @Test func aValueIsFoundByItsKey() throws {
        let map = try #require(CBOR(hex("a4 01 02 20 03 6161 04 6162 f5")[...]))
        #expect(map[1] == .unsigned(2))
        #expect(map[-1] == .unsigned(3))
        #expect(map["a"] == .unsigned(4))
        #expect(map["b"] == .bool(true))
        #expect(map.entryCount == 4)
        #expect(map[2] == nil)
        #expect(map[0] == nil)
        #expect(map["A"] == nil)
        #expect(map[.max] == nil)
        #expect(map[.min] == nil)
    }

    @Test func whatIsNoMapHasNoValues() throws {
        for item in [CBOR.unsigned(1), .text([]), .bytes([1]), .array([.unsigned(1)]), .bool(true)] {
            #expect(item[0] == nil)
            #expect(item["a"] == nil)
            #expect(item.entryCount == nil)
        }
    }

    // MARK: Bounds

    @Test func nestingEnds() {
        for open in [[0x81], [0xA1, 0x00]] as [[UInt8]] {
            let deepest = Array(repeatElement(open, count: CBOR.maximumDepth).joined()) + [0x00]
            #expect(CBOR(deepest[...]) != nil)
            #expect(CBOR((open + deepest)[...]) == nil)
            let far = Array(repeatElement(open, count: 5_000).joined()) + [0x00]
            #expect(CBOR(far[...]) == nil)
        }
    }

    @Test func whatIsTooLongIsRefused() {
        let length = CBOR.maximumLength - 3
        #expect(CBOR(CBORBytes.bytes([UInt8](repeating: 7, count: length))[...]) != nil)
        #expect(CBOR(CBORBytes.bytes([UInt8](repeating: 7, count: length + 1))[...]) == nil)
    }

    @Test func aPieceOfBytesIsReadWhereItLies() throws {
        let bytes = hex("ff ff 42 0102 ff")
        let (item, rest) = try #require(CBOR.first(of: bytes[2...]))
        #expect(item == .bytes([1, 2]))
        #expect(rest == [0xFF])
        #expect(rest.startIndex == 5)
    }

    // MARK: Whatever it is

    /// The reader and a writer agree on every input that is read: there is one encoding of an item.
    @Test func whatIsReadIsWrittenAsItWas() throws {
        var random = SplitMix(state: 17)
        var read = 0
        for _ in 0..<200_000 {
            let bytes = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                // Mostly heads of short items.
                [
                    UInt8.random(in: 0...255, using: &random),
                    UInt8.random(in: 0...3, using: &random) << 5
                        | UInt8.random(in: 0...3, using: &random), 0x81, 0xA1, 0x82,
                ][Int.random(in: 0..<5, using: &random)]
            }
            guard let item = CBOR(bytes[...]) else { continue }
            read += 1
            try #require(encoded(item) == bytes)
        }
        #expect(read > 1_000)
    }

    private func encoded(_ item: CBOR) -> [UInt8] {
        func head(_ type: UInt8, _ value: UInt64) -> [UInt8] {
            if value < 65_536 { return CBORBytes.head(type, Int(value)) }
            if value <= UInt32.max {
                return [type << 5 | 26] + withUnsafeBytes(of: UInt32(value).bigEndian, Array.init)
            }
            return [type << 5 | 27] + withUnsafeBytes(of: value.bigEndian, Array.init)
        }
        return switch item {
        case .unsigned(let value): head(0, value)
        case .negative(let value): head(1, value)
        case .bytes(let bytes): CBORBytes.bytes(bytes)
        case .text(let text): head(3, UInt64(text.count)) + text
        case .array(let elements): CBORBytes.array(elements.map(encoded))
        case .map(let entries): CBORBytes.map(entries.map { (encoded($0.key), encoded($0.value)) })
        case .bool(let value): [value ? 0xF5 : 0xF4]
        }
    }
}
