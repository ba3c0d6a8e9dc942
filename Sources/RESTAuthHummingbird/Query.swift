import Hummingbird
import RESTAuth

/// The query of a request, read strictly: a parameter that the route does not know is refused, so
/// that a misspelt one does not show, or change, more than was meant.
struct Query: Sendable {
    private let parameters: [(name: WireText, value: String)]

    /// - Parameter known: the names that the route understands.
    /// - Throws: `validation_failed` for any other name.
    init(_ request: Request, known: [StaticString]) throws(AuthError) {
        parameters = request.uri.queryParameters.map { (WireText(String($0.key)), String($0.value)) }
        guard parameters.allSatisfy({ given in known.contains { given.name.equals($0) } }) else {
            let names = known.map { "\($0)" }.joined(separator: ", ")
            throw AuthError(.validationFailed, "unknown parameter; this path takes \(names.isEmpty ? "none" : names)")
        }
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
