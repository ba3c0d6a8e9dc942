import Logging

/// One log line: `time level message name=value ...`, or one JSON object.
///
/// Control characters are escaped in both formats, so that nothing from a client can begin another
/// line.
struct LogLine {
    let format: LogSink.Format
    fileprivate(set) var buffer: [UInt8]

    init(format: LogSink.Format, buffer: [UInt8]) {
        self.format = format
        self.buffer = buffer
    }

    mutating func begin(_ clock: inout LogClock, level: Logger.Level, message: String) {
        if format == .json { append("{\"time\":\"") }
        clock.append(to: &buffer)
        switch format {
        case .text:
            append(" ")
            append(level.rawValue)
            append(" ")
            appendEscaped(message)
        case .json:
            append("\"")
            field("level", level.rawValue)
            field("message", message)
        }
    }

    mutating func field(_ name: String, _ value: String) {
        begin(name)
        let isQuoted = format == .json || value.isEmpty || value.utf8.contains(where: Self.needsQuotes)
        if isQuoted { append("\"") }
        appendEscaped(value)
        if isQuoted { append("\"") }
    }

    /// Appends a field whose value has only ASCII letters and digits.
    mutating func field(_ name: String, ascii value: some Sequence<UInt8>) {
        begin(name)
        if format == .json { append("\"") }
        buffer.append(contentsOf: value)
        if format == .json { append("\"") }
    }

    mutating func field(_ name: String, _ value: Int) {
        begin(name)
        append(value.description)
    }

    mutating func end() {
        append(format == .text ? "\n" : "}\n")
    }

    private mutating func begin(_ name: String) {
        append(format == .text ? " " : ",\"")
        append(name)
        append(format == .text ? "=" : "\":")
    }

    private mutating func append(_ text: String) {
        buffer.append(contentsOf: text.utf8)
    }

    private static func needsQuotes(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
    }

    private mutating func appendEscaped(_ text: String) {
        guard text.utf8.contains(where: { $0 >= 0x80 || $0 != 0x20 && Self.needsQuotes($0) }) else {
            return append(text)
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                append("\\" + String(scalar))
            case _ where Self.steersTerminals(scalar):
                let hex = String(scalar.value, radix: 16)
                append("\\u" + String(repeating: "0", count: max(0, 4 - hex.utf8.count)) + hex)
            default: append(String(scalar))
            }
        }
    }

    /// Whether a terminal interprets the character: control characters, direction marks, and line
    /// separators. None of them is beyond U+FFFF.
    private static func steersTerminals(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value <= 0xFFFF else { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }
}
