import Foundation
import RESTAuth

/// A list of passwords in a file, one a line: in clear text, or as SHA-1 digests followed by a
/// count, `SHA1HEX:COUNT`.
struct PasswordList {
    enum Form {
        case words, digests
    }

    let path: String
    private let form: Form
    private let minimumCount: Int?

    /// The number of lines that are read to find out the form.
    private static let sample = 100
    /// Longest line in bytes, longer than any password. A file with longer lines is not a list.
    private static let longestLine = 4096

    /// - Parameters:
    ///   - form: `nil` to detect it.
    ///   - minimumCount: digests with a smaller count are left out.
    /// - Throws: `validation_failed` for a file that cannot be read or is neither kind of list.
    init(path: String, form: Form?, minimumCount: Int?) throws {
        do {
            // It must be a regular file, because it is read twice.
            _ = try RegularFile(path)
        } catch {
            throw AuthError(.validationFailed, "\(path) cannot be read: \(error.reason)")
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
        try forEachLine(of: path, limit: sample) { line, _ in
            lines += 1
            if Digest(line) != nil { digests += 1 }
            if isNTLM(line) {
                throw AuthError(.validationFailed, "\(path) has NTLM hashes; take the list of SHA-1 digests")
            }
        }
        guard digests == 0 || digests == lines else {
            throw AuthError(
                .validationFailed,
                """
                \(path) begins with SHA-1 digests and other lines mixed; say --hashes to have the line named that is \
                none
                """
            )
        }
        return digests > 0 ? .digests : .words
    }

    private static func isNTLM(_ line: ArraySlice<UInt8>) -> Bool {
        let (digits, count) = (line.prefix(32), line.dropFirst(32))
        return digits.allSatisfy { Digest.value(of: $0) != nil } && count.count > 1 && count.first == UInt8(ascii: ":")
            && count.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// - Parameters:
    ///   - limit: the number of lines to read.
    ///   - progress: called now and then with the bytes read and the size in bytes.
    ///   - body: called with each line that is not empty, without its end, and its number.
    private static func forEachLine(
        of path: String, limit: Int = .max, progress: (Int, Int) -> Void = { _, _ in },
        _ body: (ArraySlice<UInt8>, Int) throws -> Void
    ) throws {
        // LineReader takes "-" for standard input; here it is the name of a file.
        let lines = try LineReader(path: path == "-" ? "./-" : path, longestLine: longestLine)
        var shown = 0
        while let line = try lines.next(), line.number <= limit {
            guard !line.isTooLong else {
                throw AuthError(
                    .validationFailed, "\(path): line \(line.number) is too long for a password; a list has one a line")
            }
            let text = line.bytes.last == UInt8(ascii: "\r") ? line.bytes.dropLast() : line.bytes
            if !text.isEmpty { try body(text, line.number) }
            if lines.done - shown >= 1 << 20 {
                shown = lines.done
                progress(shown, lines.total)
            }
        }
        progress(lines.done, lines.total)
    }

    /// Reads the list from beginning to end.
    /// - Parameters:
    ///   - progress: called now and then with the bytes read and the size in bytes.
    ///   - body: called for each password with a function that makes its key; counting does not
    ///     need the keys.
    /// - Throws: `validation_failed`, with the number of the line that cannot be read.
    func read(progress: (Int, Int) -> Void, _ body: (() -> PasswordFilter.Key) -> Void) throws {
        try Self.forEachLine(of: path, progress: progress) { line, number in
            switch form {
            case .words:
                guard String(validating: line, as: UTF8.self) != nil, !line.contains(0) else {
                    throw wrong(
                        number,
                        """
                        is not UTF-8; a list that is compressed has to be unpacked first, one in another encoding \
                        converted
                        """
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
    /// The first 16 of the digest's 20 bytes; a filter uses no more.
    private var bytes: (UInt64, UInt64) = (0, 0)
    let count: Int?

    init?(_ line: ArraySlice<UInt8>) {
        guard let digest = line.withUnsafeBytes(Digest.init) else { return nil }
        self = digest
    }

    private init?(_ line: UnsafeRawBufferPointer) {
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
