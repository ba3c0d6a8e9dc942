import Hummingbird
import RESTAuth

/// The part of a list that is asked for: at most `limit` entries after one that the client has
/// seen.
///
/// Pages are found by key, not by counting, so the last costs no more than the first, and no entry
/// is shown twice when the list grows.
struct Page<Key: LosslessStringConvertible & Sendable>: Sendable {
    let after: Key?
    let limit: Int

    private static var limits: ClosedRange<Int> { 1...100 }

    /// Reads the query of a list that takes nothing but a page.
    /// - Throws: `validation_failed`, also for any other parameter.
    init(_ request: Request, key: (String) -> Key?) throws(AuthError) {
        try self.init(Query(request, known: ["after", "limit"]), key: key)
    }

    /// Reads `after` and `limit` from a query; `limit` is 25 unless given, and 100 at most.
    /// - Throws: `validation_failed`.
    init(_ query: Query, key: (String) -> Key?) throws(AuthError) {
        limit =
            try Self.value(query.value("limit"), "limit", "must be a number from 1 to 100") { text in
                WireText(text).decimalNumber.flatMap { Int(exactly: $0) }.flatMap {
                    Self.limits.contains($0) ? $0 : nil
                }
            } ?? 25
        after = try Self.value(query.value("after"), "after", "is no id of this list", key)
    }

    private static func value<Value>(
        _ text: String?, _ name: String, _ rule: String, _ value: (String) -> Value?
    ) throws(AuthError) -> Value? {
        guard let text else { return nil }
        guard let value = value(text) else { throw AuthError(.validationFailed, "\(name) \(rule)", field: name) }
        return value
    }

    /// Answers with the entries and where the next page begins: `after` is the key of the last
    /// entry, `null` at the end of the list.
    func answer(_ entries: [JSON], last: Key?) -> Response {
        answer(entries, next: entries.count < limit ? nil : last)
    }

    /// Answers with the entries of a list whose pages need not be full.
    /// - Parameter next: the key after which the next page begins; `nil` at the end of the list.
    func answer(_ entries: [JSON], next: Key?) -> Response {
        .json([
            "data": .array(entries),
            "pagination": [
                "limit": .integer(limit), "count": .integer(entries.count),
                "after": next.map { .string($0.description) } ?? .null,
            ],
        ])
    }
}

extension Page<String> {
    /// Answers with this page of a list that is short enough to be read whole.
    /// - Parameters:
    ///   - all: the whole list.
    ///   - key: the key of an entry.
    ///   - json: the entry as an object.
    /// - Throws: `validation_failed` when ``after`` is in the list no more.
    func answer<Entry>(
        _ all: [Entry], key: (Entry) -> String, _ json: (Entry) -> JSON
    ) throws(AuthError) -> Response {
        var rest = all[...]
        if let after {
            guard let place = all.firstIndex(where: { key($0).utf8.elementsEqual(after.utf8) }) else {
                throw AuthError(.validationFailed, "after is no id of this list", field: "after")
            }
            rest = all[(place + 1)...]
        }
        let page = rest[rest.startIndex..<min(rest.endIndex, rest.startIndex + limit)]
        let next = page.count < rest.count ? page.last.map(key) : nil
        return answer(page.map(json), next: next).notStored()
    }
}
