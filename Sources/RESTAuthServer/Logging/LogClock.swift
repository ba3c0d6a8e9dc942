import Foundation

/// The time of log lines: RFC 3339 in UTC with milliseconds. The text up to the seconds is made
/// once a second.
struct LogClock {
    private var second = 0
    private var prefix: [UInt8] = []

    /// Appends the present time.
    mutating func append(to buffer: inout [UInt8]) {
        let now = Int(Date.now.timeIntervalSince1970 * 1000)
        if now / 1000 != second {
            second = now / 1000
            prefix = Self.text(of: second)
        }
        buffer.append(contentsOf: prefix)
        let milliseconds = now % 1000
        for digit in [milliseconds / 100, milliseconds / 10 % 10, milliseconds % 10] {
            buffer.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit))
        }
        buffer.append(UInt8(ascii: "Z"))
    }

    private static func text(of second: Int) -> [UInt8] {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S.", &parts)
        return text.prefix(count).map { UInt8(bitPattern: $0) }
    }
}
