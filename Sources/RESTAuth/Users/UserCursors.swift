import Foundation

/// Writes places in lists of users for clients, and reads them.
///
/// A cursor is good for the list that it came from: it has a tag over the place and what the list
/// was selected by. So nobody can begin at a place that no page ended with.
struct UserCursors: Sendable {
    let secrets: InstanceSecrets

    private static let tagLength = 32
    private static let longestText = 1024
    private static let purpose = "places in lists of users"

    func text(of place: UserPlace, in query: UserQuery) -> String {
        let body = Self.bytes(of: place)
        return Base64.url.encode(body + secrets.known.present.code(of: body + Self.selection(query), for: Self.purpose))
    }

    /// The place; `nil` for a text that is no cursor of this list.
    func place(of text: String, in query: UserQuery) -> UserPlace? {
        guard text.utf8.count <= Self.longestText, let bytes = Base64.url.decode(text.utf8),
            bytes.count > Self.tagLength
        else { return nil }
        let (body, tag) = (Array(bytes.dropLast(Self.tagLength)), bytes.suffix(Self.tagLength))
        let signed = body + Self.selection(query)
        guard secrets.known.all.contains(where: { $0.isCode(tag, of: signed, for: Self.purpose) }) else { return nil }
        return Self.place(body, in: query.order)
    }

    private static func bytes(of place: UserPlace) -> [UInt8] {
        switch place {
        case .id(let id): bytes(UInt64(bitPattern: id))
        case .name(let name): Array(name.utf8)
        case .time(let date, let id):
            bytes(date.timeIntervalSince1970.bitPattern) + bytes(UInt64(bitPattern: id))
        }
    }

    private static func place(_ body: [UInt8], in order: UserQuery.Order) -> UserPlace? {
        switch order {
        case .id, .newestID: return body.count == 8 ? .id(Int64(bitPattern: number(body[...]))) : nil
        case .username: return .name(String(decoding: body, as: UTF8.self))
        case .oldest, .newest:
            guard body.count == 16 else { return nil }
            let seconds = Double(bitPattern: number(body[..<8]))
            return .time(Date(timeIntervalSince1970: seconds), Int64(bitPattern: number(body[8...])))
        }
    }

    /// All that a list is selected and sorted by.
    private static func selection(_ query: UserQuery) -> [UInt8] {
        let selection: JSON = [
            "order": .string(query.order.rawValue), "prefix": query.prefix.map(JSON.string) ?? .null,
            "role": query.role.map(JSON.string) ?? .null, "disabled": query.isDisabled.map(JSON.bool) ?? .null,
            "created_after": query.createdAfter.map { .number($0.timeIntervalSince1970) } ?? .null,
        ]
        return selection.bytes
    }

    private static func bytes(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian, Array.init) }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
