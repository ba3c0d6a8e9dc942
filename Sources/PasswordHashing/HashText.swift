import CSodium
import Foundation

/// The text of a stored hash, and the strict reading of its parts: every part has one spelling.
///
/// It is read as bytes, because reading characters takes ten times as long, and an import reads
/// very many hashes.
struct HashText {
    static let maximumBytes = 1024
    /// The lengths that a salt may have, in bytes as it goes into the computation.
    static let saltBytes = 1...256

    /// The spellings of bytes.
    enum Spelling {
        /// Base64 of RFC 4648 with padding.
        case base64
        /// Base64 of RFC 4648 without padding.
        case unpaddedBase64
        /// passlib's base64: without padding, and with a full stop in place of the plus sign.
        case adaptedBase64
        /// Hexadecimal digits in lower case.
        case hex
    }

    let text: ArraySlice<UInt8>

    /// `nil` for text that is too long or has anything but the visible characters of ASCII.
    init?(_ text: String) {
        let bytes = text.utf8
        guard bytes.count <= Self.maximumBytes, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.text = Array(bytes)[...]
    }

    /// Takes a part of a text that has been checked as a whole.
    init(_ bytes: [UInt8]) { text = bytes[...] }

    /// The bytes in hexadecimal digits, in lower case.
    static func hex(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }
    }

    /// The bytes in base64 without padding.
    static func unpaddedBase64(_ bytes: [UInt8]) -> String {
        String(decoding: Data(bytes).base64EncodedData().filter { $0 != UInt8(ascii: "=") }, as: UTF8.self)
    }

    func fields(after prefix: StaticString, count: Int) -> [ArraySlice<UInt8>]? {
        text.fields(after: prefix, count: count)
    }
}

extension String {
    /// The text of a part of a hash.
    init(_ part: ArraySlice<UInt8>) {
        self.init(decoding: part, as: UTF8.self)
    }
}

extension ArraySlice<UInt8> {
    func hasPrefix(_ prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { starts(with: $0) }
    }

    static func == (part: Self, word: StaticString) -> Bool {
        part.count == word.utf8CodeUnitCount && part.hasPrefix(word)
    }

    /// The parts between the separators, with the empty ones.
    func parts(at separator: Unicode.Scalar) -> [ArraySlice<UInt8>] {
        split(separator: UInt8(ascii: separator), omittingEmptySubsequences: false)
    }

    /// The fields between the dollar signs after `prefix`; `nil` for text with another beginning,
    /// or with another number of fields.
    func fields(after prefix: StaticString, count: Int) -> [ArraySlice<UInt8>]? {
        guard hasPrefix(prefix) else { return nil }
        let fields = dropFirst(prefix.utf8CodeUnitCount).parts(at: "$")
        return fields.count == count ? fields : nil
    }

    /// The value of a decimal number without sign and leading zeros; `nil` for anything else, and
    /// for a number outside `range`.
    func number(in range: ClosedRange<Int>) -> Int? {
        // 18 digits fit any Int.
        guard (1...18).contains(count), first != UInt8(ascii: "0") || count == 1 else { return nil }
        var number = 0
        for digit in self {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return range.contains(number) ? number : nil
    }

    /// The values of text such as `m=65536,t=3,p=4`; `nil` unless it has exactly these names, in
    /// this order.
    func values(of names: StaticString...) -> [ArraySlice<UInt8>]? {
        var values = parts(at: ",")
        guard values.count == names.count else { return nil }
        for (index, name) in names.enumerated() {
            let (value, length) = (values[index], name.utf8CodeUnitCount)
            guard value.hasPrefix(name), value.dropFirst(length).first == UInt8(ascii: "=") else { return nil }
            values[index] = value.dropFirst(length + 1)
        }
        return values
    }

    /// The bytes of a salt that is used as it is written; `nil` when there are too few or too many.
    func textSalt() -> [UInt8]? {
        HashText.saltBytes.contains(count) ? Array(self) : nil
    }

    /// The bytes that this spells; `nil` when it is not their one spelling, or their number is not
    /// in `count`.
    func bytes(_ spelling: HashText.Spelling, count: ClosedRange<Int>) -> [UInt8]? {
        let bytes: [UInt8]?
        switch spelling {
        case .base64: bytes = base64Bytes(sodium_base64_VARIANT_ORIGINAL)
        case .unpaddedBase64: bytes = base64Bytes(sodium_base64_VARIANT_ORIGINAL_NO_PADDING)
        case .adaptedBase64:
            let (plus, stop) = (UInt8(ascii: "+"), UInt8(ascii: "."))
            bytes =
                contains(plus)
                ? nil : map { $0 == stop ? plus : $0 }[...].base64Bytes(sodium_base64_VARIANT_ORIGINAL_NO_PADDING)
        case .hex: bytes = hexBytes()
        }
        guard let bytes, count.contains(bytes.count) else { return nil }
        return bytes
    }

    /// Decodes base64. libsodium forgives nothing here: no padding too many or too few, no unused
    /// bits that are not zero.
    private func base64Bytes(_ variant: Int32) -> [UInt8]? {
        var isValid = false
        // Never empty, so that it has an address.
        let bytes = [UInt8](unsafeUninitializedCapacity: count / 4 * 3 + 3) { bytes, length in
            isValid =
                withUnsafeBytes { text in
                    sodium_base642bin(
                        bytes.baseAddress!, bytes.count, text.assumingMemoryBound(to: CChar.self).baseAddress,
                        text.count, nil, &length,
                        nil, variant)
                } == 0
        }
        return isValid ? bytes : nil
    }

    private func hexBytes() -> [UInt8]? {
        guard count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count / 2)
        for index in stride(from: startIndex, to: endIndex, by: 2) {
            guard let high = Self.value(ofHexDigit: self[index]), let low = Self.value(ofHexDigit: self[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(ofHexDigit digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
