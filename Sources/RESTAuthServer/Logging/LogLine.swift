import Logging

/// One log line as it is written: `time level message name=value ...`, or one JSON object.
///
/// Control characters are escaped in both, so nothing that a client sent can begin a line of its own.
struct LogLine {
    let format: LogSink.Format
    private(set) var buffer: [UInt8]

    init(format: LogSink.Format, buffer: [UInt8]) {
        self.format = format
        self.buffer = buffer
    }

    mutating func begin(time: [UInt8], level: Logger.Level, message: String) {
        switch format {
        case .text:
            buffer.append(contentsOf: time)
            append(" ")
            append(level.rawValue)
            append(" ")
            appendEscaped(message)
        case .json:
            append("{\"time\":\"")
            buffer.append(contentsOf: time)
            append("\"")
            field("level", level.rawValue)
            field("message", message)
        }
    }

    mutating func field(_ name: String, _ value: String) {
        switch format {
        case .text:
            append(" ")
            append(name)
            append("=")
            let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
            if !isPlain { append("\"") }
            appendEscaped(value)
            if !isPlain { append("\"") }
        case .json:
            append(",\"")
            append(name)
            append("\":\"")
            appendEscaped(value)
            append("\"")
        }
    }

    mutating func field(_ name: String, _ value: Int) {
        append(format == .text ? " " : ",\"")
        append(name)
        append(format == .text ? "=" : "\":")
        append(String(value))
    }

    mutating func end() {
        append(format == .text ? "\n" : "}\n")
    }

    private mutating func append(_ text: String) {
        buffer.append(contentsOf: text.utf8)
    }

    private mutating func appendEscaped(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                buffer.append(UInt8(ascii: "\\"))
                buffer.append(byte)
            case 0..<0x20, 0x7F:
                let hex = String(byte, radix: 16)
                append("\\u00" + (hex.utf8.count == 1 ? "0" : "") + hex)
            default: buffer.append(byte)
            }
        }
    }
}
