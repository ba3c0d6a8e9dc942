import HTTPTypes
import NIOCore
import NIOHTTPTypes
import RESTAuth
import RESTAuthHummingbird

/// Answers requests that need no waiting on the connection's own thread, and passes all others on.
/// It receives whole requests, one at a time (``RequestTurns``).
///
/// Going through the router costs two thread switches. For the most frequent request of an API,
/// with a token seen before, that is more than the work itself; and answered here, it does not
/// queue behind sign-ins.
final class ImmediateAnswers: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    private let routes: ImmediateRoutes
    private let completion: Completion

    /// The answer to a request whose end has not arrived yet.
    private var answer: (head: HTTPResponse, body: ByteBuffer)?

    init(routes: ImmediateRoutes, completion: Completion) {
        self.routes = routes
        self.completion = completion
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let request):
            answer = answer(to: request, context.channel)
            if answer != nil { return }
        case .body:
            // A body that the route does not expect.
            if answer != nil { return }
        case .end:
            if let answer {
                self.answer = nil
                context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
                context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                return
            }
        }
        context.fireChannelRead(data)
    }

    private func answer(to request: HTTPRequest, _ channel: any Channel) -> (head: HTTPResponse, body: ByteBuffer)? {
        let start = NIODeadline.now()
        guard let (answer, route, number) = routes.answer(to: request) else { return nil }
        let body = ByteBuffer(bytes: answer.body)
        var head = HTTPResponse(status: .ok, headerFields: answer.fields)
        head.headerFields[.cacheControl] = "no-store"
        head.headerFields[.xContentTypeOptions] = "nosniff"
        head.headerFields[.contentLength] = String(body.readableBytes)
        let mark = completion.mark(request, .next(), from: channel.remoteAddress)
        completion.complete(
            &head, to: request, route: route, completion.metrics?.series(immediate: number), mark, since: start)
        return (head, body)
    }
}
