/// Six decimal digits, as an authenticator app shows them.
package struct OneTimeCode: Sendable {
    package static let length = 6

    /// The digits in ASCII.
    let digits: [UInt8]

    /// Reads six digits of ASCII; `nil` for anything else, also for six digits with blanks around
    /// or between them.
    package init?(_ text: String) {
        let digits = text.utf8
        guard digits.count == Self.length, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        self.digits = Array(digits)
    }

    /// Makes a code of the last six digits of a number, with leading zeros where it has fewer.
    init(lastDigitsOf number: UInt32) {
        var rest = number
        var digits: [UInt8] = []
        for _ in 0..<Self.length {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        self.digits = digits.reversed()
    }

    package var value: String { String(decoding: digits, as: UTF8.self) }

    /// Compares two codes in a time that does not tell where they differ.
    func isEqual(to other: OneTimeCode) -> Bool { isEqualInConstantTime(digits, other.digits) }
}

extension OneTimeCode: Redacted {}
