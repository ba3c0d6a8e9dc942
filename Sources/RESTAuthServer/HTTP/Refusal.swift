import HTTPTypes
import NIOCore
import NIOHTTP1
import RESTAuthHummingbird

/// The answer to what is not a request: made without one, before any route.
struct Refusal {
    let head: HTTPResponse
    let body: ByteBuffer

    init(_ problem: Problem) {
        body = ByteBuffer(bytes: problem.document(requestID: nil))
        head = HTTPResponse(
            status: problem.status,
            headerFields: [
                .contentType: Problem.mediaType, .contentLength: String(body.readableBytes), .connection: "close",
                .xContentTypeOptions: "nosniff",
            ])
    }

    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self.init(
                Problem(
                    .requestHeaderFieldsTooLarge, code: "request_header_fields_too_large",
                    detail: "The head of the request is larger than this server reads."))
        default:
            self.init(Problem(.badRequest, code: "bad_request", detail: "This is not an HTTP request."))
        }
    }

    static let timeout = Refusal(
        Problem(.requestTimeout, code: "request_timeout", detail: "The request did not arrive in time."))
}
