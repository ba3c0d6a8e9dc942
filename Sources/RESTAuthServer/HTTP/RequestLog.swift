import HTTPTypes
import Logging
import NIOCore
import RESTAuthHummingbird

/// One log line a request: the route's pattern, never the path or the query as they were sent, and
/// no field of the request.
struct RequestLog: Sendable {
    let sink: LogSink

    func write(
        method: HTTPRequest.Method, route: String, status: HTTPResponse.Status, took time: TimeAmount,
        _ mark: RequestMark
    ) {
        let outcome: Logger.Level = status.kind == .serverError ? .error : .info
        guard outcome >= sink.level else { return }
        sink.write(outcome, "request") { line in
            // Anything can be sent as a method over HTTP/2.
            line.field("method", HTTPRequest.Method.registered.contains(method) ? method.rawValue : "-")
            line.field("route", route)
            line.field("status", status.code)
            line.field("duration_us", Int(time.nanoseconds / 1000))
            line.field("address", mark.address ?? "-")
            line.field("request_id", ascii: mark.id.digits)
        }
    }
}
