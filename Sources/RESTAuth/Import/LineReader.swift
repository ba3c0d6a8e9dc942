import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads lines from a file or standard input, a large piece at a time, decoded from UTF-8 or
/// UTF-16.
package final class LineReader {
    package struct Line {
        /// Number of the line, counted from 1.
        package let number: Int
        /// The line without its end; empty when it is too long.
        package let bytes: ArraySlice<UInt8>
        package let isTooLong: Bool
    }

    /// Default longest line in bytes; no user takes a tenth of it.
    static let longestLine = 1 << 20
    private static let pieceSize = 1 << 20

    private let descriptor: Int32
    private let name: String
    private let longestLine: Int
    /// The size of the file in bytes; 0 for a pipe, and for UTF-16.
    package private(set) var total: Int
    /// The number of bytes that were returned as lines.
    package private(set) var done = 0
    private var number = 0
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    /// Whether the next bytes are the rest of a line that is too long.
    private var isInLongLine = false
    /// `nil` until the first bytes have been read.
    private var decoder: TextDecoder?
    private var isUTF8 = true
    private var unread: Line?

    /// - Parameters:
    ///   - path: path of a file; `-` is standard input.
    ///   - longestLine: longest line in bytes; a longer one is returned without its bytes.
    /// - Throws: `misconfigured` when the file cannot be read.
    package init(path: String, longestLine: Int = LineReader.longestLine) throws(AuthError) {
        self.longestLine = longestLine
        name = path == "-" ? "standard input" : path
        descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(name) }
        // A pipe has no size.
        let place = lseek(descriptor, 0, SEEK_CUR)
        total = place < 0 ? 0 : Int(lseek(descriptor, 0, SEEK_END) - place)
        if place >= 0 { lseek(descriptor, place, SEEK_SET) }
    }

    deinit { close(descriptor) }

    /// The next line; `nil` at the end.
    /// - Throws: `misconfigured` when reading cannot continue.
    package func next() throws(AuthError) -> Line? {
        if let line = unread {
            unread = nil
            return line
        }
        if isInLongLine { try skipLongLine() }
        var searched = start
        while true {
            if let end = indexOfNewline(from: searched) {
                defer { skip(to: end + 1) }
                return line(upTo: end)
            }
            searched = buffer.count
            if buffer.count - start > longestLine {
                isInLongLine = true
                return line(upTo: buffer.count)
            }
            if isAtEnd {
                guard start < buffer.count else { return nil }
                defer { skip(to: buffer.count) }
                return line(upTo: buffer.count)
            }
            searched -= start
            try fill()
        }
    }

    /// Makes ``next()`` return the line again.
    func putBack(_ line: Line) { unread = line }

    /// The next bytes, as many as the longest line may have. They are not consumed: ``next()``
    /// still returns them.
    func beginning() throws(AuthError) -> ArraySlice<UInt8> {
        while !isAtEnd, buffer.count - start <= longestLine { try fill() }
        return buffer[start..<min(buffer.count, start + longestLine)]
    }

    /// All bytes that were not returned as lines.
    /// - Throws: `misconfigured` for more than `limit` bytes.
    func rest(limit: Int) throws(AuthError) -> [UInt8] {
        while !isAtEnd {
            guard buffer.count - start <= limit else {
                throw AuthError(
                    .misconfigured,
                    "\(name) is longer than \(limit) bytes; one object a line may be as many as there are")
            }
            try fill()
        }
        defer { skip(to: buffer.count) }
        return Array(buffer[start...])
    }

    private func line(upTo end: Int) -> Line {
        number += 1
        let isTooLong = end - start > longestLine
        return Line(number: number, bytes: isTooLong ? [] : buffer[start..<end], isTooLong: isTooLong)
    }

    private func skip(to end: Int) {
        done += end - start
        start = end
    }

    private func skipLongLine() throws(AuthError) {
        isInLongLine = false
        while true {
            if let end = indexOfNewline(from: start) { return skip(to: end + 1) }
            skip(to: buffer.count)
            if isAtEnd { return }
            try fill()
        }
    }

    private func indexOfNewline(from first: Int) -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard first < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + first, 0x0A, bytes.count - first)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Moves the unread bytes to the beginning of the buffer, and appends a piece of the file.
    private func fill() throws(AuthError) {
        buffer.removeFirst(start)
        start = 0
        let rest = buffer.count
        // A byte order mark has three bytes at most, and a pipe may deliver them one by one.
        repeat { try readPiece() } while decoder == nil && buffer.count < 3 && !isAtEnd
        if decoder == nil { try begin() }
        decode(from: rest)
    }

    private func readPiece() throws(AuthError) {
        let rest = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.pieceSize))
        var count = -1
        repeat {
            count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + rest, Self.pieceSize) }
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw Self.unreadable(name) }
        buffer.removeLast(Self.pieceSize - count)
        isAtEnd = count == 0
    }

    /// Detects the encoding by the first bytes.
    private func begin() throws(AuthError) {
        if let other = Self.otherFiles.first(where: { buffer.starts(with: $0.beginning) }) {
            throw AuthError(.misconfigured, "\(name) is \(other.advice)")
        }
        let marked = TextEncoding(markOf: buffer)
        if let marked {
            buffer.removeFirst(marked.mark.count)
            done += marked.mark.count
        }
        let encoding = marked ?? TextEncoding(ofASCII: buffer) ?? .utf8
        decoder = TextDecoder(encoding)
        isUTF8 = encoding == .utf8
        if !isUTF8 { total = 0 }
    }

    /// Files that are often given by mistake, by their first bytes.
    private static let otherFiles: [(beginning: [UInt8], advice: String)] = [
        ([0x1F, 0x8B], "compressed: unpack it first, as with gunzip"),
        (Array("PK\u{3}\u{4}".utf8), "a ZIP archive: unpack it; a spreadsheet has to be saved as CSV"),
        (Array("SQLite format 3\0".utf8), "an SQLite database, and no list"),
    ]

    private func decode(from rest: Int) {
        guard !isUTF8, let text = decoder?.decode(buffer[rest...], isLast: isAtEnd) else { return }
        buffer.replaceSubrange(rest..., with: text)
    }

    private static func unreadable(_ name: String) -> AuthError {
        AuthError(.misconfigured, "\(name) cannot be read: \(String(cString: strerror(errno)))")
    }
}
