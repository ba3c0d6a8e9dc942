import Foundation

/// Users as comma-separated values (RFC 4180), under a header line with `username` and
/// `password_hash`, and if wanted `id`, `created_at` and `disabled`; or with the columns of another
/// system's export, as ``JSONLines`` knows them.
///
/// Semicolons, tabs and bars are accepted in place of commas, as spreadsheets write them; the
/// header decides. The quotes of a record alone decide where it ends, so that a name with a line
/// end in it cannot begin another user.
public actor CommaSeparatedUsers: UserSource {
    private static let allowed: [UserFields.Name] = [.username, .passwordHash, .id, .createdAt, .disabled]

    private enum Columns {
        case own([UserFields.Name])
        case foreign([String], ForeignExport)

        var count: Int {
            switch self {
            case .own(let names): names.count
            case .foreign(let names, _): names.count
            }
        }
    }

    private let records: RecordReader
    private let columns: Columns

    /// - Parameter path: path of the file; `-` is standard input.
    /// - Throws: `misconfigured` when the file cannot be read, or its first line is not a header.
    public init(reading path: String) throws(AuthError) {
        records = RecordReader(try LineReader(path: path))
        try records.findDelimiter()
        columns = try Self.columns(records.next(), path)
    }

    private static func columns(_ header: RecordReader.Record?, _ path: String) throws(AuthError) -> Columns {
        let names = header?.fields.map { WireText($0).trimmed } ?? []
        guard !names.contains(where: { $0.bytes.contains(0x0D) }) else {
            throw AuthError(
                .misconfigured,
                "the lines of \(path) end with a carriage return alone: save it with the line ends of Windows or Unix")
        }
        let foreign = names.map(\.string)
        if header?.fault == nil, Set(foreign).count == foreign.count, let export = ForeignExport(of: Set(names)) {
            return .foreign(foreign, export)
        }
        let allowed = allowed.map(\.rawValue).joined(separator: ", ")
        let columns = names.map { UserFields.Name(rawValue: $0.lowercased.string) }
        let known = columns.compactMap { $0 }.filter(Self.allowed.contains)
        guard header?.fault == nil, known.contains(.username), known.contains(.passwordHash),
            Set(known).count == known.count
        else {
            throw AuthError(
                .misconfigured,
                """
                the first line of \(path) must name the columns: username and password_hash, each once, and no others \
                than \(allowed)
                """)
        }
        guard known.count == columns.count else {
            let unknown = zip(names, columns).filter { $1.map { !Self.allowed.contains($0) } ?? true }
                .map { "\(QuotedText($0.0.string))" }
            throw AuthError(
                .misconfigured,
                """
                the first line of \(path) names \(unknown.joined(separator: ", ")), which could be a misspelt one of \
                \(allowed): leave out of the list what is none of these
                """)
        }
        return .own(known)
    }

    public func next(_ limit: Int) throws -> ImportBatch {
        var entries: [ImportBatch.Entry] = []
        while entries.count < limit, let record = try records.next() {
            if record.isEmpty { continue }
            entries.append(entry(record))
        }
        return ImportBatch(entries: entries, done: records.lines.done, total: records.lines.total)
    }

    private func entry(_ record: RecordReader.Record) -> ImportBatch.Entry {
        let place = ImportPlace.line(record.line)
        let id = id(of: record)
        if let fault = record.fault { return .unreadable(place, id: id, reason: fault) }
        guard record.fields.count == columns.count else {
            return .unreadable(
                place, id: id,
                reason:
                    """
                    there are \(record.fields.count) fields, and \(columns.count) in the header; one with \
                    \(records.mark) stands in quotes
                    """
            )
        }
        do {
            return .user(try user(record, place))
        } catch {
            return .unreadable(place, id: id, reason: error.reason)
        }
    }

    /// The id in a record that is not a user. In a damaged record only the first field is sure to
    /// be in its column, and a record whose quote is never closed contains fields of others.
    private func id(of record: RecordReader.Record) -> User.ID? {
        guard !record.isEndless else { return nil }
        let isWhole = record.fault == nil && record.fields.count == columns.count
        let fields = isWhole ? record.fields : record.fields.first.map { [$0] } ?? []
        switch columns {
        case .own(let names):
            let text = zip(names, fields).first { $0.0 == .id }?.1
            return text.flatMap { try? ForeignValue.id(WireText($0), .id) }
        case .foreign(let names, let export):
            return export.id(of: .object(zip(names, fields).map { JSON.Member(name: $0, value: .string($1)) }))
        }
    }

    private func user(_ record: RecordReader.Record, _ place: ImportPlace) throws(UnreadableUser) -> ForeignUser {
        switch columns {
        case .own(let columns):
            var fields = UserFields(place: place)
            for (column, text) in zip(columns, record.fields) { try Self.set(column, to: text, in: &fields) }
            return try fields.user()
        case .foreign(let names, let export):
            let members = zip(names, record.fields).map { name, text in
                JSON.Member(name: name, value: ForeignValue.isAbsent(WireText(text)) ? .null : .string(text))
            }
            return try export.user(.object(members), place, firebase: nil, now: Date())
        }
    }

    private static func set(_ column: UserFields.Name, to text: String, in fields: inout UserFields)
        throws(UnreadableUser)
    {
        let value = WireText(text)
        switch column {
        case .username: fields.username = text
        case .passwordHash: fields.passwordHash = ForeignValue.isAbsent(value) ? nil : text
        case .id: fields.id = try ForeignValue.id(value, column)
        case .createdAt: fields.createdAt = try ForeignValue.time(value, column)
        case .disabled: fields.isDisabled = try ForeignValue.isTrue(value, column)
        case .legacyID, .disabledAt, .roles, .name, .email, .emailVerified, .emailVerifiedAt, .locale, .zoneinfo,
            .picture, .metadata, .appMetadata:
            throw .unknown(column.rawValue)
        }
    }
}

/// A reader of records: joins lines into records, and splits records into fields.
final class RecordReader {
    struct Record {
        /// The number of the line on which the record begins.
        let line: Int
        var fields: [String] = []
        /// The reason why the record cannot be read.
        var fault: String?
        /// Whether a quote of the record is not closed before the end of the file.
        var isEndless = false

        /// Whether all fields are empty, as in the rows that spreadsheets add at the end.
        var isEmpty: Bool { fault == nil && fields.allSatisfy(\.utf8.isEmpty) }
    }

    private enum State {
        case beginning, plain, quoted, quoteInQuoted
    }

    let lines: LineReader
    /// The byte between two fields.
    private var delimiter = UInt8(ascii: ",")

    init(_ lines: LineReader) { self.lines = lines }

    private static let delimiters: [(byte: UInt8, name: String)] = [
        (UInt8(ascii: ","), "a comma"), (UInt8(ascii: ";"), "a semicolon"), (0x09, "a tab"),
        (UInt8(ascii: "|"), "a bar"),
    ]

    /// The delimiter in words.
    var mark: String { Self.delimiters.first { $0.byte == delimiter }?.name ?? "the mark between two" }

    /// Finds the delimiter by the first line: the one that it names (`sep=;`, as Excel writes), or
    /// the most frequent one outside of quotes.
    func findDelimiter() throws(AuthError) {
        guard let line = try lines.next() else { return }
        let bytes = Self.withoutReturn(line)
        if let said = bytes.last, bytes.dropLast().elementsEqual("sep=".utf8),
            Self.delimiters.contains(where: { $0.byte == said })
        {
            delimiter = said
            return
        }
        lines.putBack(line)
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in bytes {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() } else if !isQuoted { counts[byte, default: 0] += 1 }
        }
        for (candidate, _) in Self.delimiters where counts[candidate, default: 0] > counts[delimiter, default: 0] {
            delimiter = candidate
        }
    }

    /// The next record; `nil` at the end.
    /// - Throws: `misconfigured` when reading cannot continue.
    func next() throws(AuthError) -> Record? {
        guard var line = try lines.next() else { return nil }
        var record = Record(line: line.number)
        var state = State.beginning
        var field: [UInt8] = []
        var size = 0
        while true {
            // The end of the record is unknown then, and a guess could turn part of a name into a
            // user.
            guard !line.isTooLong else {
                throw AuthError(
                    .misconfigured,
                    "line \(line.number) is longer than \(LineReader.longestLine) bytes; nothing after it was read")
            }
            size += line.bytes.count
            for byte in Self.withoutReturn(line) { step(byte, &state, &field, &record) }
            guard state == .quoted else { break }
            // The line feed belongs to the field.
            field.append(0x0A)
            if size > LineReader.longestLine {
                record.fault = "the record is longer than \(LineReader.longestLine) bytes"
                field.removeAll()
            }
            guard let more = try lines.next() else {
                record.fault = "a quote is opened that is never closed; nothing after it was read"
                record.isEndless = true
                break
            }
            line = more
        }
        finish(field, &record)
        return record
    }

    /// The line without the carriage return at its end.
    private static func withoutReturn(_ line: LineReader.Line) -> ArraySlice<UInt8> {
        line.bytes.last == 0x0D ? line.bytes.dropLast() : line.bytes
    }

    private func step(_ byte: UInt8, _ state: inout State, _ field: inout [UInt8], _ record: inout Record) {
        switch (state, byte) {
        case (.beginning, UInt8(ascii: "\"")): state = .quoted
        case (.beginning, delimiter), (.plain, delimiter), (.quoteInQuoted, delimiter):
            finish(field, &record)
            field.removeAll(keepingCapacity: true)
            state = .beginning
        case (.quoted, UInt8(ascii: "\"")): state = .quoteInQuoted
        case (.quoteInQuoted, UInt8(ascii: "\"")):
            field.append(byte)
            state = .quoted
        case (.quoteInQuoted, _), (.plain, UInt8(ascii: "\"")):
            record.fault = "a quote stands where none may"
            state = .plain
        case (.beginning, _), (.plain, _):
            field.append(byte)
            state = .plain
        case (.quoted, _): field.append(byte)
        }
    }

    private func finish(_ field: [UInt8], _ record: inout Record) {
        guard let text = String(validating: field, as: UTF8.self) else {
            record.fault = "the record is not UTF-8: a spreadsheet saves a list as \"CSV UTF-8\""
            return
        }
        record.fields.append(text)
    }
}
