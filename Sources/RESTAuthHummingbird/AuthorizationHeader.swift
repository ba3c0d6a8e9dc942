import HTTPTypes
import Hummingbird
import RESTAuth

/// The `Authorization` field of a request: Basic (RFC 7617) and Bearer (RFC 6750), nothing else.
enum AuthorizationHeader {
    /// The ancestor's realm, and its challenge word for word.
    static let basicChallenge = #"Basic realm="Authentication Required""#

    /// What the client presented, or `nil` when there is no such field.
    ///
    /// - Throws: `invalid_request` for more than one field; `invalid_credentials` or
    ///   `invalid_token` for a field that cannot be read; `credentials_required` for another
    ///   scheme.
    static func credentials(in headers: HTTPFields) throws(AuthError) -> Credentials? {
        var fields = headers[fields: .authorization].makeIterator()
        guard let field = fields.next() else { return nil }
        guard fields.next() == nil else {
            throw AuthError(.invalidRequest, "There is more than one Authorization field.")
        }
        let value = field.value.utf8
        guard let blank = value.firstIndex(of: UInt8(ascii: " ")) else { throw Self.unreadable }
        let parameter = value[blank...].drop { $0 == UInt8(ascii: " ") }
        switch scheme(value[..<blank]) {
        case .basic:
            guard let pair = basic(parameter), !pair.username.isEmpty,
                let credentials = Credentials(username: pair.username, password: pair.password)
            else { throw unreadable }
            return credentials
        case .bearer:
            // In one piece: byte by byte it takes longer than all the rest.
            return .token(parameter.withContiguousStorageIfAvailable { Array($0) } ?? Array(parameter))
        case nil: throw AuthError(.credentialsRequired, "Unauthorized Access: only Basic and Bearer are understood")
        }
    }

    private static let unreadable = AuthError(.invalidCredentials, "Unauthorized Access")

    private static func basic(
        _ parameter: Substring.UTF8View
    ) -> (username: ArraySlice<UInt8>, password: ArraySlice<UInt8>)? {
        guard let pair = Base64.padded.decode(parameter), let colon = pair.firstIndex(of: UInt8(ascii: ":")) else {
            return nil
        }
        return (pair[..<colon], pair[(colon + 1)...])
    }

    /// The id and secret of an OAuth client that uses HTTP Basic, each form-encoded first (RFC 6749
    /// section 2.3.1); `nil` when there is no `Authorization` field.
    /// - Throws: `invalid_client` for any other field.
    static func clientCredentials(in headers: HTTPFields) throws(AuthError) -> (id: String, secret: String)? {
        let fields = headers[fields: .authorization]
        guard let value = fields.first?.value.utf8 else { return nil }
        guard fields.count == 1, let blank = value.firstIndex(of: UInt8(ascii: " ")), scheme(value[..<blank]) == .basic,
            let pair = basic(value[blank...].drop { $0 == UInt8(ascii: " ") }),
            let id = FormBody.decode(pair.username), let secret = FormBody.decode(pair.password)
        else { throw AuthError(.invalidClient, "a client signs in with HTTP Basic") }
        return (id, secret)
    }

    // MARK: Schemes

    private enum Scheme {
        case basic, bearer
    }

    /// Scheme names compare without case (RFC 9110 section 11.1).
    private static func scheme(_ name: Substring.UTF8View) -> Scheme? {
        func isName(_ expected: StaticString) -> Bool {
            expected.withUTF8Buffer { name.elementsEqual($0) { $0 | 0x20 == $1 } }
        }
        return if isName("basic") { .basic } else if isName("bearer") { .bearer } else { nil }
    }

    // MARK: Challenges

    /// What a refusal asks for: always Basic; for who came with Bearer, that scheme's challenge as
    /// well (RFC 6750 section 3).
    static func challenges(for error: AuthError, request: Request) -> HTTPFields {
        var fields = HTTPFields()
        if error.code != .invalidRequest, error.code != .forbidden {
            fields.append(HTTPField(name: .wwwAuthenticate, value: basicChallenge))
        }
        let isBearer = request.headers[fields: .authorization].contains { field in
            field.value.utf8.firstIndex(of: UInt8(ascii: " ")).map { scheme(field.value.utf8[..<$0]) == .bearer }
                ?? (scheme(field.value.utf8[...]) == .bearer)
        }
        if isBearer, error.code != .invalidClient {
            let maxAge = error.maxAge.map { #", max_age="\#($0)""# } ?? ""
            fields.append(
                HTTPField(
                    name: .wwwAuthenticate,
                    value: #"Bearer realm="Authentication Required", error="\#(bearerError(error.code))"\#(maxAge)"#))
        }
        return fields
    }

    private static func bearerError(_ code: AuthError.Code) -> String {
        switch code {
        case .invalidRequest: "invalid_request"
        case .forbidden: "insufficient_scope"
        case .insufficientUserAuthentication: "insufficient_user_authentication"
        default: "invalid_token"
        }
    }
}
