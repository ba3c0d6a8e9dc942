import Foundation

/// Users as comma-separated values (RFC 4180), under a header line with `username` and
/// `password_hash`, and if wanted `id`, `created_at` and `disabled`.
///
/// Read as strictly as a quoted field demands: where a record ends is decided by its quotes alone,
/// so nobody's name can end a line and begin a user.
public actor CommaSeparatedUsers: UserSource {
    private static let allowed: [UserFields.Name] = [.username, .passwordHash, .id, .createdAt, .disabled]

    private let records: RecordReader
    private let columns: [UserFields.Name]

    /// - Parameter path: of the file; `-` is standard input.
    /// - Throws: `misconfigured` when it cannot be read, or its first line is no header.
    public init(reading path: String) throws(AuthError) {
        records = RecordReader(try LineReader(path: path))
        columns = try Self.columns(records.next(), path)
    }

    private static func columns(_ header: RecordReader.Record?, _ path: String) throws(AuthError) -> [UserFields.Name] {
        let allowed = allowed.map(\.rawValue).joined(separator: ", ")
        let columns = header?.fields.map { UserFields.Name(rawValue: WireText($0).trimmed.string) } ?? []
        let known = columns.compactMap { $0 }.filter(Self.allowed.contains)
        guard header?.fault == nil, known.contains(.username), known.contains(.passwordHash),
            known.count == columns.count,
            Set(known).count == known.count
        else {
            throw AuthError(
                .misconfigured,
                "the first line of \(path) must name the columns: username and password_hash, each once, and no others than \(allowed)"
            )
        }
        return known
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
        if let fault = record.fault { return .unreadable(place, reason: fault) }
        guard record.fields.count == columns.count else {
            return .unreadable(
                place,
                reason:
                    "there are \(record.fields.count) fields, and \(columns.count) in the header; one with a comma stands in quotes"
            )
        }
        var fields = UserFields(place: place)
        do {
            for (column, text) in zip(columns, record.fields) { try Self.set(column, to: text, in: &fields) }
            return .user(try fields.user())
        } catch {
            return .unreadable(place, reason: error.reason)
        }
    }

    private static func set(_ column: UserFields.Name, to text: String, in fields: inout UserFields)
        throws(UnreadableUser)
    {
        switch column {
        case .username: fields.username = text
        case .passwordHash: fields.passwordHash = text
        case _ where text.isEmpty: return
        case .id:
            guard let id = Int64(text) else { throw .wrong(column) }
            fields.id = id
        case .createdAt: fields.createdAt = try UserFields.time(text.utf8, column)
        case .disabled: fields.isDisabled = try isTrue(text)
        case .legacyID, .disabledAt, .roles: throw .unknown(column.rawValue)
        }
    }

    private static func isTrue(_ text: String) throws(UnreadableUser) -> Bool {
        let words: [(StaticString, Bool)] = [
            ("true", true), ("t", true), ("yes", true), ("1", true),
            ("false", false), ("f", false), ("no", false), ("0", false),
        ]
        guard let (_, isTrue) = words.first(where: { WireText(text).isWord($0.0) }) else { throw .wrong(.disabled) }
        return isTrue
    }
}

/// Takes lines together into records, and those apart into fields.
final class RecordReader {
    struct Record {
        /// On which it begins.
        let line: Int
        var fields: [String] = []
        /// Why it cannot be read.
        var fault: String?

        var isEmpty: Bool { fault == nil && fields.map(\.utf8.count) == [0] }
    }

    private enum State {
        case beginning, plain, quoted, quoteInQuoted
    }

    let lines: LineReader

    init(_ lines: LineReader) { self.lines = lines }

    /// The next record; `nil` at the end.
    /// - Throws: `misconfigured` when nothing can be read any further.
    func next() throws(AuthError) -> Record? {
        guard var line = try lines.next() else { return nil }
        var record = Record(line: line.number)
        var state = State.beginning
        var field: [UInt8] = []
        var size = 0
        while true {
            // Where the record ends cannot be told then, and to guess would let somebody's name
            // begin a user.
            guard !line.isTooLong else {
                throw AuthError(
                    .misconfigured,
                    "line \(line.number) is longer than \(LineReader.longestLine) bytes; nothing after it was read")
            }
            size += line.bytes.count
            for byte in Self.withoutMarks(line, state) { step(byte, &state, &field, &record) }
            guard state == .quoted else { break }
            // The line's end belongs to the field.
            field.append(0x0A)
            if size > LineReader.longestLine {
                record.fault = "the record is longer than \(LineReader.longestLine) bytes"
                field.removeAll()
            }
            guard let more = try lines.next() else {
                record.fault = "a quote is opened that is never closed; nothing after it was read"
                break
            }
            line = more
        }
        finish(field, &record)
        return record
    }

    /// Without a byte order mark before all lines, and without the carriage return at the end of
    /// one.
    private static func withoutMarks(_ line: LineReader.Line, _ state: State) -> ArraySlice<UInt8> {
        var bytes = line.bytes
        if line.number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        return bytes.last == 0x0D ? bytes.dropLast() : bytes
    }

    private func step(_ byte: UInt8, _ state: inout State, _ field: inout [UInt8], _ record: inout Record) {
        switch (state, byte) {
        case (.beginning, UInt8(ascii: "\"")): state = .quoted
        case (.beginning, UInt8(ascii: ",")), (.plain, UInt8(ascii: ",")), (.quoteInQuoted, UInt8(ascii: ",")):
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
            record.fault = "the record is not UTF-8"
            return
        }
        record.fields.append(text)
    }
}
