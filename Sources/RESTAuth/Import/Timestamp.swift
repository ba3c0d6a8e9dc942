package import Foundation

/// Times as text (RFC 3339), in whole microseconds, the precision that every backend stores.
package enum Timestamp {
    /// Parses `2026-01-02T03:04:05Z`; also with a blank in place of the T, a fraction of a second,
    /// and another zone than UTC, or none, which means UTC.
    package static func date(_ text: some Collection<UInt8>) -> Date? {
        var rest = Array(text)[...]
        guard let year = number(&rest, 4), skip(&rest, "-"), let month = number(&rest, 2), skip(&rest, "-"),
            let day = number(&rest, 2),
            skip(&rest, "Tt "), let hour = number(&rest, 2), skip(&rest, ":"), let minute = number(&rest, 2),
            skip(&rest, ":"),
            let second = number(&rest, 2), let days = days(year, month, day), hour < 24, minute < 60, second <= 60,
            let microseconds = fraction(&rest), let offset = offset(&rest), rest.isEmpty
        else { return nil }
        let seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        return Date(timeIntervalSince1970: Double(seconds * 1_000_000 + microseconds) / 1_000_000)
    }

    /// The times from the beginning of year 1 to the end of 9999, which four digits of a year can
    /// express.
    package static let possible =
        Date(timeIntervalSince1970: -62_135_596_800)...Date(timeIntervalSince1970: 253_402_300_799)

    /// Formats a time in UTC, without a fraction when it is zero. A time that four digits of a year
    /// cannot express is replaced by the nearest one that they can.
    package static func text(_ date: Date) -> String {
        let nearest = min(max(date, possible.lowerBound), possible.upperBound)
        let microseconds = Int((nearest.timeIntervalSince1970 * 1_000_000).rounded())
        let (seconds, fraction) = (
            microseconds.floored(1_000_000), microseconds - microseconds.floored(1_000_000) * 1_000_000
        )
        let whole = Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
        guard fraction > 0 else { return whole }
        let digits = String(1_000_000 + fraction).dropFirst()
        return "\(whole.dropLast()).\(digits)Z"
    }

    private static func skip(_ rest: inout ArraySlice<UInt8>, _ any: String) -> Bool {
        guard let next = rest.first, any.utf8.contains(next) else { return false }
        rest.removeFirst()
        return true
    }

    private static func digit(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let next = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) else { return nil }
        rest.removeFirst()
        return Int(next - UInt8(ascii: "0"))
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, _ count: Int) -> Int? {
        var number = 0
        for _ in 0..<count {
            guard let digit = digit(&rest) else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// Parses the fraction of a second as microseconds; further digits are cut off.
    private static func fraction(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard skip(&rest, ".") else { return 0 }
        var (number, unit) = (0, 1_000_000)
        while let digit = digit(&rest) {
            unit /= 10
            number += digit * unit
        }
        return unit == 1_000_000 ? nil : number
    }

    /// Parses the offset of a zone as seconds.
    private static func offset(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let next = rest.first else { return 0 }
        if skip(&rest, "Zz") { return 0 }
        guard skip(&rest, "+-"), let hours = number(&rest, 2) else { return nil }
        _ = skip(&rest, ":")
        guard let minutes = rest.isEmpty ? 0 : number(&rest, 2), hours < 24, minutes < 60 else { return nil }
        return (next == UInt8(ascii: "-") ? -1 : 1) * (hours * 3600 + minutes * 60)
    }

    /// The number of days from 1 January 1970 to a day of the Gregorian calendar; `nil` for a day
    /// that does not exist.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int? {
        guard (1...12).contains(month) else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard (1...lengths[month - 1]).contains(day) else { return nil }
        let before = year - 1
        let leapDays = before.floored(4) - before.floored(100) + before.floored(400)
        return before * 365 + leapDays + lengths[..<(month - 1)].reduce(0, +) + day - 1 - 719_162
    }
}

extension Int {
    /// The quotient, rounded down.
    fileprivate func floored(_ divisor: Int) -> Int {
        self >= 0 ? self / divisor : (self - divisor + 1) / divisor
    }
}
