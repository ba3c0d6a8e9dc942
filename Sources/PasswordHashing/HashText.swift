import Foundation

/// The text of a stored hash, and the strict reading of its parts: whatever is in there has one spelling.
struct HashText {
    static let maximumBytes = 1024
    /// The longest salt, in bytes as it goes into the computation.
    static let saltBytes = 1...256

    let text: Substring

    /// `nil` when it is too long or has anything but the visible characters of ASCII.
    init?(_ text: String) {
        let bytes = text.utf8
        guard bytes.count <= Self.maximumBytes, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.text = text[...]
    }

    /// What stands between the dollar signs after `prefix`, when that is how it begins and these are so many.
    func fields(after prefix: String, count: Int) -> [Substring]? {
        guard text.hasPrefix(prefix) else { return nil }
        let fields = text.dropFirst(prefix.count).split(separator: "$", omittingEmptySubsequences: false)
        return fields.count == count ? fields : nil
    }
}

extension Substring {
    /// A decimal number without sign and leading zeros.
    func number(in range: ClosedRange<Int>) -> Int? {
        guard let number = Int(self), range.contains(number), String(number) == self else { return nil }
        return number
    }

    /// The values of `m=65536,t=3,p=4`: of these names, in this order, and of no others.
    func values(of names: String...) -> [Substring]? {
        let pairs = split(separator: ",", omittingEmptySubsequences: false)
        guard pairs.count == names.count else { return nil }
        var values: [Substring] = []
        for (pair, name) in zip(pairs, names) {
            guard pair.hasPrefix(name + "=") else { return nil }
            values.append(pair.dropFirst(name.count + 1))
        }
        return values
    }

    /// A salt that is used as it is written.
    func textSalt() -> [UInt8]? {
        HashText.saltBytes.contains(utf8.count) ? Array(utf8) : nil
    }

    /// The ways in which bytes are written.
    enum Spelling {
        /// Base64 of RFC 4648 with padding.
        case base64
        /// The same without padding.
        case unpaddedBase64
        /// passlib's: without padding, and a full stop in place of the plus sign.
        case adaptedBase64
        /// Small letters.
        case hex
    }

    /// The bytes that this spells, as many as are allowed; `nil` when it is not their one spelling.
    func bytes(_ spelling: Spelling, count: ClosedRange<Int>) -> [UInt8]? {
        let bytes: [UInt8]?
        switch spelling {
        case .base64: bytes = paddedBase64Bytes()
        case .unpaddedBase64: bytes = unpaddedBase64Bytes()
        case .adaptedBase64: bytes = contains("+") ? nil : replacing(".", with: "+").unpaddedBase64Bytes()
        case .hex: bytes = hexBytes()
        }
        guard let bytes, count.contains(bytes.count) else { return nil }
        return bytes
    }

    private func paddedBase64Bytes() -> [UInt8]? {
        // Foundation forgives spare bits that are not zero: what it would have written itself is the one spelling.
        guard let data = Data(base64Encoded: String(self)), data.base64EncodedString() == self else { return nil }
        return Array(data)
    }

    private func unpaddedBase64Bytes() -> [UInt8]? {
        guard !contains("=") else { return nil }
        return (self + String(repeating: "=", count: (4 - utf8.count % 4) % 4)).paddedBase64Bytes()
    }

    private func hexBytes() -> [UInt8]? {
        let digits = Array(utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(ofHexDigit: digits[index]), let low = Self.value(ofHexDigit: digits[index + 1]) else { return nil }
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
