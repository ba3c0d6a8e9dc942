/// Strict base64 (RFC 4648) with one spelling for each value, so that a list keyed by the text
/// cannot be evaded by another spelling.
///
/// Foreign alphabets, wrong or missing padding, blanks and non-zero spare bits are refused.
package struct Base64: Sendable {
    /// The ordinary alphabet with padding, as HTTP Basic uses it.
    package static let padded = Base64(digits: "+/", isPadded: true)
    /// The URL-safe alphabet without padding, as JOSE uses it (RFC 7515 section 2).
    package static let url = Base64(digits: "-_", isPadded: false)

    private let alphabet: [UInt8]
    private let values: [UInt8]
    private let isPadded: Bool
    private static let invalid: UInt8 = 0xFF

    private init(digits lastTwo: String, isPadded: Bool) {
        alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8) + Array(lastTwo.utf8)
        var values = [UInt8](repeating: Self.invalid, count: 256)
        for (value, digit) in alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        self.values = values
        self.isPadded = isPadded
    }

    package func encode(_ bytes: some Collection<UInt8>) -> String {
        bytes.withContiguousStorageIfAvailable(encode(buffer:)) ?? Array(bytes).withUnsafeBufferPointer(encode(buffer:))
    }

    private func encode(buffer bytes: UnsafeBufferPointer<UInt8>) -> String {
        alphabet.withUnsafeBufferPointer { alphabet in
            String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { output in
                var written = 0
                func put(_ group: UInt32, digits: Int) {
                    for digit in 0..<digits {
                        output[written] = alphabet[Int(group >> (18 - 6 * UInt32(digit)) & 0x3F)]
                        written += 1
                    }
                }
                var index = 0
                while index + 3 <= bytes.count {
                    put(
                        UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]),
                        digits: 4)
                    index += 3
                }
                let spare = bytes.count - index
                guard spare > 0 else { return written }
                put(UInt32(bytes[index]) << 16 | (spare == 2 ? UInt32(bytes[index + 1]) << 8 : 0), digits: spare + 1)
                while isPadded, written % 4 != 0 {
                    output[written] = UInt8(ascii: "=")
                    written += 1
                }
                return written
            }
        }
    }

    /// Decodes `text`; `nil` when it is not in canonical form.
    package func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        text.withContiguousStorageIfAvailable(decode(buffer:)) ?? Array(text).withUnsafeBufferPointer(decode(buffer:))
    }

    private func decode(buffer text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var count = text.count
        if isPadded {
            guard count % 4 == 0 else { return nil }
            if count > 0, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
            if count < text.count, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
        }
        let spare = count % 4
        guard spare != 1 else { return nil }
        let length = count / 4 * 3 + max(0, spare - 1)
        var refused = false
        let bytes = values.withUnsafeBufferPointer { values in
            [UInt8](unsafeUninitializedCapacity: length) { output, written in
                var seen: UInt8 = 0
                var accumulator: UInt32 = 0
                func take(_ index: Int) {
                    let value = values[Int(text[index])]
                    seen |= value
                    accumulator = accumulator << 6 | UInt32(value & 0x3F)
                }
                var index = 0
                while index + 4 <= count {
                    take(index)
                    take(index + 1)
                    take(index + 2)
                    take(index + 3)
                    output[written] = UInt8(truncatingIfNeeded: accumulator >> 16)
                    output[written + 1] = UInt8(truncatingIfNeeded: accumulator >> 8)
                    output[written + 2] = UInt8(truncatingIfNeeded: accumulator)
                    written += 3
                    index += 4
                }
                while index < count {
                    take(index)
                    index += 1
                }
                switch spare {
                case 2:
                    output[written] = UInt8(truncatingIfNeeded: accumulator >> 4)
                    refused = accumulator & 0x0F != 0
                    written += 1
                case 3:
                    output[written] = UInt8(truncatingIfNeeded: accumulator >> 10)
                    output[written + 1] = UInt8(truncatingIfNeeded: accumulator >> 2)
                    refused = accumulator & 0x03 != 0
                    written += 2
                default: break
                }
                // The value of a digit is at most 63, so the high bit is set only if some byte was
                // not in the alphabet.
                refused = refused || seen & 0x80 != 0
            }
        }
        return refused ? nil : bytes
    }
}
