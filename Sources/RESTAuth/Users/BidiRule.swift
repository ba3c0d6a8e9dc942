/// The directionality rule of RFC 5893 section 2, required by RFC 8265 section 3.3.2: a name with
/// right-to-left characters is displayed in one order only, so that no two names look the same.
///
/// The standard library has no Bidi_Class; the blocks of right-to-left scripts and the general
/// category stand in for it. Where they differ from the table of Unicode, this rule is the stricter
/// one.
enum BidiRule {
    static func allows(_ name: [Unicode.Scalar]) -> Bool {
        let directions = name.map(Direction.init)
        guard directions.contains(where: { $0 == .rightToLeft || $0 == .arabicNumber }) else { return true }
        let isOneWay = directions.first == .rightToLeft && !directions.contains(.leftToRight)
        let isOneKindOfNumber = !(directions.contains(.europeanNumber) && directions.contains(.arabicNumber))
        let last = directions.last { $0 != .mark }
        return isOneWay && isOneKindOfNumber && last != .neutral
    }

    private enum Direction {
        case leftToRight, rightToLeft, arabicNumber, europeanNumber, mark, neutral

        init(_ scalar: Unicode.Scalar) {
            let category = scalar.properties.generalCategory
            let isRightToLeftBlock =
                (0x0590...0x08FF).contains(scalar.value) || (0xFB1D...0xFDFF).contains(scalar.value)
                || (0xFE70...0xFEFF).contains(scalar.value) || (0x10800...0x10FFF).contains(scalar.value)
                || (0x1E800...0x1EFFF).contains(scalar.value)
            self =
                switch category {
                case .nonspacingMark: .mark
                case .decimalNumber where (0x06F0...0x06F9).contains(scalar.value): .europeanNumber
                case .decimalNumber where isRightToLeftBlock: .arabicNumber
                case .decimalNumber where scalar.isASCII: .europeanNumber
                // Sindhi signs, of the class AL like the letters.
                case .otherSymbol where scalar.value == 0x06FD || scalar.value == 0x06FE: .rightToLeft
                case .uppercaseLetter, .lowercaseLetter, .modifierLetter, .otherLetter, .spacingMark, .decimalNumber:
                    isRightToLeftBlock ? .rightToLeft : .leftToRight
                default: .neutral
                }
        }
    }
}
