/// Splits a text that comes in pieces into lines, and keeps no more of it than one line.
package struct LineSplitter {
    package struct Line: Sendable {
        /// Number of the line, counted from 1.
        package let number: Int
        /// The line without its end; empty when it is too long.
        package let bytes: [UInt8]
        package let isTooLong: Bool

        /// Whether there is nothing in it but blanks, tabs and a carriage return.
        package var isBlank: Bool { !isTooLong && bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
    }

    private let longestLine: Int
    private var number = 0
    /// The beginning of a line whose end has not come.
    private var beginning: [UInt8] = []
    private var isTooLong = false

    /// - Parameter longestLine: longest line in bytes; a longer one is returned without its bytes.
    package init(longestLine: Int = LineReader.longestLine) { self.longestLine = longestLine }

    /// The lines that end in this piece.
    package mutating func take(_ piece: some Collection<UInt8>) -> [Line] {
        var lines: [Line] = []
        var rest = piece[...]
        while let end = rest.firstIndex(of: 0x0A) {
            append(rest[..<end])
            lines.append(next())
            rest = rest[rest.index(after: end)...]
        }
        append(rest)
        return lines
    }

    /// The last line, when the text does not end with a newline.
    package mutating func end() -> Line? { beginning.isEmpty && !isTooLong ? nil : next() }

    private mutating func append(_ part: some Collection<UInt8>) {
        guard !isTooLong, beginning.count + part.count <= longestLine else {
            isTooLong = true
            beginning = []
            return
        }
        beginning += part
    }

    private mutating func next() -> Line {
        defer { (beginning, isTooLong) = ([], false) }
        number += 1
        return Line(number: number, bytes: beginning, isTooLong: isTooLong)
    }
}
