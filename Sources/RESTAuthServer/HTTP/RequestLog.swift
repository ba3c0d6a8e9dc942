import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// One log line a request: the route's pattern, never the path or the query as they were sent, and no field of the request.
struct RequestLog: Sendable {
    let sink: LogSink
    let level: Logger.Level

    /// - Parameters:
    ///   - client: the address that a trusted proxy named, in place of the peer's.
    func write(
        _ request: Request, _ response: Response, _ context: ServerContext, client: String?, peer: SocketAddress?, took time: TimeAmount
    ) {
        let outcome: Logger.Level = response.status.kind == .serverError ? .error : .info
        guard outcome >= level else { return }
        sink.write(outcome, "request") { line in
            line.field("method", request.method.rawValue)
            line.field("route", context.endpointPath ?? "-")
            line.field("status", response.status.code)
            line.field("duration_us", Int(time.nanoseconds / 1000))
            line.field("address", client ?? peer?.ipAddress ?? "-")
            line.field("request_id", ascii: context.requestID.digits)
        }
    }
}
