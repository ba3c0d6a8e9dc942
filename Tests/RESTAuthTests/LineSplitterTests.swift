import RESTAuth
import Testing

@Suite struct LineSplitterTests {
    private func lines(_ pieces: [String], longest: Int = 10) -> [String?] {
        var splitter = LineSplitter(longestLine: longest)
        let lines = pieces.flatMap { splitter.take($0.utf8) } + [splitter.end()].compactMap(\.self)
        #expect(lines.map(\.number) == Array(1..<(lines.count + 1)))
        return lines.map { $0.isTooLong ? nil : String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test func aTextIsSplitWhereverItsPiecesEnd() {
        let text = "one\n\ntwo\r\nthree"
        for size in 1...text.utf8.count {
            let bytes = Array(text.utf8)
            let pieces = stride(from: 0, to: bytes.count, by: size).map {
                String(decoding: bytes[$0..<min(bytes.count, $0 + size)], as: UTF8.self)
            }
            #expect(lines(pieces) == ["one", "", "two\r", "three"])
        }
        #expect(lines([]) == [])
        #expect(lines(["", "\n"]) == [""])
        #expect(lines(["a\n"]) == ["a"])
    }

    @Test(arguments: [("", true), (" \t\r", true), (" {", false), ("\u{A0}", false), ("           ", false)])
    func aLineOfBlanksIsBlank(text: String, isBlank: Bool) {
        var splitter = LineSplitter(longestLine: 10)
        #expect(splitter.take("\(text)\n".utf8).map(\.isBlank) == [isBlank])
    }

    @Test func aLineThatIsTooLongIsNotKept() {
        #expect(lines(["0123456789\n01234567890\nx"]) == ["0123456789", nil, "x"])
        #expect(lines(["01234", "56789", "0", "1", "\n", "x\n"]) == [nil, "x"])
        #expect(lines(["01234567890"]) == [nil])
    }
}
