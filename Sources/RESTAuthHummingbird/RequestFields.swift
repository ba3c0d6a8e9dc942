import HTTPTypes
import Hummingbird
import RESTAuth

/// The fields of a JSON body: those that its route understands, and the names of the others.
///
/// A field that is not understood is not refused, because clients of the original Flask server may
/// send more than it reads, and not kept, because it may hold the password once more. So the answer
/// names it: no client takes it for kept, or a misspelt field for understood.
struct RequestFields: Sendable {
    private let object: JSON
    /// The names that the route does not understand, at most 16 of them, each cut to 64 Unicode
    /// scalars.
    let ignored: [String]

    private static let longestList = 16
    /// The longest name, in Unicode scalars.
    private static let longestName = 64

    init(_ object: JSON, known: [StaticString]) {
        self.object = object
        guard case .object(let members) = object else {
            ignored = []
            return
        }
        let others = members.map(\.name).filter { name in !known.contains { WireText(name).equals($0) } }
        ignored = zip(others, 0..<Self.longestList).map { name, _ in
            String(String.UnicodeScalarView(zip(name.unicodeScalars, 0..<Self.longestName).map(\.0)))
        }
    }

    /// The value of a string field that must be there.
    /// - Throws: `validation_failed` when it is missing, `null` or of another type.
    func requiredString(_ name: String) throws(AuthError) -> String {
        guard let value = try optionalString(name) else { throw missing(name) }
        return value
    }

    /// The refusal for a missing field.
    func missing(_ name: String) -> AuthError {
        naming(ignored: AuthError(.validationFailed, "missing argument: \(name)", field: name))
    }

    /// The refusal for a missing field, with the names of those that may be a misspelling of it.
    func naming(ignored error: AuthError) -> AuthError {
        guard !ignored.isEmpty else { return error }
        let detail = "\(error.detail); not understood: \(ignored.joined(separator: ", "))"
        return AuthError(error.code, detail, field: error.field)
    }

    /// Whether there is a field of that name, of any type, that is not `null`.
    func hasValue(_ name: String) -> Bool {
        switch object[name] {
        case nil, .null: false
        default: true
        }
    }

    /// The value of a string field; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type.
    func optionalString(_ name: String) throws(AuthError) -> String? {
        switch object[name] {
        case .string(let value): return value
        case nil, .null: return nil
        default: throw AuthError(.validationFailed, "\(name) must be a string", field: name)
        }
    }

    /// The value of a field that is an object; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type.
    func optionalObject(_ name: String) throws(AuthError) -> JSON? {
        switch object[name] {
        case .object(let members): return .object(members)
        case nil, .null: return nil
        default: throw AuthError(.validationFailed, "\(name) must be an object", field: name)
        }
    }
}

extension RequestFields {
    /// The value of a field that is a whole number; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type.
    func optionalInteger(_ name: String) throws(AuthError) -> Int? {
        switch object[name] {
        case .integer(let value): return value
        case nil, .null: return nil
        default: throw AuthError(.validationFailed, "\(name) must be a whole number", field: name)
        }
    }

    /// The value of a field that is a list of strings; `nil` for anything else.
    func strings(_ name: String) -> [String]? {
        guard case .array(let elements) = object[name] else { return nil }
        let strings = elements.compactMap(\.string)
        return strings.count == elements.count ? strings : nil
    }

    /// Whether the value of a field is that text.
    func isWord(_ name: String, _ word: StaticString) -> Bool {
        object[name]?.string.map { WireText($0).equals(word) } ?? false
    }

    /// The values of a field that is a list; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type.
    func optionalArray(_ name: String) throws(AuthError) -> [JSON]? {
        switch object[name] {
        case .array(let values): return values
        case nil, .null: return nil
        default: throw AuthError(.validationFailed, "\(name) must be a list", field: name)
        }
    }

    /// Refuses fields that would be another way to prove the same: only one could be checked.
    /// - Throws: `validation_failed`, naming the first of `others` that is there.
    func refuse(_ others: [String], beside chosen: String) throws(AuthError) {
        guard let other = others.first(where: hasValue) else { return }
        throw AuthError(.validationFailed, "\(other) does not go with \(chosen): send one of them", field: other)
    }

    /// The value of a field that is true or false; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type.
    func optionalBool(_ name: String) throws(AuthError) -> Bool? {
        switch object[name] {
        case .bool(let value): return value
        case nil, .null: return nil
        default: throw AuthError(.validationFailed, "\(name) must be true or false", field: name)
        }
    }

    /// The value of a field that is a whole number; `nil` when it is missing or `null`.
    /// - Throws: `validation_failed` when it is of another type, or not in the range.
    func optionalInteger(_ name: String, in range: ClosedRange<Int>) throws(AuthError) -> Int? {
        switch object[name] {
        case .integer(let value) where range.contains(value): return value
        case nil, .null: return nil
        default:
            throw AuthError(
                .validationFailed, "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)",
                field: name)
        }
    }

    /// The answer to a factor: `credential` if it is there, else `code`.
    /// - Throws: `validation_failed` when neither is, or both are, or one is of another type.
    func factorResponse() throws(AuthError) -> FactorResponse {
        if let credential = try optionalObject("credential") {
            try refuse(["code"], beside: "credential")
            return .credential(credential.text)
        }
        return .code(try requiredString("code"))
    }
}

extension RequestFields {
    /// Runs `answer` and names the fields that were not understood, if there are any, in
    /// `Ignored-Fields` of its answer, or of its refusal, which a misspelt field may have caused.
    func named(in request: Request, _ answer: () async throws -> Response) async throws -> Response {
        guard !ignored.isEmpty else { return try await answer() }
        let names = quotedNames
        do {
            var response = try await answer()
            response.headers[.ignoredFields] = names
            return response
        } catch {
            var problem = Problem(error, request: request)
            // A fault of the server is thrown on unchanged, so that the log says what it was.
            guard problem.status.kind == .clientError else { throw error }
            problem.headers[.ignoredFields] = names
            throw problem
        }
    }

    /// The longest value of `Ignored-Fields`, in bytes. Proxies allow the whole head of an answer
    /// no more than 4 KiB.
    private static let longestField = 1024

    /// The value of `Ignored-Fields`, with as many of the names as fit.
    private var quotedNames: String {
        var list = ""
        for name in ignored.map(\.quoted) {
            let longer = list.isEmpty ? name : "\(list), \(name)"
            guard longer.utf8.count <= Self.longestField else { break }
            list = longer
        }
        return list
    }
}

extension String {
    /// The text as a string of a structured field (RFC 9651 section 3.3.3); bytes that cannot stand
    /// in one are percent-encoded.
    fileprivate var quoted: String {
        let plain = utf8.map { byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\\(UnicodeScalar(byte))"
            case UInt8(ascii: "%"), ..<0x20, 0x7F...:
                "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            default: String(UnicodeScalar(byte))
            }
        }
        return "\"\(plain.joined())\""
    }
}

extension HTTPField.Name {
    static let ignoredFields = Self("Ignored-Fields")!
}
