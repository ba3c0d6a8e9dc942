import PasswordHashing

/// A code that stands in once for a lost factor: 50 random bits, shown only when it is made.
package struct RecoveryCode: Sendable {
    /// Number of codes that a user gets.
    package static let count = 10
    /// Length in characters of five bits each.
    static let length = 10

    /// Crockford's base32, without I, L, O and U.
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    /// Longest text that is read, in bytes: a code with blanks and hyphens.
    private static let longestText = 64

    /// The characters of the code, all of them from the alphabet.
    let characters: [UInt8]

    /// Makes a new random code.
    package init() { characters = Random.bytes(Self.length).map { Self.alphabet[Int($0 & 0x1F)] } }

    /// Reads a code as people type it: in either case, with I or L for 1 and O for 0, and with
    /// hyphens and blanks anywhere, including those that word processors put in their place.
    /// - Returns: `nil` if there is any other character, or not ``length`` characters that count.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longestText else { return nil }
        var characters: [UInt8] = []
        for scalar in text.unicodeScalars where !scalar.properties.isDash && !scalar.properties.isWhitespace {
            guard let character = Self.character(scalar) else { return nil }
            characters.append(character)
        }
        guard characters.count == Self.length else { return nil }
        self.characters = characters
    }

    private static func character(_ scalar: Unicode.Scalar) -> UInt8? {
        guard scalar.isASCII else { return nil }
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        let capital = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? byte & 0xDF : byte
        switch capital {
        case UInt8(ascii: "I"), UInt8(ascii: "L"): return UInt8(ascii: "1")
        case UInt8(ascii: "O"): return UInt8(ascii: "0")
        default: return alphabet.contains(capital) ? capital : nil
        }
    }

    /// The code for its owner: two groups of five characters.
    package var value: String {
        let groups = [characters.prefix(Self.length / 2), characters.dropFirst(Self.length / 2)]
        return groups.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
    }

    /// Makes ``count`` different codes.
    package static func newSet() -> [RecoveryCode] {
        var codes: [[UInt8]: RecoveryCode] = [:]
        while codes.count < count {
            let code = RecoveryCode()
            codes[code.characters] = code
        }
        return Array(codes.values)
    }
}

extension RecoveryCode: Redacted {}
