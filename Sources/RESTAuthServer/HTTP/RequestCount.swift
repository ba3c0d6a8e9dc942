import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Tells the connection's ``ConnectionLifetime`` when a request begins and when its answer has been
/// written, on the connection itself or on a stream of it; and tells the client of HTTP/1 that an
/// answer is the last one when the server stops.
final class RequestCount: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var lifetime: ConnectionLifetime?
    private var isStream = false
    private var openRequests = 0

    func handlerAdded(context: ChannelHandlerContext) {
        lifetime = try? context.pipeline.syncOperations.handler(type: ConnectionLifetime.self)
        guard lifetime == nil else { return }
        // A stream has a pipeline of its own, on the thread of its connection.
        isStream = true
        lifetime = try? context.channel.parent?.pipeline.syncOperations.handler(type: ConnectionLifetime.self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) {
            openRequests += 1
            lifetime?.requestBegan(isStream: isStream)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where !isStream && lifetime?.isStopping == true:
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            context.write(data, promise: promise)
            requestEnded()
        default: context.write(data, promise: promise)
        }
    }

    /// A stream that is taken back or refused ends without an answer that comes this way.
    func channelInactive(context: ChannelHandlerContext) {
        while openRequests > 0 { requestEnded() }
        context.fireChannelInactive()
    }

    private func requestEnded() {
        guard openRequests > 0 else { return }
        openRequests -= 1
        lifetime?.requestEnded()
    }
}
