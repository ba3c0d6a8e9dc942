import HTTPTypes
import Logging
import NIOCore
import RESTAuthHummingbird

/// Writes one log line for each request, with the route's pattern: never the path or the query as
/// sent, and no field of the request.
struct RequestLog: Sendable {
    let sink: LogSink

    func write(
        method: HTTPRequest.Method, route: String, status: HTTPResponse.Status, took time: TimeAmount,
        _ mark: RequestMark
    ) {
        let outcome: Logger.Level = status.kind == .serverError ? .error : .info
        guard outcome >= sink.level else { return }
        sink.write(outcome, "request") { line in
            // Over HTTP/2, a client can send any text as a method.
            line.field("method", HTTPRequest.Method.registered.contains(method) ? method.rawValue : "-")
            line.field("route", route)
            line.field("status", status.code)
            line.field("duration_us", Int(time.nanoseconds / 1000))
            line.field("address", mark.address ?? "-")
            line.field("request_id", ascii: mark.id.digits)
        }
    }
}
