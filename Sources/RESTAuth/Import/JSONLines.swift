import Foundation

/// Users as JSON objects, one a line (JSON Lines): `username` and `password_hash`, and where there
/// are any `id`, `legacy_id`, `created_at`, `disabled_at`, `disabled` and `roles`. A ``UserExport``
/// writes them.
public actor JSONLines: UserSource {
    private let lines: LineReader

    /// - Parameter path: of the file; `-` is standard input.
    /// - Throws: `misconfigured` when it cannot be read.
    public init(reading path: String) throws(AuthError) {
        lines = try LineReader(path: path)
    }

    public func next(_ limit: Int) throws -> ImportBatch {
        var entries: [ImportBatch.Entry] = []
        while entries.count < limit, let line = try lines.next() {
            guard !line.isTooLong else {
                entries.append(
                    .unreadable(.line(line.number), reason: "the line is longer than \(LineReader.longestLine) bytes"))
                continue
            }
            if line.bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            entries.append(Self.entry(line.bytes, .line(line.number)))
        }
        return ImportBatch(entries: entries, done: lines.done, total: lines.total)
    }

    private static func entry(_ line: ArraySlice<UInt8>, _ place: ImportPlace) -> ImportBatch.Entry {
        guard case .object(let members)? = JSON(line) else {
            return .unreadable(place, reason: "the line is no JSON object")
        }
        var fields = UserFields(place: place)
        do {
            for member in members { try set(member, in: &fields) }
            return .user(try fields.user())
        } catch {
            return .unreadable(place, reason: error.reason)
        }
    }

    private static func set(_ member: JSON.Member, in fields: inout UserFields) throws(UnreadableUser) {
        guard let field = UserFields.Name(rawValue: member.name) else { throw .unknown(member.name) }
        switch (field, member.value) {
        // What is not said: for a name or a hash that is one thing too few.
        case (_, .null): return
        case (.username, .string(let text)): fields.username = text
        case (.passwordHash, .string(let text)): fields.passwordHash = text
        case (.id, .integer(let number)): fields.id = Int64(number)
        case (.legacyID, .integer(let number)): fields.legacyID = Int64(number)
        case (.createdAt, .string(let text)): fields.createdAt = try UserFields.time(text.utf8, field)
        case (.disabledAt, .string(let text)): fields.disabledAt = try UserFields.time(text.utf8, field)
        case (.disabled, .bool(let isTrue)): fields.isDisabled = isTrue
        case (.roles, .array(let elements)):
            let roles = elements.compactMap(\.string)
            guard roles.count == elements.count else { throw .wrong(field) }
            fields.roles = Set(roles)
        default: throw .wrong(field)
        }
    }
}

// MARK: - Fields by name

/// What a line says of a user.
struct UserFields {
    enum Name: String, CaseIterable {
        case username
        case passwordHash = "password_hash"
        case id
        case legacyID = "legacy_id"
        case createdAt = "created_at"
        case disabledAt = "disabled_at"
        case disabled
        case roles
    }

    let place: ImportPlace
    var username: String?
    var passwordHash: String?
    var id: Int64?
    var legacyID: Int64?
    var createdAt: Date?
    var disabledAt: Date?
    var isDisabled: Bool?
    var roles: Set<String> = []

    init(place: ImportPlace) { self.place = place }

    func user() throws(UnreadableUser) -> ForeignUser {
        guard let username else { throw UnreadableUser(reason: "there is no username") }
        guard let passwordHash else { throw UnreadableUser(reason: "there is no password_hash") }
        guard disabledAt == nil || isDisabled != false else {
            throw UnreadableUser(reason: "disabled and disabled_at contradict each other")
        }
        return ForeignUser(
            place: place, id: id, legacyID: legacyID, username: username, passwordHash: passwordHash,
            createdAt: createdAt,
            isDisabled: isDisabled ?? false, disabledAt: disabledAt, roles: roles)
    }

    static func time(_ text: some Collection<UInt8>, _ field: Name) throws(UnreadableUser) -> Date {
        guard let date = Timestamp.date(text) else { throw .wrong(field) }
        return date
    }
}

/// Why a line is no user.
struct UnreadableUser: Error {
    let reason: String

    /// A name that is not understood could be one that is misspelt, as of what disables a user.
    static func unknown(_ name: String) -> UnreadableUser {
        UnreadableUser(
            reason:
                "\(String(decoding: JSON.string(name).bytes, as: UTF8.self)) is none of \(UserFields.Name.allCases.map(\.rawValue).joined(separator: ", "))"
        )
    }

    static func wrong(_ field: UserFields.Name) -> UnreadableUser {
        let rule =
            switch field {
            case .username, .passwordHash: "no text"
            case .id, .legacyID: "no whole number"
            case .createdAt, .disabledAt: "no time such as 2026-01-02T03:04:05Z"
            case .disabled: "neither true nor false"
            case .roles: "no list of texts"
            }
        return UnreadableUser(reason: "\(field.rawValue) is \(rule)")
    }
}
