/// Encoding of a text from another program: UTF-8, or UTF-16 as Windows writes it.
package enum TextEncoding: Sendable {
    case utf8
    case utf16LittleEndian
    case utf16BigEndian

    /// The byte order mark of the encoding (the Unicode Standard, section 23.8).
    package var mark: [UInt8] {
        switch self {
        case .utf8: [0xEF, 0xBB, 0xBF]
        case .utf16LittleEndian: [0xFF, 0xFE]
        case .utf16BigEndian: [0xFE, 0xFF]
        }
    }

    /// Finds the encoding whose mark `bytes` begin with; `nil` without a mark.
    package init?(markOf bytes: some Collection<UInt8>) {
        let encodings: [TextEncoding] = [.utf8, .utf16LittleEndian, .utf16BigEndian]
        guard let encoding = encodings.first(where: { bytes.starts(with: $0.mark) }) else { return nil }
        self = encoding
    }

    /// Finds the UTF-16 encoding in which the first character of `bytes` is ASCII: then one of its
    /// two bytes is zero (RFC 4627 section 3). `nil` for any other text.
    package init?(ofASCII bytes: some Collection<UInt8>) {
        switch bytes.prefix(2).map({ $0 == 0 }) {
        case [false, true]: self = .utf16LittleEndian
        case [true, false]: self = .utf16BigEndian
        default: return nil
        }
    }
}

/// Converts a text to UTF-8, a piece at a time.
///
/// UTF-8 is passed on unchanged, even when it is invalid; in UTF-16 each invalid unit becomes a
/// byte that UTF-8 never has. So checking the output checks the input.
package struct TextDecoder: Sendable {
    private let encoding: TextEncoding
    /// Bytes that are not a whole character yet.
    private var rest: [UInt8] = []
    private static let invalid: UInt8 = 0xFF

    package init(_ encoding: TextEncoding) { self.encoding = encoding }

    /// Converts the next bytes.
    /// - Parameters:
    ///   - bytes: the bytes that follow those of the call before, without the mark.
    ///   - isLast: whether the text ends with these bytes.
    package mutating func decode(_ bytes: some Collection<UInt8>, isLast: Bool = false) -> [UInt8] {
        guard encoding != .utf8 else { return Array(bytes) }
        rest += bytes
        var output: [UInt8] = []
        output.reserveCapacity(rest.count)
        var index = 0
        while let unit = unit(at: index) {
            if UTF16.isLeadSurrogate(unit) {
                guard let trail = self.unit(at: index + 2) else { break }
                guard UTF16.isTrailSurrogate(trail) else {
                    output.append(Self.invalid)
                    index += 2
                    continue
                }
                let value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00)
                if let scalar = Unicode.Scalar(value) { output += Array(String(scalar).utf8) }
                index += 4
            } else {
                output += Unicode.Scalar(unit).map { Array(String($0).utf8) } ?? [Self.invalid]
                index += 2
            }
        }
        rest.removeFirst(index)
        if isLast, !rest.isEmpty { output.append(Self.invalid) }
        return output
    }

    private func unit(at index: Int) -> UInt16? {
        guard index + 1 < rest.count else { return nil }
        let (first, second) = (UInt16(rest[index]), UInt16(rest[index + 1]))
        return encoding == .utf16LittleEndian ? second << 8 | first : first << 8 | second
    }
}
