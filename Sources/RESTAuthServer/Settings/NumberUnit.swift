/// What a number counts where it stands without a unit, and the units that it may be written with:
/// `1h30m`, `500ms`, `64KiB`.
package struct NumberUnit: Sendable {
    /// What a bare number counts, in the plural.
    package let name: String
    /// Those that are at least as large as this one, the largest first, with how many of this one
    /// each has.
    private let units: [(symbol: String, count: Int)]
    /// Those that are smaller, with how many of each this one has.
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

    /// The symbols that a value of this unit is written with.
    var symbols: [String] { units.map(\.symbol) }

    /// A bare number, or numbers with units, each unit smaller than the one before and without
    /// anything between.
    /// - Returns: how many of this unit that is; `nil` for another text, and for what is no whole
    ///   number of them.
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

    /// How many of the smallest unit.
    private func size(of symbol: Substring.UTF8View, _ smallest: Int) -> Int? {
        if let unit = units.first(where: { symbol.elementsEqual($0.symbol.utf8) }) { return unit.count * smallest }
        return parts.first { symbol.elementsEqual($0.symbol.utf8) }.map { smallest / $0.count }
    }

    /// The number as ``number(_:)`` reads it, with as few units as can be.
    package func text(_ number: Int) -> String {
        var (text, rest) = ("", number)
        for unit in units where rest >= unit.count {
            text += "\(rest / unit.count)\(unit.symbol)"
            rest %= unit.count
        }
        return text.isEmpty ? "\(number)\(units.last?.symbol ?? "")" : text
    }
}
