/// A data item of CBOR (RFC 8949) in the one form that CTAP2 calls canonical.
///
/// The subset that WebAuthn needs: lengths are definite, every number has its shortest form, the
/// keys of a map are numbers or texts, in order and each once, and nesting ends at
/// ``maximumDepth``. Tags, floating point numbers, `null` and `undefined` are refused, and so is
/// whatever follows. Decoders "SHOULD reject CBOR that is not validly encoded in the CTAP2
/// canonical CBOR encoding form" (WebAuthn Level 3 section 2.4).
package enum CBOR: Sendable, Equatable {
    case unsigned(UInt64)
    /// The number -1 - n.
    case negative(UInt64)
    case bytes(ArraySlice<UInt8>)
    /// UTF-8.
    case text(ArraySlice<UInt8>)
    case array([CBOR])
    case map([Entry])
    case bool(Bool)

    package struct Entry: Sendable, Equatable {
        package let key: CBOR
        package let value: CBOR
    }

    /// Deepest nesting of maps and arrays (CTAP 2.2 section 8).
    package static let maximumDepth = 4

    /// Longest encoding in bytes, as a whole.
    package static let maximumLength = 16_384

    /// Reads one item, and nothing after it.
    package init?(_ bytes: ArraySlice<UInt8>) {
        guard let (item, rest) = Self.first(of: bytes), rest.isEmpty else { return nil }
        self = item
    }

    /// Reads the item that these begin with.
    package static func first(of bytes: ArraySlice<UInt8>) -> (item: CBOR, rest: ArraySlice<UInt8>)? {
        guard bytes.count <= maximumLength else { return nil }
        var reader = CBORReader(bytes)
        guard let item = reader.item() else { return nil }
        return (item, reader.rest)
    }

    // MARK: Looking at it

    /// The value under a number, when this is a map that has it.
    package subscript(label: Int) -> CBOR? {
        self[CBOR(label)]
    }

    /// The value under a text, when this is a map that has it.
    package subscript(name: StaticString) -> CBOR? {
        self[CBOR.text(name.withUTF8Buffer { Array($0)[...] })]
    }

    private subscript(key: CBOR) -> CBOR? {
        guard case .map(let entries) = self else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// Number of entries, when this is a map.
    package var entryCount: Int? {
        if case .map(let entries) = self { entries.count } else { nil }
    }

    package var bytes: ArraySlice<UInt8>? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    package var text: ArraySlice<UInt8>? {
        if case .text(let text) = self { text } else { nil }
    }

    package init(_ number: Int) {
        self = number < 0 ? .negative(UInt64(-1 - number)) : .unsigned(UInt64(number))
    }
}
