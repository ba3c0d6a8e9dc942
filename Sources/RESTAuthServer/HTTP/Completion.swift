import HTTPTypes
import NIOCore
import RESTAuthHummingbird

/// The last thing that happens to every answer: the fields that all have, and the line in the log.
struct Completion: Sendable {
    let log: RequestLog
    let proxies: ForwardedFields?
    let isSecure: Bool

    func complete(
        _ response: inout HTTPResponse, to request: HTTPRequest, route: String, id: RequestID, peer: SocketAddress?, since start: NIODeadline
    ) {
        response.headerFields[.date] = HTTPDate.text
        // Browsers come back over TLS only (RFC 6797).
        if isSecure { response.headerFields[.strictTransportSecurity] = "max-age=31536000" }
        log.write(
            method: request.method, route: route, status: response.status, took: .now() - start,
            address: proxies.map { $0.client(request.headerFields, peer: peer) } ?? peer?.ipAddress, id: id)
    }
}
