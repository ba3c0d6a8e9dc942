import HTTPTypes
import NIOCore
import RESTAuthHummingbird

/// The last step of every answer: sets the fields that all answers have, records metrics and writes
/// the log line.
struct Completion: Sendable {
    let log: RequestLog
    let proxies: ForwardedFields
    let isSecure: Bool
    /// `nil` where metrics are not served.
    let metrics: RequestMetrics?

    /// HSTS: tells browsers to come back over TLS only (RFC 6797).
    static let strictTransportSecurity = "max-age=31536000"

    /// The id and client address that the log lines of a request show.
    func mark(_ request: HTTPRequest, _ id: RequestID, from peer: SocketAddress?) -> RequestMark {
        RequestMark(id: id, address: proxies.client(request.headerFields, peer: peer))
    }

    func complete(
        _ response: inout HTTPResponse, to request: HTTPRequest, route: String, _ series: RequestSeries?,
        _ mark: RequestMark, since start: NIODeadline
    ) {
        response.headerFields[.date] = HTTPDate.text
        if isSecure { response.headerFields[.strictTransportSecurity] = Self.strictTransportSecurity }
        let time = NIODeadline.now() - start
        series?.record(response.status, took: time)
        log.write(method: request.method, route: route, status: response.status, took: time, mark)
    }
}
