import HTTPTypes
import Hummingbird
import Logging
import RESTAuthHummingbird

/// One log line a request: the route's pattern, never the path or the query as they were sent, and no field of the request.
struct RequestLog: RouterMiddleware {
    let sink: LogSink
    let level: Logger.Level

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let response = try await next(request, context)
        let outcome: Logger.Level = response.status.kind == .serverError ? .error : .info
        guard outcome >= level else { return response }
        let duration = (ContinuousClock.now - start).components
        sink.write(outcome, "request") { line in
            line.field("method", request.method.rawValue)
            line.field("route", context.endpointPath ?? "-")
            line.field("status", response.status.code)
            line.field("duration_us", Int(duration.seconds) * 1_000_000 + Int(duration.attoseconds / 1_000_000_000_000))
            line.field("address", context.clientAddress ?? context.peerAddress?.ipAddress ?? "-")
            line.field("request_id", context.id)
        }
        return response
    }
}
