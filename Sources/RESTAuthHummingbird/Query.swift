import Hummingbird
import RESTAuth

/// The query of a request, read strictly: a parameter that the route does not know is refused, so
/// that a misspelt one does not show, or change, more than was meant.
struct Query: Sendable {
    private let parameters: [(name: WireText, value: String)]

    /// - Parameters:
    ///   - request: the request.
    ///   - known: the names that the route understands.
    /// - Throws: `validation_failed` for any other name, and for a value that has a broken escape,
    ///   is no UTF-8, or has a NUL in it.
    init(_ request: Request, known: [StaticString]) throws(AuthError) {
        var parameters: [(name: WireText, value: String)] = []
        for part in WireText(request.uri.query ?? "").bytes.split(separator: UInt8(ascii: "&")) {
            let sign = part.firstIndex(of: UInt8(ascii: "="))
            let name = WireText(Substring(part[..<(sign ?? part.endIndex)]))
            guard let found = known.first(where: { name.equals($0) }) else { throw Self.unknown(besides: known) }
            let bytes = sign.map { Array(part[part.index(after: $0)...]) } ?? []
            guard let value = FormBody.decode(bytes[...], blank: nil), !value.utf8.contains(0) else {
                throw AuthError(.validationFailed, "\(found) is no text in UTF-8", field: "\(found)")
            }
            parameters.append((name, value))
        }
        self.parameters = parameters
    }

    private static func unknown(besides known: [StaticString]) -> AuthError {
        let names = known.map { "\($0)" }.joined(separator: ", ")
        return AuthError(.validationFailed, "unknown parameter; this path takes \(names.isEmpty ? "none" : names)")
    }

    /// The values of a parameter that may come more than once.
    func all(_ name: StaticString) -> [String] { parameters.filter { $0.name.equals(name) }.map(\.value) }

    /// The value of a parameter; `nil` when it is missing.
    /// - Throws: `validation_failed` when it comes twice.
    func value(_ name: StaticString) throws(AuthError) -> String? {
        let values = all(name)
        guard values.count < 2 else { throw AuthError(.validationFailed, "\(name) is there twice", field: "\(name)") }
        return values.first
    }

    /// Whether a parameter is `true`; one that is missing is `false`.
    /// - Throws: `validation_failed` for any other value.
    func flag(_ name: StaticString) throws(AuthError) -> Bool {
        guard let value = try value(name).map({ WireText($0) }) else { return false }
        if value.equals("true") { return true }
        if value.equals("false") { return false }
        throw AuthError(.validationFailed, "\(name) must be true or false", field: "\(name)")
    }
}
