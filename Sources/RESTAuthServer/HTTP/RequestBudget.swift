import NIOCore

/// Limits the bytes of one request as they come from the network, before anything is parsed.
///
/// The parser limits the head and the routes limit the body; without this limit a client could send
/// chunk extensions, leading zeros and trailers without end.
final class RequestBudget: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    struct Exceeded: Error {}

    private let limit: Int
    private var count = 0
    /// Whether the bytes that come now do not count.
    private var isLifted = false

    init(limit: Int) {
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isLifted { count += unwrapInboundIn(data).readableBytes }
        if count > limit {
            context.fireErrorCaught(Exceeded())
        } else {
            context.fireChannelRead(data)
        }
    }

    /// Starts a new budget for the next request, once a request has been answered.
    func renew() {
        count = 0
        isLifted = false
    }

    /// Counts nothing more until the next request: for a body of any length.
    func lift() { isLifted = true }
}
