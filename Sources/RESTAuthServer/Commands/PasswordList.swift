import Foundation
import RESTAuth

/// A list of passwords in a file, one a line: as they are, or as SHA-1 digests with a count behind,
/// `SHA1HEX:COUNT`.
struct PasswordList {
    enum Form {
        case words, digests
    }

    let path: String
    private let form: Form
    private let minimumCount: Int?

    /// How many lines tell the form.
    private static let sample = 100
    /// Longer than any password, in bytes. What has such lines is no list.
    private static let longestLine = 4096

    /// - Parameters:
    ///   - form: `nil` to find out.
    ///   - minimumCount: the least count behind a digest that is taken.
    /// - Throws: `validation_failed` for a file that cannot be read or is neither kind of list.
    init(path: String, form: Form?, minimumCount: Int?) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw AuthError(.validationFailed, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw AuthError(.validationFailed, "\(path) is not a file; the list is read twice, so it has to be one")
        }
        self.path = path
        self.form = try form ?? Self.form(of: path)
        self.minimumCount = minimumCount
        guard minimumCount == nil || self.form == .digests else {
            throw AuthError(.validationFailed, "\(path) has no counts, so --minimum-count has no meaning for it")
        }
    }

    private static func form(of path: String) throws -> Form {
        var (digests, lines) = (0, 0)
        try LineReader(path: path, longestLine: longestLine).read(lines: sample) { line, _ in
            guard !line.isEmpty else { return }
            lines += 1
            if Digest(line) != nil { digests += 1 }
            if isNTLM(line) {
                throw AuthError(.validationFailed, "\(path) has NTLM hashes; take the list of SHA-1 digests")
            }
        }
        guard digests == 0 || digests == lines else {
            throw AuthError(
                .validationFailed,
                "\(path) begins with SHA-1 digests and other lines mixed; say --hashes to have the line named that is none"
            )
        }
        return digests > 0 ? .digests : .words
    }

    private static func isNTLM(_ line: UnsafeRawBufferPointer) -> Bool {
        line.count > 33 && line[32] == UInt8(ascii: ":") && line.prefix(32).allSatisfy { Digest.value(of: $0) != nil }
            && line.dropFirst(33).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// Reads the list from its beginning to its end.
    /// - Parameters:
    ///   - progress: told the bytes read and all bytes, now and then.
    ///   - body: given a way to make the key of each password, because counting needs none.
    /// - Throws: `validation_failed`, naming the line that cannot be read.
    func read(progress: (Int, Int) -> Void, _ body: (() -> PasswordFilter.Key) -> Void) throws {
        try LineReader(path: path, longestLine: Self.longestLine).read(progress: progress) { line, number in
            guard !line.isEmpty else { return }
            switch form {
            case .words:
                guard String(validating: line, as: UTF8.self) != nil, !line.contains(0) else {
                    throw wrong(
                        number,
                        "is not UTF-8; a list that is compressed has to be unpacked first, one in another encoding converted"
                    )
                }
                body { PasswordFilter.Key(password: line) }
            case .digests:
                guard let digest = Digest(line) else { throw wrong(number, "is not a SHA-1 digest with a count") }
                if let minimumCount {
                    guard let count = digest.count else {
                        throw wrong(number, "has no count to compare with --minimum-count")
                    }
                    guard count >= minimumCount else { return }
                }
                body { digest.key }
            }
        }
    }

    private func wrong(_ line: Int, _ reason: String) -> AuthError {
        AuthError(.validationFailed, "\(path): line \(line) \(reason)")
    }
}

/// `SHA1HEX` or `SHA1HEX:COUNT`.
private struct Digest {
    /// The first 16 of its 20 bytes, which is as much as a filter looks at.
    private var bytes: (UInt64, UInt64) = (0, 0)
    let count: Int?

    init?(_ line: UnsafeRawBufferPointer) {
        guard line.count >= 40 else { return nil }
        for index in 0..<40 {
            guard let value = Self.value(of: line[index]) else { return nil }
            if index < 16 { bytes.0 = bytes.0 << 4 | value } else if index < 32 { bytes.1 = bytes.1 << 4 | value }
        }
        guard line.count > 40 else {
            count = nil
            return
        }
        guard line[40] == UInt8(ascii: ":"), line.count > 41 else { return nil }
        var count = 0
        for byte in line[41...] {
            guard let digit = Self.value(of: byte), digit < 10, count < 1 << 50 else { return nil }
            count = count * 10 + Int(digit)
        }
        self.count = count
    }

    var key: PasswordFilter.Key {
        withUnsafeBytes(of: (bytes.0.bigEndian, bytes.1.bigEndian)) { PasswordFilter.Key(digest: $0) }
    }

    static func value(of digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(digit - UInt8(ascii: "A") + 10)
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(digit - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}

/// The lines of a file that is far larger than memory.
private struct LineReader {
    let path: String
    let longestLine: Int

    private static let chunk = 1 << 20

    private struct Enough: Error {}

    /// - Parameters:
    ///   - limit: how many lines, `nil` for all.
    ///   - progress: told the bytes read and all bytes, after each chunk.
    ///   - body: given each line without its end, and its number.
    func read(
        lines limit: Int? = nil, progress: (Int, Int) -> Void = { _, _ in },
        _ body: (UnsafeRawBufferPointer, Int) throws -> Void
    ) throws {
        do {
            _ = try RegularFile(path)
        } catch {
            throw AuthError(.validationFailed, "\(path) cannot be read: \(error.reason)")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw AuthError(.validationFailed, "\(path) cannot be read")
        }
        defer { try? file.close() }
        let total = Int(try file.seekToEnd())
        try file.seek(toOffset: 0)
        var (done, number) = (0, 0)
        var rest: [UInt8] = []
        func take(_ line: UnsafeRawBufferPointer) throws {
            number += 1
            guard line.count <= longestLine else {
                throw AuthError(
                    .validationFailed, "\(path): line \(number) is too long for a password; a list has one a line")
            }
            try body(Self.trimmed(line, isFirst: number == 1), number)
            if number == limit { throw Enough() }
        }
        do {
            while let data = try file.read(upToCount: Self.chunk), !data.isEmpty {
                done += data.count
                rest += data
                let taken = try rest.withUnsafeBytes { bytes in
                    var start = 0
                    while let length = Self.lineLength(bytes[start...]) {
                        try take(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + length)]))
                        start += length + 1
                    }
                    // Not kept until its end comes: that may be never.
                    if bytes.count - start > longestLine { try take(UnsafeRawBufferPointer(rebasing: bytes[start...])) }
                    return start
                }
                rest.removeFirst(taken)
                progress(done, total)
            }
            if !rest.isEmpty { try rest.withUnsafeBytes { try take($0) } }
        } catch is Enough {}
    }

    /// How many bytes there are before the end of the first line, where it has one.
    private static func lineLength(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let start = UnsafeRawBufferPointer(rebasing: bytes).baseAddress,
            let end = memchr(start, Int32(UInt8(ascii: "\n")), bytes.count)
        else { return nil }
        return UnsafeRawPointer(end) - start
    }

    /// Without a carriage return at its end, and on the first line without a byte order mark.
    private static func trimmed(_ line: UnsafeRawBufferPointer, isFirst: Bool) -> UnsafeRawBufferPointer {
        var line = line[...]
        if isFirst, line.starts(with: [0xEF, 0xBB, 0xBF]) { line = line.dropFirst(3) }
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        return UnsafeRawBufferPointer(rebasing: line)
    }
}
