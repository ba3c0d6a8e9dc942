import Foundation

/// Parsers of values as other programs and their databases write them.
enum ForeignValue {
    /// Parses a time: in the forms of `Timestamp`, without seconds, a day alone, or the seconds or
    /// milliseconds since 1970. Without a zone it is UTC.
    /// - Returns: `nil` for values that mean no time: an empty text, `NULL`, zero, and the zero
    ///   dates of databases.
    /// - Throws: ``UnreadableUser`` for anything else.
    static func time(_ text: WireText, _ field: UserFields.Name) throws(UnreadableUser) -> Date? {
        let trimmed = text.trimmed
        let text = (trimmed.before(end: "UTC") ?? trimmed.before(end: "GMT"))?.trimmed ?? trimmed
        guard !isAbsent(text), !zeroDays.contains(where: text.begins(with:)) else { return nil }
        for end in ["", ":00", " 00:00:00"] {
            if let date = Timestamp.date(Array(text.bytes) + Array(end.utf8)) { return date }
        }
        let (whole, fraction) = (text.before("."), WireText(Substring(text.from(".").bytes.dropFirst())))
        guard whole.isDigits, fraction.isDigits || text == whole, let number = Double(text.string) else {
            throw .wrong(field)
        }
        guard let date = try time(number, field) else { return nil }
        return date
    }

    /// The zero dates of MySQL, and of Go and .NET.
    private static let zeroDays: [StaticString] = ["0000-00-00", "0001-01-01"]

    /// Seconds since 1970, or milliseconds when the number is too large for seconds. A number of
    /// eight digits is refused, because it could be a date.
    static func time(_ number: Double, _ field: UserFields.Name) throws(UnreadableUser) -> Date? {
        switch number {
        case 0: nil
        case 1e8..<1e11: Date(timeIntervalSince1970: number)
        case 1e11..<1e14: Date(timeIntervalSince1970: (number / 1000))
        default: throw .wrong(field)
        }
    }

    /// - Returns: `nil` for an empty text and `NULL`.
    static func isTrue(_ text: WireText, _ field: UserFields.Name) throws(UnreadableUser) -> Bool? {
        let text = text.trimmed
        guard !isAbsent(text) else { return nil }
        guard let (_, isTrue) = truths.first(where: { text.isWord($0.0) }) else { throw .wrong(field) }
        return isTrue
    }

    private static let truths: [(StaticString, Bool)] = [
        ("true", true), ("t", true), ("yes", true), ("y", true), ("on", true), ("1", true),
        ("false", false), ("f", false), ("no", false), ("n", false), ("off", false), ("0", false),
    ]

    /// - Returns: `nil` for an empty text and `NULL`.
    static func id(_ text: WireText, _ field: UserFields.Name) throws(UnreadableUser) -> Int64? {
        let text = text.trimmed
        guard !isAbsent(text) else { return nil }
        guard let id = Int64(text.string) else { throw .wrong(field) }
        return id
    }

    /// Whether a text means no value: empty, `NULL`, or `\N`, as MySQL and PostgreSQL write it.
    static func isAbsent(_ text: WireText) -> Bool {
        text.isEmpty || text.equals("\\N") || text.isWord("null")
    }
}

// MARK: - JSON

extension ForeignValue {
    static func time(_ value: JSON?, _ field: UserFields.Name) throws(UnreadableUser) -> Date? {
        switch value {
        case nil, .null: nil
        case .string(let text): try time(WireText(text), field)
        case .integer(let number): try time(Double(number), field)
        case .number(let number): try time(number, field)
        // MongoDB's extended JSON, in either form.
        case .object:
            if let inner = value?["$date"] ?? value?["$numberLong"] {
                try time(inner, field)
            } else {
                throw .wrong(field)
            }
        default: throw .wrong(field)
        }
    }

    static func isTrue(_ value: JSON?, _ field: UserFields.Name) throws(UnreadableUser) -> Bool? {
        switch value {
        case nil, .null: nil
        case .bool(let isTrue): isTrue
        case .string(let text): try isTrue(WireText(text), field)
        case .integer(let number): try isTrue(WireText(String(number)), field)
        default: throw .wrong(field)
        }
    }

    static func id(_ value: JSON?, _ field: UserFields.Name) throws(UnreadableUser) -> Int64? {
        switch value {
        case nil, .null: nil
        case .integer(let number): Int64(number)
        case .string(let text): try id(WireText(text), field)
        default: throw .wrong(field)
        }
    }
}
