/// The unit of a bare number, and the units that a number may be written with: `1h30m`, `500ms`,
/// `64KiB`.
package struct NumberUnit: Sendable {
    /// Name of the unit of a bare number, in the plural.
    package let name: String
    /// The unit and larger ones, the largest first, each with its size in this unit.
    private let units: [(symbol: String, count: Int)]
    /// Smaller units, each with the number of them in this unit.
    private let parts: [(symbol: String, count: Int)]

    package static let seconds = NumberUnit(
        name: "seconds", units: [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)], parts: [("ms", 1000)])
    package static let milliseconds = NumberUnit(
        name: "milliseconds", units: [("d", 86_400_000), ("h", 3_600_000), ("m", 60000), ("s", 1000), ("ms", 1)],
        parts: [])
    package static let bytes = NumberUnit(
        name: "bytes", units: [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)], parts: [])
    package static let kibibytes = NumberUnit(
        name: "KiB", units: [("GiB", 1 << 20), ("MiB", 1 << 10), ("KiB", 1)], parts: [("B", 1024)])

    /// The symbols that a value may be written with, without those of smaller units.
    package var symbols: [String] { units.map(\.symbol) }

    /// Reads a bare number, or numbers with units, each unit smaller than the one before and with
    /// nothing between.
    /// - Returns: the amount in this unit; `nil` for any other text, and for an amount that is not
    ///   a whole number of this unit.
    package func number(_ text: String) -> Int? {
        var rest = text.utf8[...]
        guard !rest.allSatisfy(Self.isDigit) else { return Int(text) }
        var (total, largest) = (0, Int.max)
        let smallest = parts.map(\.count).max() ?? 1
        while !rest.isEmpty {
            let digits = rest.prefix(while: Self.isDigit)
            let symbol = rest[digits.endIndex...].prefix { !Self.isDigit($0) }
            rest = rest[symbol.endIndex...]
            guard let number = Int(Substring(digits)), let size = size(of: symbol, smallest), size < largest
            else { return nil }
            largest = size
            let (amount, isTooLarge) = number.multipliedReportingOverflow(by: size)
            let (sum, isSumTooLarge) = total.addingReportingOverflow(amount)
            guard !isTooLarge, !isSumTooLarge else { return nil }
            total = sum
        }
        return total.isMultiple(of: smallest) ? total / smallest : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// The size of a unit, counted in the smallest unit.
    private func size(of symbol: Substring.UTF8View, _ smallest: Int) -> Int? {
        if let unit = units.first(where: { symbol.elementsEqual($0.symbol.utf8) }) { return unit.count * smallest }
        return parts.first { symbol.elementsEqual($0.symbol.utf8) }.map { smallest / $0.count }
    }

    /// The number in the form that ``number(_:)`` reads, in as few units as possible.
    package func text(_ number: Int) -> String {
        var (text, rest) = ("", number)
        for unit in units where rest >= unit.count {
            text += "\(rest / unit.count)\(unit.symbol)"
            rest %= unit.count
        }
        return text.isEmpty ? "\(number)\(units.last?.symbol ?? "")" : text
    }
}
