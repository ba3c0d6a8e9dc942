import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The lines of a file or of standard input, read a large piece at a time.
final class LineReader {
    struct Line {
        /// Counted from 1.
        let number: Int
        /// Without its end; none when the line is too long.
        let bytes: ArraySlice<UInt8>
        let isTooLong: Bool
    }

    /// In bytes. No user takes a tenth of that.
    static let longestLine = 1 << 20
    private static let pieceSize = 1 << 20

    private let descriptor: Int32
    private let name: String
    /// Of the file, in bytes; 0 for what is no file.
    let total: Int
    /// How many bytes have been handed out.
    private(set) var done = 0
    private var number = 0
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// - Parameter path: of a file; `-` is standard input.
    /// - Throws: `misconfigured` when it cannot be read.
    init(path: String) throws(AuthError) {
        name = path == "-" ? "standard input" : path
        descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(name) }
        // Of a pipe nobody knows the end.
        let place = lseek(descriptor, 0, SEEK_CUR)
        total = place < 0 ? 0 : Int(lseek(descriptor, 0, SEEK_END) - place)
        if place >= 0 { lseek(descriptor, place, SEEK_SET) }
    }

    deinit { close(descriptor) }

    /// The next line; `nil` at the end.
    /// - Throws: `misconfigured` when the file cannot be read any further.
    func next() throws(AuthError) -> Line? {
        var searched = start
        while true {
            if let end = indexOfNewline(from: searched) {
                defer { skip(to: end + 1) }
                return line(upTo: end)
            }
            searched = buffer.count
            if buffer.count - start > Self.longestLine { return try skipLongLine() }
            if isAtEnd {
                guard start < buffer.count else { return nil }
                defer { skip(to: buffer.count) }
                return line(upTo: buffer.count)
            }
            searched -= start
            try fill()
        }
    }

    private func line(upTo end: Int) -> Line {
        number += 1
        let isTooLong = end - start > Self.longestLine
        return Line(number: number, bytes: isTooLong ? [] : buffer[start..<end], isTooLong: isTooLong)
    }

    private func skip(to end: Int) {
        done += end - start
        start = end
    }

    private func skipLongLine() throws(AuthError) -> Line {
        while true {
            if let end = indexOfNewline(from: start) {
                skip(to: end + 1)
                break
            }
            skip(to: buffer.count)
            if isAtEnd { break }
            try fill()
        }
        number += 1
        return Line(number: number, bytes: [], isTooLong: true)
    }

    private func indexOfNewline(from first: Int) -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard first < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + first, 0x0A, bytes.count - first)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Adds a piece to what has not been handed out; that is then at the beginning.
    private func fill() throws(AuthError) {
        buffer.removeFirst(start)
        start = 0
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

    private static func unreadable(_ name: String) -> AuthError {
        AuthError(.misconfigured, "\(name) cannot be read: \(String(cString: strerror(errno)))")
    }
}
