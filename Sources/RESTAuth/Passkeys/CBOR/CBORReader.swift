/// Reads items of CBOR off the front of bytes.
///
/// Every step takes a byte at least, and what is kept is what was read: a length in the input
/// reserves nothing.
struct CBORReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// - Parameter depth: of the map or array that it is in; 0 for none.
    mutating func item(in depth: Int = 0) -> CBOR? {
        guard let (type, argument) = head() else { return nil }
        switch type {
        case 0: return .unsigned(argument)
        case 1: return .negative(argument)
        case 2: return string(argument).map(CBOR.bytes)
        case 3:
            guard let text = string(argument), String(validating: text, as: UTF8.self) != nil else { return nil }
            return .text(text)
        case 4: return array(argument, depth: depth + 1)
        case 5: return map(argument, depth: depth + 1)
        case 7:
            // With bytes after the head an argument is 24 at least, so it is none of these.
            switch argument {
            case 20: return .bool(false)
            case 21: return .bool(true)
            default: return nil
            }
        default: return nil
        }
    }

    /// The major type and the argument of the next item (RFC 8949 section 3), in its shortest form.
    private mutating func head() -> (type: UInt8, argument: UInt64)? {
        guard let initial = rest.popFirst() else { return nil }
        let type = initial >> 5
        let (width, least): (Int, UInt64)
        switch initial & 0x1F {
        case 0..<24: return (type, UInt64(initial & 0x1F))
        case 24: (width, least) = (1, 24)
        case 25: (width, least) = (2, 1 << 8)
        case 26: (width, least) = (4, 1 << 16)
        case 27: (width, least) = (8, 1 << 32)
        // Reserved, or an indefinite length.
        default: return nil
        }
        guard let argument = rest.take(width)?.bigEndian, argument >= least else { return nil }
        return (type, argument)
    }

    private mutating func string(_ length: UInt64) -> ArraySlice<UInt8>? {
        Int(exactly: length).flatMap { rest.take($0) }
    }

    private mutating func array(_ count: UInt64, depth: Int) -> CBOR? {
        guard depth <= CBOR.maximumDepth, count <= UInt64(rest.count) else { return nil }
        var elements: [CBOR] = []
        for _ in 0..<count {
            guard let element = item(in: depth) else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }

    private mutating func map(_ count: UInt64, depth: Int) -> CBOR? {
        guard depth <= CBOR.maximumDepth, count <= UInt64(rest.count) else { return nil }
        var entries: [CBOR.Entry] = []
        var last: ArraySlice<UInt8>?
        for _ in 0..<count {
            let start = rest
            guard let key = item(in: depth), Self.canBeKey(key) else { return nil }
            let encoded = start.prefix(start.count - rest.count)
            // Of numbers and texts, CTAP2's order is that of the bytes.
            if let last, !last.lexicographicallyPrecedes(encoded) { return nil }
            guard let value = item(in: depth) else { return nil }
            entries.append(CBOR.Entry(key: key, value: value))
            last = encoded
        }
        return .map(entries)
    }

    private static func canBeKey(_ item: CBOR) -> Bool {
        switch item {
        case .unsigned, .negative, .text: true
        case .bytes, .array, .map, .bool: false
        }
    }
}

extension ArraySlice<UInt8> {
    /// Removes that many bytes from the front; `nil` when there are fewer.
    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= self.count else { return nil }
        defer { self = dropFirst(count) }
        return prefix(count)
    }

    /// The number that they are, the most significant first; of more than eight, the last eight.
    var bigEndian: UInt64 { suffix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
