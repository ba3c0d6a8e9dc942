import HTTPTypes
import NIOCore
import NIOExtras
import NIOHTTPTypes
import RESTAuth
import RESTAuthHummingbird

/// Answers requests on the metrics port: `GET` and `HEAD` of `/metrics`, and nothing else. It
/// receives whole requests, one at a time (``RequestTurns``).
final class MetricsAnswers: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    static let path: StaticString = "/metrics"

    private let registry: MetricRegistry
    /// The request whose end has not arrived yet.
    private var request: HTTPRequest?
    /// Completes when the last answer has been handed to the system.
    private var sent: EventLoopFuture<Void>?

    init(registry: MetricRegistry) {
        self.registry = registry
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            if let request { send(answer(to: request), isHead: request.method == .head, context) }
            request = nil
        }
    }

    private func answer(to request: HTTPRequest) -> (head: HTTPResponse, body: ByteBuffer) {
        let path = request.path.map { WireText($0).before("?") }
        guard path?.equals(Self.path) == true else {
            return answer(with: Problem(.notFound, code: "not_found", detail: "The metrics are at \(Self.path)."))
        }
        guard request.method == .get || request.method == .head else {
            return answer(
                with: Problem(
                    .methodNotAllowed, code: "method_not_allowed", detail: "Metrics are read, with GET.",
                    headers: [.allow: "GET, HEAD"]))
        }
        return (
            HTTPResponse(status: .ok, headerFields: [.contentType: ExpositionText.mediaType]),
            ByteBuffer(string: registry.text())
        )
    }

    private func answer(with problem: Problem) -> (head: HTTPResponse, body: ByteBuffer) {
        var fields: HTTPFields = [.contentType: Problem.mediaType]
        fields.append(contentsOf: problem.headers)
        return (
            HTTPResponse(status: problem.status, headerFields: fields),
            ByteBuffer(bytes: problem.document(requestID: nil))
        )
    }

    private func send(
        _ answer: (head: HTTPResponse, body: ByteBuffer), isHead: Bool, _ context: ChannelHandlerContext
    ) {
        var head = answer.head
        head.headerFields[.contentLength] = String(answer.body.readableBytes)
        head.headerFields[.cacheControl] = "no-store"
        head.headerFields[.xContentTypeOptions] = "nosniff"
        head.headerFields[.date] = HTTPDate.text
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(answer.body)), promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
        sent = promise.futureResult
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // The server stops, or there has been no request for a long time.
        case is ChannelShouldQuiesceEvent: close(context)
        case ChannelEvent.inputClosed: close(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Closes the connection after the last answer has been sent.
    private func close(_ context: ChannelHandlerContext) {
        let channel = context.channel
        guard let sent else { return channel.close(promise: nil) }
        sent.whenComplete { _ in channel.close(promise: nil) }
    }
}
