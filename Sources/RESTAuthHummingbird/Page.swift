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

    /// Reads `after` and `limit` from the query; `limit` is 25 unless given, and 100 at most.
    /// - Throws: `validation_failed`.
    init(_ request: Request, key: (String) -> Key?) throws(AuthError) {
        let query = request.uri.queryParameters
        limit =
            try Self.value(query.get("limit"), "limit", "must be a number from 1 to 100") { text in
                WireText(text).decimalNumber.flatMap { Int(exactly: $0) }.flatMap {
                    Self.limits.contains($0) ? $0 : nil
                }
            } ?? 25
        after = try Self.value(query.get("after"), "after", "is no id of this list", key)
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
        let next: JSON = entries.count < limit ? .null : last.map { .string($0.description) } ?? .null
        return .json([
            "data": .array(entries),
            "pagination": ["limit": .integer(limit), "count": .integer(entries.count), "after": next],
        ])
    }
}
