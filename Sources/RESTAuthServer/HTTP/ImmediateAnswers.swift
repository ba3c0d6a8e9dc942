import HTTPTypes
import NIOCore
import NIOHTTPTypes
import RESTAuth
import RESTAuthHummingbird

/// Answers on the connection's own thread what needs no waiting, and hands everything else on.
///
/// The way through the router costs two changes of thread. For the request that an API makes most,
/// with a token seen before, that is more than the work itself; and on this way it does not stand
/// in line behind sign-ins.
final class ImmediateAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let routes: ImmediateRoutes
    private let completion: Completion

    /// Requests handed on and not answered yet: what comes after them waits its turn.
    private var handedOn = 0
    /// The answer to the request that is arriving.
    private var answer: (head: HTTPResponse, body: ByteBuffer)?
    private var isFlushNeeded = false

    init(routes: ImmediateRoutes, completion: Completion) {
        self.routes = routes
        self.completion = completion
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let request):
            if handedOn == 0, let answer = answer(to: request, context.channel) {
                self.answer = answer
                return
            }
            handedOn += 1
        case .body:
            // A body that nobody asked for.
            if answer != nil { return }
        case .end:
            if let answer {
                self.answer = nil
                isFlushNeeded = true
                for part in [HTTPResponsePart.head(answer.head), .body(answer.body), .end(nil)] {
                    context.write(wrapOutboundOut(part), promise: nil)
                }
                return
            }
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isFlushNeeded {
            isFlushNeeded = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { handedOn -= 1 }
        context.write(data, promise: promise)
    }

    private func answer(to request: HTTPRequest, _ channel: any Channel) -> (head: HTTPResponse, body: ByteBuffer)? {
        // Who may read it is for the router's middleware to say.
        guard !request.headerFields.contains(.origin) else { return nil }
        let start = NIODeadline.now()
        guard let answer = routes.answer(to: request) else { return nil }
        let body = ByteBuffer(bytes: answer.body)
        var head = HTTPResponse(status: .ok, headerFields: answer.fields)
        head.headerFields[.xContentTypeOptions] = "nosniff"
        head.headerFields[.contentLength] = String(body.readableBytes)
        let mark = completion.mark(request, .next(), from: channel.remoteAddress)
        completion.complete(&head, to: request, route: answer.route, mark, since: start)
        return (head, body)
    }
}
