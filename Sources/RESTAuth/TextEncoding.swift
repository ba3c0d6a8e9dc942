/// How a text is encoded that another program wrote: in UTF-8, or in UTF-16, as Windows does.
package enum TextEncoding: Sendable {
    case utf8
    case utf16LittleEndian
    case utf16BigEndian

    /// The byte order mark that says so (the Unicode Standard, section 23.8).
    package var mark: [UInt8] {
        switch self {
        case .utf8: [0xEF, 0xBB, 0xBF]
        case .utf16LittleEndian: [0xFF, 0xFE]
        case .utf16BigEndian: [0xFE, 0xFF]
        }
    }

    /// The encoding whose mark `bytes` begin with; `nil` without a mark.
    package init?(markOf bytes: some Collection<UInt8>) {
        let encodings: [TextEncoding] = [.utf8, .utf16LittleEndian, .utf16BigEndian]
        guard let encoding = encodings.first(where: { bytes.starts(with: $0.mark) }) else { return nil }
        self = encoding
    }

    /// The encoding in which the first character of `bytes` is one of ASCII, where that is UTF-16:
    /// one of its two bytes is zero then (RFC 4627 section 3).
    package init?(ofASCII bytes: some Collection<UInt8>) {
        switch bytes.prefix(2).map({ $0 == 0 }) {
        case [false, true]: self = .utf16LittleEndian
        case [true, false]: self = .utf16BigEndian
        default: return nil
        }
    }
}

/// Turns a text into UTF-8, a piece at a time.
///
/// UTF-8 stays as it is, whatever is wrong with it; of UTF-16, what is no character becomes a byte
/// that no UTF-8 has. So whoever checks what comes out has checked what went in.
package struct TextDecoder: Sendable {
    private let encoding: TextEncoding
    /// What is no whole character yet.
    private var rest: [UInt8] = []
    private static let invalid: UInt8 = 0xFF

    package init(_ encoding: TextEncoding) { self.encoding = encoding }

    /// - Parameters:
    ///   - bytes: what follows those of the call before, without the mark.
    ///   - isLast: whether nothing follows these.
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
