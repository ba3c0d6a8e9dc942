import HTTPTypes
import Hummingbird
import RESTAuth

/// The `Authorization` field of a request: Basic (RFC 7617) and Bearer (RFC 6750), no other scheme.
enum AuthorizationHeader {
    /// The challenge for Basic, word for word that of the original Flask server.
    static let basicChallenge = #"Basic realm="Authentication Required""#

    /// The credentials that the client presented; `nil` when there is no such field.
    ///
    /// - Throws: `invalid_request` for more than one field; `invalid_credentials` for a field that
    ///   cannot be read; `credentials_required` for another scheme.
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
                let credentials = Credentials(
                    username: pair.username, password: pair.password, code: try code(in: headers))
            else { throw unreadable }
            return credentials
        case .bearer:
            // Copied in one piece: byte by byte, this takes longer than everything else here.
            return .token(parameter.withContiguousStorageIfAvailable { Array($0) } ?? Array(parameter))
        case nil: throw AuthError(.credentialsRequired, "Unauthorized Access: only Basic and Bearer are understood")
        }
    }

    /// The code of a second factor beside the password, in `X-OTP`.
    /// - Throws: `invalid_request` for more than one field.
    private static func code(in headers: HTTPFields) throws(AuthError) -> String? {
        let codes = headers[values: .xOTP]
        guard codes.count <= 1 else { throw AuthError(.invalidRequest, "There is more than one X-OTP field.") }
        return codes.first
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

    /// The id and secret of an OAuth client in HTTP Basic, each form-encoded (RFC 6749 section
    /// 2.3.1); `nil` when there is no `Authorization` field.
    /// - Throws: `invalid_client` for any other content of the field, and for more than one field.
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

    /// The scheme of that name, in any case (RFC 9110 section 11.1); `nil` for an unknown one.
    private static func scheme(_ name: Substring.UTF8View) -> Scheme? {
        func isName(_ expected: StaticString) -> Bool {
            expected.withUTF8Buffer { name.elementsEqual($0) { $0 | 0x20 == $1 } }
        }
        return if isName("basic") { .basic } else if isName("bearer") { .bearer } else { nil }
    }

    // MARK: Challenges

    /// The challenge of a refusal; `nil` where signing in would not help.
    ///
    /// For Basic, a browser opens its own sign-in dialog over whatever page made the request. So
    /// scripts are challenged with Bearer, for which no browser asks its user: their pages sign in
    /// by themselves, and a 401 needs a challenge (RFC 9110 section 15.5.2). A client that came
    /// with Bearer is challenged with Bearer alone (RFC 6750 section 3). All others are challenged
    /// with Basic, and so is in any case an OAuth client that came with Basic (RFC 6749 section
    /// 5.2). A scope that is missing is named in a challenge for Bearer, however the token came.
    static func challenge(for error: AuthError, request: Request) -> HTTPField? {
        let schemes = presentedSchemes(request)
        if schemes.contains(.bearer) && error.code != .invalidClient || error.code == .insufficientScope {
            let level = error.contextClass.map { #", acr_values="\#($0)""# } ?? ""
            let maxAge = error.maxAge.map { #", max_age="\#($0)""# } ?? ""
            let scope = error.scope.map { #", scope="\#($0)""# } ?? ""
            let description = #", error="\#(bearerError(error.code))"\#(level)\#(maxAge)\#(scope)"#
            return HTTPField(name: .wwwAuthenticate, value: bearerChallenge + description)
        }
        guard error.code != .invalidRequest, error.code != .forbidden else { return nil }
        let isFromScript = isFromScript(request) && !(error.code == .invalidClient && schemes.contains(.basic))
        return HTTPField(name: .wwwAuthenticate, value: isFromScript ? bearerChallenge : basicChallenge)
    }

    private static let bearerChallenge = #"Bearer realm="Authentication Required""#

    private static func presentedSchemes(_ request: Request) -> [Scheme] {
        request.headers[fields: .authorization].compactMap { field in
            scheme(field.value.utf8.prefix { $0 != UInt8(ascii: " ") })
        }
    }

    /// Whether a script of a page, or a page loading a part of itself, made the request: by the
    /// field `X-Requested-With`, which libraries set, and by `Sec-Fetch-Mode` (Fetch Metadata
    /// Request Headers). A mode that is not understood is no navigation. A browser that sends no
    /// mode sends an `Origin` for scripts, and for forms, of which there are none here.
    private static func isFromScript(_ request: Request) -> Bool {
        if request.headers.contains(.xRequestedWith) { return true }
        let modes = request.headers[values: .secFetchMode]
        guard !modes.isEmpty else { return request.headers.contains(.origin) }
        return !(modes.count == 1 && modes.allSatisfy { WireText($0).equals("navigate") }) && !isOfNode(request)
    }

    /// Whether `fetch` in a Node program made the request. It sends a mode too, but no site, and
    /// accepts every language, as no browser does.
    private static func isOfNode(_ request: Request) -> Bool {
        let languages = request.headers[values: .acceptLanguage]
        return languages.count == 1 && languages.allSatisfy { WireText($0).equals("*") }
            && !request.headers.contains(.secFetchSite) && !request.headers.contains(.origin)
    }

    private static func bearerError(_ code: AuthError.Code) -> String {
        switch code {
        case .invalidRequest: "invalid_request"
        case .forbidden, .insufficientScope: "insufficient_scope"
        case .insufficientUserAuthentication, .invalidCode: "insufficient_user_authentication"
        default: "invalid_token"
        }
    }
}

extension HTTPFields {
    /// Adds a challenge to the fields of a 401 that has none, whatever made the answer.
    mutating func addMissingChallenge(for error: AuthError = .credentialsRequired, to request: Request) {
        guard self[values: .wwwAuthenticate].allSatisfy(\.isEmpty) else { return }
        let challenge =
            AuthorizationHeader.challenge(for: error, request: request)
            ?? AuthorizationHeader.challenge(for: .credentialsRequired, request: request)
        self[fields: .wwwAuthenticate] = [challenge].compactMap(\.self)
    }
}

extension HTTPField.Name {
    static let secFetchMode = Self("Sec-Fetch-Mode")!
    static let xRequestedWith = Self("X-Requested-With")!
    static let xOTP = Self("X-OTP")!
}
