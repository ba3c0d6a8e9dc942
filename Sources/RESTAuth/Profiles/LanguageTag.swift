/// The syntax of language tags (BCP 47, RFC 5646 section 2.1).
enum LanguageTag {
    /// Longest tag in bytes; the longest that RFC 5646 section 4.4.1 counts on has 35.
    static let maximumBytes = 64

    /// Whether a text is a well-formed tag. The few irregular ones of earlier registries, such as
    /// `i-klingon`, are not.
    static func isWellFormed(_ text: String) -> Bool {
        guard text.utf8.count <= maximumBytes else { return false }
        var subtags = WireText(text).lowercased.bytes.split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false
        ).map(Array.init)[...]
        guard subtags.allSatisfy({ (1...8).contains($0.count) && $0.allSatisfy(isAlphanumeric) }) else { return false }
        if subtags.first == [UInt8(ascii: "x")] { return subtags.count > 1 }
        guard let language = subtags.popFirst(), (2...8).contains(language.count), language.allSatisfy(isLetter) else {
            return false
        }
        if language.count <= 3 { take(&subtags, atMost: 3) { $0.count == 3 && $0.allSatisfy(isLetter) } }
        take(&subtags, atMost: 1) { $0.count == 4 && $0.allSatisfy(isLetter) }
        take(&subtags, atMost: 1) {
            $0.count == 2 && $0.allSatisfy(isLetter) || $0.count == 3 && $0.allSatisfy(isDigit)
        }
        let variants = take(&subtags, atMost: .max) {
            $0.count >= 5 || $0.count == 4 && $0.first.map(isDigit) == true
        }
        return Set(variants).count == variants.count && areExtensions(subtags)
    }

    /// Whether these are extensions, each singleton once, and at the end perhaps a private use.
    private static func areExtensions(_ subtags: ArraySlice<[UInt8]>) -> Bool {
        var (rest, seen) = (subtags, Set<[UInt8]>())
        while let singleton = rest.popFirst() {
            guard singleton.count == 1, seen.insert(singleton).inserted else { return false }
            guard singleton != [UInt8(ascii: "x")] else { return !rest.isEmpty }
            guard !take(&rest, atMost: .max, where: { $0.count >= 2 }).isEmpty else { return false }
        }
        return true
    }

    @discardableResult
    private static func take(
        _ subtags: inout ArraySlice<[UInt8]>, atMost limit: Int, where isTaken: ([UInt8]) -> Bool
    ) -> [[UInt8]] {
        var taken: [[UInt8]] = []
        while taken.count < limit, let next = subtags.first, isTaken(next) {
            taken.append(next)
            subtags.removeFirst()
        }
        return taken
    }

    private static func isLetter(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    private static func isAlphanumeric(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) }
}
