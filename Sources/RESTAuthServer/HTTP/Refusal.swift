import HTTPTypes
import NIOCore
import NIOHTTP1
import RESTAuthHummingbird

/// The answer to bytes that are not a valid request, made before any route.
struct Refusal {
    private let problem: Problem
    let body: ByteBuffer

    private init(_ problem: Problem) {
        self.problem = problem
        body = ByteBuffer(bytes: problem.document(requestID: nil))
    }

    var head: HTTPResponse {
        var fields: HTTPFields = [
            .contentType: Problem.mediaType, .contentLength: String(body.readableBytes), .connection: "close",
            .cacheControl: "no-store", .xContentTypeOptions: "nosniff", .date: HTTPDate.text,
        ]
        fields.append(contentsOf: problem.headers)
        return HTTPResponse(status: problem.status, headerFields: fields)
    }

    /// `nil` for an error that is not about what the client sent.
    init?(_ error: any Error) {
        switch error {
        case HTTPParserError.headerOverflow, is HeadLimits.Exceeded:
            self.init(
                Problem(
                    .requestHeaderFieldsTooLarge, code: "request_header_fields_too_large",
                    detail: "The path and the fields of the request are larger than the setting head_limit lets "
                        + "through, or verify_head_limit at /api/verify, or there are more than 100 fields."))
        case is RequestBudget.Exceeded:
            self.init(
                Problem(
                    .contentTooLarge, code: "content_too_large",
                    detail: "The request has more in and around its body than this server reads."))
        case let error as ConnectionGuard.BodyTooLarge:
            self.init(
                Problem(
                    .contentTooLarge, code: "content_too_large",
                    detail: "The body is larger than \(error.limit) bytes."))
        case HeadCheck.Violation.tunnel:
            self.init(
                Problem(
                    .methodNotAllowed, code: "method_not_allowed", detail: "This is no proxy.", headers: [.allow: ""]))
        case HeadCheck.Violation.host:
            self.init(
                Problem(
                    .badRequest, code: "bad_request",
                    detail: "A request has one Host field, with a host name or an address, and perhaps a port."))
        case HTTPParserError.invalidURL:
            self.init(
                Problem(
                    .badRequest, code: "bad_request",
                    detail: "The path or the query has a character that has to be percent-encoded."))
        case is HTTPParserError, is HeadCheck.Violation:
            self.init(Problem(.badRequest, code: "bad_request", detail: "This is not an HTTP request."))
        default: return nil
        }
    }

    static let timeout = Refusal(
        Problem(.requestTimeout, code: "request_timeout", detail: "The request did not arrive in time."))
}
