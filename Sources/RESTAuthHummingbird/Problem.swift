public import HTTPTypes
public import Hummingbird
import Logging
public import RESTAuth

/// A refusal as it leaves the server: `application/problem+json` (RFC 9457) with a stable `code`.
///
/// This is the one table from error to status, body and challenge. An error that is not in it
/// becomes a 500 without details.
public struct Problem: Error, Sendable {
    /// The status of the answer.
    public let status: HTTPResponse.Status
    /// A stable name in snake_case.
    public let code: String
    /// The title, the same for every problem with this code.
    public let title: String
    /// The explanation of this one problem, which may be shown to the client's user.
    public let detail: String
    /// The input field that was refused.
    public let field: String?
    /// The members of the document that only this kind of problem has (RFC 9457 section 3.2).
    private(set) var members: [(String, JSON)]
    /// Header fields of the answer, besides those of every problem.
    public var headers: HTTPFields

    public init(
        _ status: HTTPResponse.Status, code: String, title: String? = nil, detail: String, field: String? = nil,
        headers: HTTPFields = [:]
    ) {
        self.init(status, code: code, title: title, detail: detail, field: field, members: [], headers: headers)
    }

    init(
        _ status: HTTPResponse.Status, code: String, title: String? = nil, detail: String, field: String? = nil,
        members: [(String, JSON)], headers: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.title = title ?? status.reasonPhrase
        self.detail = detail
        self.field = field
        self.members = members
        self.headers = headers
    }

    /// The problem for any error that a route throws.
    /// - Parameter request: decides which challenges a 401 carries.
    public init(_ error: any Error, request: Request) {
        switch error {
        case let problem as Problem: self = problem
        case let error as AuthError: self.init(error, request: request)
        case let error as HTTPError:
            self.init(
                error.status, code: Self.code(of: error.status), detail: error.body ?? error.status.reasonPhrase,
                headers: error.headers)
        case is CancellationError: self = .abandoned
        default: self = .internalError
        }
    }

    /// The refusal of a password that another factor has to follow: with the ticket for that, and
    /// the factors that the user has.
    static func continued(_ ticket: SignInTicket, with factors: [FactorDescription], _ request: Request) -> Problem {
        var problem = Problem(AuthError.mfaFollows, request: request)
        problem.members += [
            ("ticket", .string(ticket.value)), ("expires_in", .integer(SignInTicket.duration)),
            ("factors", .array(factors.map(\.json))),
        ]
        return problem
    }

    static let internalError = Problem(
        .internalServerError, code: "internal_error", detail: "Something went wrong here; the log says what.")

    /// The answer to a client that was taken for gone before its turn came. A client that has only
    /// ended its own half of the connection can read it.
    private static let abandoned = Problem(
        .serviceUnavailable, code: AuthError.Code.overloaded.rawValue, title: AuthError.Kind.overloaded.answer?.title,
        detail: "the connection was ended before it was this request's turn", headers: [.retryAfter: "1"])

    static let notFound = Problem(.notFound, code: "not_found", detail: "There is nothing here.")

    /// The status phrase in snake_case, as the code of a status that only HTTP has a name for.
    private static func code(of status: HTTPResponse.Status) -> String {
        let words = WireText(status.reasonPhrase).lowercased.bytes
        return String(decoding: words.map { $0 == UInt8(ascii: " ") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }
}

// MARK: - From the core's errors

extension Problem {
    private init(_ error: AuthError, request: Request) {
        guard let answer = error.answer else {
            self = .internalError
            return
        }
        self.init(
            answer.status, code: error.code.rawValue, title: answer.title, detail: error.detail, field: error.field)
        if answer.hasChallenge {
            headers = HTTPFields([AuthorizationHeader.challenge(for: error, request: request)].compactMap(\.self))
        }
        if let seconds = error.retryAfter { headers[.retryAfter] = String(seconds) }
        // draft-ietf-httpapi-ratelimit-headers: the quota, and that nothing of it remains for so
        // many seconds.
        if let policy = error.policy {
            headers[.rateLimitPolicy] = "\"\(policy.name)\";q=\(policy.quota)"
            headers[.rateLimit] = "\"\(policy.name)\";r=0;t=\(error.retryAfter ?? 0)"
        }
    }
}

extension AuthError {
    /// The answer to the error, by the table. A wrong code in a field came with credentials that
    /// are right, so it is refused as other fields are.
    fileprivate var answer: Kind.Answer? {
        code == .invalidCode && field != nil ? .wrongField(titled: kind?.answer?.title) : kind?.answer
    }
}

extension AuthError.Kind {
    /// The answer to errors of one kind: a row of the table from error to status, body and
    /// challenge.
    package struct Answer {
        let status: HTTPResponse.Status
        /// The title; `nil` for the status phrase.
        let title: String?
        /// The member `error`, for clients that read nothing else (RFC 6749 section 5.2).
        var oauthError: String?
        /// Whether the answer says in `WWW-Authenticate` how to sign in (RFC 9110 section 11.6.1,
        /// RFC 6750 section 3).
        var hasChallenge = false

        fileprivate init(
            _ status: HTTPResponse.Status, _ title: String?, oauthError: String? = nil, hasChallenge: Bool = false
        ) {
            self.status = status
            self.title = title
            self.oauthError = oauthError
            self.hasChallenge = hasChallenge
        }

        fileprivate static func wrongField(titled title: String?) -> Answer { Answer(.badRequest, title) }
    }

    /// An entry of the table: the answer to an error, or that no request causes the error.
    package enum Row {
        case answer(Answer)
        /// An error that only commands cause. From a request it is a 500, like any other fault of
        /// the server.
        case commandsOnly

        fileprivate static func answer(
            _ status: HTTPResponse.Status, _ title: String?, oauthError: String? = nil, hasChallenge: Bool = false
        ) -> Self {
            .answer(Answer(status, title, oauthError: oauthError, hasChallenge: hasChallenge))
        }

        fileprivate static func unauthorized(_ title: String, oauthError: String? = nil) -> Self {
            .answer(.unauthorized, title, oauthError: oauthError, hasChallenge: true)
        }
    }

    /// The answer; `nil` for an error that only commands cause.
    package var answer: Answer? { if case .answer(let answer) = row { answer } else { nil } }

    package var row: Row {
        switch self {
        case .validationFailed: .answer(.badRequest, "The input is not acceptable")
        case .weakPassword: .answer(.badRequest, "The password is too weak")
        case .userAlreadyExists: .answer(.badRequest, "The user name is taken")
        case .nameReserved: .answer(.conflict, "The user name is reserved")
        case .emailTaken: .answer(.conflict, "The mail address is taken")
        case .userNotFound: .answer(.notFound, "There is no such user")
        case .lastOperator: .answer(.conflict, "This is the last operator")
        case .linkInvalid: .answer(.badRequest, "The link is not good")
        case .invalidRequest: .answer(.badRequest, nil, oauthError: "invalid_request", hasChallenge: true)
        case .invalidGrant, .refreshTokenReused, .sessionExpired:
            .answer(.badRequest, "The session cannot be renewed", oauthError: "invalid_grant")
        case .credentialsRequired, .invalidCredentials, .invalidToken, .insufficientUserAuthentication:
            .unauthorized("Unauthorized Access")
        case .mfaRequired: .unauthorized("Another factor is needed")
        case .invalidCode: .unauthorized("The code is wrong")
        case .mfaEnrollmentRequired: .answer(.forbidden, "A second factor has to be added")
        case .ticketExpired: .answer(.badRequest, "The sign-in has to start again")
        case .factorNotFound: .answer(.notFound, "There is no such factor")
        case .deviceNotFound: .answer(.notFound, "There is no such device")
        case .passkeyNotFound: .answer(.notFound, "There is no such passkey")
        case .passkeysDisabled: .answer(.notFound, "There are no passkeys here")
        case .passkeyAlreadyExists: .answer(.conflict, "The passkey is there already")
        case .lastWayIn: .answer(.conflict, "This is the last way in")
        case .tooManyFactors: .answer(.conflict, "There are as many factors as there may be")
        case .invalidClient: .unauthorized("The client is not known", oauthError: "invalid_client")
        case .forbidden: .answer(.forbidden, "Not allowed", hasChallenge: true)
        case .insufficientScope: .answer(.forbidden, "The token does not allow this", hasChallenge: true)
        case .currentPasswordInvalid: .answer(.forbidden, "The present password is wrong")
        case .signupDisabled: .answer(.forbidden, "Registration is closed")
        case .invitationRequired, .invitationInvalid: .answer(.forbidden, "Registration takes an invitation")
        case .challengeRequired: .answer(.forbidden, "Registration takes a solved challenge")
        case .challengeInvalid: .answer(.forbidden, "The challenge is not good")
        case .sessionNotFound: .answer(.notFound, "There is no such session")
        case .tokenNotFound: .answer(.notFound, "There is no such token")
        case .serviceAccountNotFound: .answer(.notFound, "There is no such service account")
        case .tokenExpired: .answer(.conflict, "The token has expired")
        case .tooManyTokens: .answer(.conflict, "There are as many tokens as there may be")
        case .serviceAccountAlreadyExists: .answer(.conflict, "The service account is there already")
        case .rateLimited: .answer(.tooManyRequests, "Too many attempts")
        case .overloaded, .storageUnavailable: .answer(.serviceUnavailable, "Try again later")
        case .invitationNotFound: .answer(.notFound, "There is no such invitation")
        case .clientNotFound: .answer(.notFound, "There is no such client")
        case .clientAlreadyExists: .answer(.conflict, "The client is there already")
        case .keyNotFound: .answer(.notFound, "There is no such key")
        case .keyPending: .answer(.conflict, "The next key is there already")
        case .auditTrailBroken: .answer(.conflict, "The audit trail is broken")
        case .secretPending, .misconfigured: .commandsOnly
        }
    }
}

// MARK: - To HTTP

extension Problem: HTTPResponseError {
    public static let mediaType = "application/problem+json"

    /// The member `error`, for clients that read nothing else (RFC 6749 section 5.2).
    private var oauthError: String? { AuthError.Kind(rawValue: code)?.answer?.oauthError }

    /// The JSON text of the document.
    package func document(requestID: String?) -> [UInt8] {
        var members: [(String, JSON)] = [
            ("type", .string("urn:problem-type:rest-auth:\(code)")), ("title", .string(title)),
            ("status", .integer(status.code)),
            ("detail", .string(detail)), ("code", .string(code)),
        ]
        if let field {
            members.append(
                ("errors", [["pointer": .string("/\(field)"), "detail": .string(detail), "code": .string(code)]]))
        }
        if let error = oauthError {
            members += [("error", .string(error)), ("error_description", .string(detail))]
        }
        members += self.members
        if let requestID { members.append(("request_id", .string(requestID))) }
        return JSON.object(members.map(JSON.Member.init)).bytes
    }

    /// The answer to a request that failed with `error`. A fault of the server is logged, because
    /// the answer does not describe it.
    package static func response(to error: any Error, request: Request, context: some RequestContext) -> Response {
        let problem = Problem(error, request: request)
        if problem.status.kind == .serverError, !(error is CancellationError) {
            context.logger.error("request failed", metadata: ["error": "\(error)"])
        }
        return problem.response(from: request, context: context)
    }

    public func response(from request: Request, context: some RequestContext) -> Response {
        let requestID = context.logger[metadataKey: "hb.request.id"].map { "\($0)" }
        var response = Response(
            status: status,
            headers: [.contentType: Self.mediaType, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: document(requestID: requestID))))
        for field in headers where field.name != .contentType { response.headers.append(field) }
        if status == .unauthorized { response.headers.addMissingChallenge(to: request) }
        return request.method == .head ? response.createHeadResponse() : response
    }
}

/// The answer to an error of the core that an application's own handler throws: that of the
/// built-in routes.
extension AuthError: HTTPResponseError {
    /// The status of the answer: 401 for a caller who is not signed in, 403 for one without
    /// permission, and so on. An answer in a form of your own should keep it.
    public var status: HTTPResponse.Status { answer?.status ?? .internalServerError }

    public func response(from request: Request, context: some RequestContext) -> Response {
        Problem.response(to: self, request: request, context: context)
    }
}

/// Turns every error that is thrown after it into its problem document. Put it around your own
/// routes.
public struct ProblemResponses<Context: RequestContext>: RouterMiddleware {
    public init() {}

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            return Problem.response(to: error, request: request, context: context)
        }
    }
}

extension Response {
    static func json(_ json: JSON, status: HTTPResponse.Status = .ok) -> Response {
        .json(ByteBuffer(bytes: json.bytes), status: status)
    }

    /// An answer with JSON text as its body.
    static func json(_ bytes: ByteBuffer, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: bytes))
    }

    /// An answer without a body.
    static func empty(_ status: HTTPResponse.Status = .noContent) -> Response {
        Response(status: status, headers: [.xContentTypeOptions: "nosniff"])
    }

    /// The answer with the fields that forbid storing it (RFC 6749 section 5.1).
    func notStored() -> Response {
        var response = self
        response.headers[.cacheControl] = "no-store"
        response.headers[.pragma] = "no-cache"
        return response
    }
}

extension HTTPField.Name {
    static let rateLimit = Self("RateLimit")!
    static let rateLimitPolicy = Self("RateLimit-Policy")!
}
