import NIOCore
import NIOHTTP1

/// Bounds the bytes of one request as they come from the network, before anything is parsed.
///
/// The parser bounds the head and the routes bound the body; between them a client could send chunk extensions, leading zeros and
/// trailers without end. Every turn from reading to answering starts the count anew.
final class RequestBudget: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let limit: Int
    private var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        count += unwrapInboundIn(data).readableBytes
        if count > limit {
            context.fireErrorCaught(HTTPParserError.headerOverflow)
        } else {
            context.fireChannelRead(data)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        count = 0
        context.write(data, promise: promise)
    }
}
