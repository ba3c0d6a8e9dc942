extension ProgramToken {
    /// Length of a token in bytes: seven of the prefix, then 36.
    package static let length = 43

    /// Whether a text has the outline of a token, whatever its checksum: the prefix of one of the
    /// two kinds, and 36 letters and digits of ASCII.
    package static func hasOutline(_ text: some Collection<UInt8>) -> Bool {
        // Nearly every token that is asked about is another: the first byte tells.
        guard text.first == UInt8(ascii: "r"), text.count == length else { return false }
        let prefix = text.prefix(prefixLength)
        return (prefix.elementsEqual("ra_pat_".utf8) || prefix.elementsEqual("ra_svc_".utf8))
            && text.dropFirst(prefixLength).allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"):
                    true
                default: false
                }
            }
    }

    /// Whether a text begins as a token does, once the case of its letters is ignored, as in names
    /// of users. A token that was mistyped, or cut short, is not to be taken for a name: names are
    /// stored with the wrong passwords that are counted.
    package static func hasPrefixInAnyCase(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first, first | 0x20 == UInt8(ascii: "r") else { return false }
        func fold(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        let prefix = text.prefix(prefixLength)
        return prefix.elementsEqual("ra_pat_".utf8) { fold($0) == $1 }
            || prefix.elementsEqual("ra_svc_".utf8) { fold($0) == $1 }
    }

    private static let prefixLength = 7
}
