import Foundation
import RESTAuth

/// Standard input of a command that asks for one line.
enum StandardInput {
    /// Longest accepted line in bytes; no password is a tenth as long.
    private static let longestLine = 1 << 14

    /// The first line, without its end; `nil` for empty input.
    ///
    /// Accepts what PowerShell writes: a byte order mark at the beginning, a carriage return at the
    /// end of a line, and UTF-16.
    /// - Throws: `validation_failed` for bytes that are not text, and for a line that is too long.
    static func line() throws(AuthError) -> String? {
        var bytes: [UInt8] = []
        while true {
            let piece = try read()
            bytes += piece
            guard bytes.count <= longestLine else {
                throw AuthError(.validationFailed, "standard input has a line of more than \(longestLine) bytes")
            }
            let isLast = piece.isEmpty
            let text = decode(bytes, isLast: isLast)
            guard let end = text.firstIndex(of: 0x0A) ?? (isLast ? text.endIndex : nil) else { continue }
            if bytes.isEmpty { return nil }
            var line = text[..<end]
            if line.last == 0x0D { line.removeLast() }
            guard let line = String(validating: line, as: UTF8.self) else {
                throw AuthError(
                    .validationFailed,
                    "standard input is not UTF-8; in PowerShell, set $OutputEncoding = [Text.Encoding]::UTF8 before")
            }
            return line
        }
    }

    private static func decode(_ bytes: [UInt8], isLast: Bool) -> [UInt8] {
        if let encoding = TextEncoding(markOf: bytes) {
            var decoder = TextDecoder(encoding)
            return decoder.decode(bytes.dropFirst(encoding.mark.count), isLast: isLast)
        }
        // A line of UTF-8 has no zero byte, and a line of UTF-16 has one at its end at least.
        for encoding in [TextEncoding.utf16LittleEndian, .utf16BigEndian] where bytes.contains(0) {
            var decoder = TextDecoder(encoding)
            let text = decoder.decode(bytes, isLast: isLast)
            if text.contains(0x0A), String(validating: text, as: UTF8.self) != nil { return text }
        }
        return bytes
    }

    private static func read() throws(AuthError) -> [UInt8] {
        var piece = [UInt8](repeating: 0, count: 4096)
        var count = -1
        repeat {
            count = piece.withUnsafeMutableBytes { Foundation.read(STDIN_FILENO, $0.baseAddress, $0.count) }
        } while count < 0 && errno == EINTR
        guard count >= 0 else {
            throw AuthError(.validationFailed, "standard input cannot be read: \(String(cString: strerror(errno)))")
        }
        return Array(piece.prefix(count))
    }
}
