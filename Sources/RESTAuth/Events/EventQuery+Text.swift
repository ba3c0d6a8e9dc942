package import Foundation

extension EventQuery {
    /// Parses a span before `now` with its units, as `90s`, `1d12h` or `7d`, or a day or a time of
    /// RFC 3339, in UTC unless it has an offset. A time that no backend can store becomes the
    /// nearest one that it can.
    /// - Returns: `nil` for any other text, ``timeRule`` says what it must be.
    package static func time(_ text: String, at now: Date) -> Date? {
        let bytes = Array(text.utf8)
        let date: Date? =
            if !WireText(text).isDigits, let seconds = NumberUnit.seconds.number(text) {
                now.addingTimeInterval(-Double(seconds))
            } else {
                Timestamp.date(bytes) ?? Timestamp.date(bytes + Array("T00:00:00Z".utf8))
            }
        return date.map { min(max($0, Timestamp.possible.lowerBound), Timestamp.possible.upperBound) }
    }

    /// The texts that ``time(_:at:)`` parses, in words.
    package static let timeRule = "must be like 7d, 1d12h, 2026-11-28 or 2026-11-28T10:18:26Z"
}
