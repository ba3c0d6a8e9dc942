import Foundation

/// Users as JSON objects: one a line (JSON Lines), or the elements of a list, or of the member
/// `users` of one object, as other systems export them.
///
/// An object has `username` and `password_hash`, and optionally `id`, `legacy_id`, `created_at`,
/// `disabled_at`, `disabled`, `roles` and the members of a ``Profile``, as ``UserExport`` writes
/// them. Exports of Auth0, Cognito, Firebase, GoTrue (Supabase) and Keycloak are recognised by
/// members that only they have.
public actor JSONLines: UserSource {
    private enum Form {
        case lines(LineReader)
        /// A document, with the range of each user in it.
        case document([UInt8], [Range<Int>])
    }

    private let form: Form
    private let firebase: FirebaseParameters?
    /// The number of users of a document that were returned.
    private var number = 0

    /// The longest document, in bytes; does not apply to JSON Lines.
    private static let longestDocument = 1 << 30

    /// - Parameters:
    ///   - path: path of the file; `-` is standard input.
    ///   - firebase: the parameters of the project, for users of Firebase.
    /// - Throws: `misconfigured` when the file cannot be read.
    public init(reading path: String, firebase: FirebaseParameters? = nil) throws(AuthError) {
        self.firebase = firebase
        let lines = try LineReader(path: path)
        guard try Self.isDocument(lines.beginning()) else {
            form = .lines(lines)
            return
        }
        let bytes = try lines.rest(limit: Self.longestDocument)
        form = .document(bytes, try JSONObjects.places(in: bytes, of: path))
    }

    /// Whether the text is one document: a list, or an object that does not end on its first line
    /// or contains a list of users.
    private static func isDocument(_ beginning: ArraySlice<UInt8>) -> Bool {
        let bytes = beginning.drop { isBlank($0) || $0 == 0x0A }
        guard bytes.first == UInt8(ascii: "{") else { return bytes.first == UInt8(ascii: "[") }
        let line = bytes.prefix { $0 != 0x0A }
        guard line.last(where: { !isBlank($0) }) == UInt8(ascii: "}") else { return true }
        guard let object = JSON(line) else { return false }
        return JSONObjects.listNames.contains { if case .array? = object[$0] { true } else { false } }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    public func next(_ limit: Int) throws -> ImportBatch {
        switch form {
        case .lines(let lines): try next(limit, of: lines)
        case .document(let bytes, let places): next(limit, of: bytes, places)
        }
    }

    private func next(_ limit: Int, of lines: LineReader) throws -> ImportBatch {
        var entries: [ImportBatch.Entry] = []
        while entries.count < limit, let line = try lines.next() {
            let entry = Self.entry(line.bytes, ofLine: line.number, isTooLong: line.isTooLong, firebase: firebase)
            if let entry { entries.append(entry) }
        }
        return ImportBatch(entries: entries, done: lines.done, total: lines.total)
    }

    private func next(_ limit: Int, of bytes: [UInt8], _ places: [Range<Int>]) -> ImportBatch {
        let entries = places[number..<min(places.count, number + limit)].map { place in
            number += 1
            return Self.entry(bytes[place], .number(number), firebase: firebase)
        }
        return ImportBatch(entries: entries, done: number, total: places.count)
    }

    /// The user in a line of a stream; `nil` for a blank line.
    static func entry(_ line: LineSplitter.Line) -> ImportBatch.Entry? {
        entry(line.bytes[...], ofLine: line.number, isTooLong: line.isTooLong, firebase: nil)
    }

    private static func entry(
        _ text: ArraySlice<UInt8>, ofLine number: Int, isTooLong: Bool, firebase: FirebaseParameters?
    ) -> ImportBatch.Entry? {
        guard !isTooLong else {
            return .unreadable(.line(number), reason: "the line is longer than \(LineReader.longestLine) bytes")
        }
        return text.allSatisfy(isBlank) ? nil : entry(text, .line(number), firebase: firebase)
    }

    private static func entry(
        _ text: ArraySlice<UInt8>, _ place: ImportPlace, firebase: FirebaseParameters?
    ) -> ImportBatch.Entry {
        guard let object = JSON(text), case .object(let members) = object else {
            let what = if case .line = place { "the line" } else { "it" }
            return .unreadable(place, reason: "\(what) is no JSON object in UTF-8 that has each of its members once")
        }
        let export = ForeignExport(of: Set(members.map { WireText($0.name) }))
        do {
            if let export { return .user(try export.user(object, place, firebase: firebase, now: Date())) }
            var fields = UserFields(place: place)
            for member in members { try fields.set(member) }
            return .user(try fields.user())
        } catch {
            let id = export.map { $0.id(of: object) } ?? (try? ForeignValue.id(object["id"], .id))
            return .unreadable(place, id: id, reason: error.reason)
        }
    }
}

/// Finds the users in a JSON document without parsing the rest of it.
struct JSONObjects {
    /// Names of the member with the list of users in other systems' exports.
    static let listNames = ["users", "Users"]

    private let bytes: [UInt8]
    private let path: String
    private var position = 0
    private var places: [Range<Int>] = []

    /// The range of each user in a document: an element of a list, or of the list of users of an
    /// object, or an object without such a list.
    /// - Throws: `misconfigured` for a document that is malformed or does not end.
    static func places(in bytes: [UInt8], of path: String) throws(AuthError) -> [Range<Int>] {
        var objects = JSONObjects(bytes: bytes, path: path)
        while objects.skipBlanks() != nil { try objects.take(depth: 1) }
        return objects.places
    }

    private init(bytes: [UInt8], path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// The deepest nesting: a list of users may be in an object that is an element of a list, as
    /// with realms.
    private static let greatestDepth = 4

    private mutating func take(depth: Int) throws(AuthError) {
        guard depth <= Self.greatestDepth else { throw damaged }
        switch skipBlanks() {
        case UInt8(ascii: "["): try takeList(depth)
        case UInt8(ascii: "{"): try takeObject(depth)
        default:
            // An element that is not an object is refused when it is read as a user.
            let start = position
            try skipValue()
            places.append(start..<position)
        }
    }

    private mutating func takeList(_ depth: Int) throws(AuthError) {
        try skip("[")
        if try skipIfThere("]") { return }
        repeat { try take(depth: depth + 1) } while try skipIfThere(",")
        try skip("]")
    }

    private mutating func takeObject(_ depth: Int) throws(AuthError) {
        let start = position
        var hasList = false
        try skip("{")
        if try !skipIfThere("}") {
            repeat {
                let name = try skipName()
                try skip(":")
                if skipBlanks() == UInt8(ascii: "["), Self.listNames.contains(where: { name.elementsEqual($0.utf8) }) {
                    hasList = true
                    try takeList(depth)
                } else {
                    try skipValue()
                }
            } while try skipIfThere(",")
            try skip("}")
        }
        if !hasList { places.append(start..<position) }
    }

    // MARK: Steps

    /// - Returns: the next byte that is not a blank; `nil` at the end.
    @discardableResult
    private mutating func skipBlanks() -> UInt8? {
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x20 || (0x09...0x0D).contains(byte) else { return byte }
            position += 1
        }
        return nil
    }

    private mutating func skipIfThere(_ character: Unicode.Scalar) throws(AuthError) -> Bool {
        guard let next = skipBlanks() else { throw damaged }
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skip(_ character: Unicode.Scalar) throws(AuthError) {
        guard try skipIfThere(character) else { throw damaged }
    }

    /// - Returns: the bytes between the quotes.
    private mutating func skipName() throws(AuthError) -> ArraySlice<UInt8> {
        guard skipBlanks() == UInt8(ascii: "\"") else { throw damaged }
        let start = position
        try skipText()
        return bytes[start + 1..<position - 1]
    }

    private mutating func skipText() throws(AuthError) {
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return }
        }
        throw damaged
    }

    private mutating func skipValue() throws(AuthError) {
        guard let first = skipBlanks() else { throw damaged }
        if first == UInt8(ascii: "\"") { return try skipText() }
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            let start = position
            while position < bytes.count, !Self.ends(bytes[position]) { position += 1 }
            guard position > start else { throw damaged }
            return
        }
        var open = 0
        repeat {
            switch skipBlanks() {
            case nil: throw damaged
            case UInt8(ascii: "\""): try skipText()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                open -= 1
                position += 1
            default: position += 1
            }
        } while open > 0
    }

    private static func ends(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":"): true
        default: byte <= 0x20
        }
    }

    private var damaged: AuthError {
        let line = 1 + bytes.prefix(position).count(where: { $0 == 0x0A })
        return AuthError(
            .misconfigured, "\(path) is no whole JSON document: line \(line) is not what should come there")
    }
}
